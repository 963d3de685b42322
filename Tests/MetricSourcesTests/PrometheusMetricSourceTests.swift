import Analysis
import Conditions
import Delivery
import EventSourcing
import HTTPTestKit
import Testing
import Transfer

@testable import MetricSources

@Suite(.timeLimit(.minutes(5))) struct PrometheusMetricSourceTests {
    static let client = TransferClient()
    /// 2026-01-02T03:04:05.25Z.
    let now = Instant(microseconds: 1_767_323_045_250_000)

    private func source(_ addresses: AddressBook = .asWritten, default address: String? = nil) -> PrometheusMetricSource
    {
        let now = now
        return PrometheusMetricSource(client: Self.client, addresses: addresses, defaultAddress: address) { now }
    }

    private func measure(
        _ members: [String: JSONValue], by source: PrometheusMetricSource? = nil
    ) async throws -> MetricAnswer {
        let name = try #require(RolloutName(namespace: "shop", name: "payments"))
        return await (source ?? self.source()).measure(
            MetricQuery(rollout: name, run: "run", metric: "m", provider: ["prometheus": .object(members)]))
    }

    /// The outcome of asking a server that answers `status` and `body`.
    private func outcome(_ status: Int, _ body: String, _ more: [String: JSONValue] = [:]) async throws -> MetricAnswer
    {
        try await withServer {
            $0.respond(status, [("Content-Type", "application/json")], body)
        } _: { server in
            try await measure(["address": .string(server.url("")), "query": "up"].merging(more) { $1 })
        }
    }

    private func error(_ answer: MetricAnswer) -> String? {
        if case .error(let reason) = answer.outcome { reason } else { nil }
    }

    @Test func `holds the contract of metric sources`() async throws {
        try await MetricSourceContract(
            source: source(), key: "prometheus",
            provider: { ["prometheus": ["address": .string($0), "query": .string($1)]] },
            answer: { exchange, number in
                exchange.respond(
                    200, [],
                    #"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1.5,"\#(number)"]}]}}"#
                )
            },
            answerNothing: {
                $0.respond(200, [], #"{"status":"success","data":{"resultType":"vector","result":[]}}"#)
            },
            number: { outcome in
                if case .value(.array(let list)) = outcome, list.count == 1 { list[0].number } else { nil }
            }
        ).holds()
    }

    @Test func `asks by POST with query and time in a form`() async throws {
        let seen = Fact<(String, String, String?, [String: String])>()
        try await withServer { exchange in
            seen.state((exchange.method, exchange.target, exchange.header("content-type"), exchange.form))
            exchange.respond(200, [], #"{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}"#)
        } _: { server in
            let query = #"sum(rate(http_requests_total{code=~"5.."}[5m])) / 2 + 1"#
            let answer = try await measure(["address": .string(server.url("/prom/")), "query": .string(query)])
            let (method, target, type, form) = await seen.known()
            #expect(method == "POST")
            #expect(target == "/prom/api/v1/query")
            #expect(type == "application/x-www-form-urlencoded")
            #expect(form == ["query": query, "time": "1767323045.25"])
            #expect(answer.outcome == .value(.double(1)))
            #expect(answer.metadata == ["ResolvedPrometheusQuery": query])
        }
    }

    @Test(arguments: [405, 501]) func `asks again by GET where POST is not served`(status: Int) async throws {
        try await withServer { exchange in
            if exchange.method == "POST" { return exchange.respond(status) }
            let right = exchange.target.hasPrefix("/api/v1/query?query=a+%2B+b&time=") && exchange.body.isEmpty
            exchange.respond(
                right ? 200 : 400, [], #"{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}"#)
        } _: { server in
            let answer = try await measure(["address": .string(server.url("")), "query": "a + b"])
            #expect(answer.outcome == .value(.double(2)))
        }
    }

    @Test func `a vector is a list, a matrix all its samples, a scalar a number`() async throws {
        let vector = try await outcome(
            200,
            #"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1,"0.5"]},{"metric":{},"value":[1.2,"-Inf"]},{"value":[1,"1e3"]}]}}"#
        )
        #expect(vector.outcome == .value(.vector([0.5, -.infinity, 1000])))
        let matrix = try await outcome(
            200,
            #"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"1"],[2,"2"]]},{"metric":{},"values":[[1,"3"]]}]}}"#
        )
        #expect(matrix.outcome == .value(.vector([1, 2, 3])))
        let scalar = try await outcome(200, #"{"status":"success","data":{"resultType":"scalar","result":[1,"+Inf"]}}"#)
        #expect(scalar.outcome == .value(.double(.infinity)))
    }

    @Test func `no data is an empty list and not a number is a value`() async throws {
        let empty = try await outcome(200, #"{"status":"success","data":{"resultType":"vector","result":[]}}"#)
        #expect(empty.outcome == .value(.vector([])))
        let nan = try await outcome(
            200, #"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"NaN"]}]}}"#)
        guard case .value(.array(let list)) = nan.outcome else {
            Issue.record("\(nan)")
            return
        }
        #expect(list.count == 1 && list[0].number?.isNaN == true)
    }

    @Test(arguments: [
        (
            200, #"{"status":"success","data":{"resultType":"string","result":[1,"x"]}}"#,
            "Prometheus metric type not supported"
        ),
        (
            200, #"{"status":"success","data":{"resultType":"scalar","result":[1,"x"]}}"#,
            "bad_response: a sample has the value \"x\", not a number"
        ),
        (
            200, #"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{}]}]}}"#,
            "bad_response: a sample is not [time, \"value\"]; native histograms are not supported"
        ),
        (200, #"{"status":"success"}"#, "bad_response: no data.result in the answer: {\"status\":\"success\"}"),
        (200, "hello\n", "bad_response: the answer is not JSON: hello "),
        (
            400, #"{"status":"error","errorType":"bad_data","error":"parse error: unclosed"}"#,
            "bad_data: parse error: unclosed"
        ),
        (422, #"{"status":"error","errorType":"execution","error":"too many samples"}"#, "execution: too many samples"),
        (400, #"{"status":"success","data":{}}"#, "bad_response: inconsistent body for response code"),
        (404, "404 page not found", "client_error: client error: 404"),
        (
            503, #"{"status":"error","errorType":"timeout","error":"query timed out"}"#,
            "server_error: server error: 503 (timeout: query timed out)"
        ),
        (304, "", "bad_response: bad response code 304"),
    ]) func `what cannot be used says why`(status: Int, body: String, reason: String) async throws {
        #expect(error(try await outcome(status, body)) == reason)
    }

    @Test func `warnings are kept`() async throws {
        let answer = try await outcome(
            200, #"{"status":"success","warnings":["w1","w2"],"data":{"resultType":"scalar","result":[1,"1"]}}"#)
        #expect(answer.metadata["warnings"] == #""w1", "w2""#)
    }

    @Test func `a range is asked from start to end by step`() async throws {
        let seen = Fact<(String, [String: String])>()
        try await withServer { exchange in
            seen.state((exchange.target, exchange.form))
            exchange.respond(200, [], #"{"status":"success","data":{"resultType":"matrix","result":[]}}"#)
        } _: { server in
            _ = try await measure([
                "address": .string(server.url("")), "query": "up",
                "rangeQuery": ["start": #"now() - duration("1h30m")"#, "end": "now()", "step": "500ms"],
            ])
            let (target, form) = await seen.known()
            #expect(target == "/api/v1/query_range")
            #expect(form == ["query": "up", "start": "1767317645.25", "end": "1767323045.25", "step": "0.5"])
        }
    }

    @Test(arguments: [
        (
            "yesterday", "now()", "1m",
            "failed to parse rangeQuery.start as time: cannot read \"yesterday\"; only now() and duration(\"…\") with + and - are supported"
        ),
        (
            "now()", #"duration("5m")"#, "1m",
            "failed to parse rangeQuery.end as time: expected time.Time, but got time.Duration"
        ),
        (
            "now()", "now()", "",
            "failed to parse rangeQuery.step as duration: invalid duration \"\"; write for instance 30s, 5m or 1h30m"
        ),
    ]) func `a range that cannot be read says which part`(
        start: String, end: String, step: String, reason: String
    ) async throws {
        let answer = try await measure([
            "address": "http://127.0.0.1:1", "query": "up",
            "rangeQuery": ["start": .string(start), "end": .string(end), "step": .string(step)],
        ])
        #expect(error(answer) == reason)
    }

    @Test(
        arguments: [
            (["query": "up"], "prometheus address is not configured"),
            (["query": "up", "address": "prometheus:9090"], "prometheus address is not is url format"),
            (["query": "up", "address": "http://"], "prometheus address is not is url format"),
            (["address": "http://x"], "provider.prometheus.query is empty; write a PromQL expression"),
            (["query": "up", "address": "http://x", "timeout": -1], "prometheus timeout should not be negative"),
            (
                ["query": "up", "address": "http://x", "timeout": "30s"],
                "provider.prometheus.timeout must be a whole number"
            ),
            (
                ["query": "up", "address": "http://x", "insecure": "yes"],
                "provider.prometheus.insecure must be true or false"
            ),
            (
                ["query": "up", "address": "http://x", "headers": [["value": "1"]]],
                "provider.prometheus.headers[0].key is missing"
            ),
            (
                ["query": "up", "address": "http://x", "authentication": ["basicAuth": ["username": "u"]]],
                "missing mandatory parameter in metric for basic auth setup: password"
            ),
            (
                ["query": "up", "address": "http://x", "authentication": ["oauth2": ["tokenUrl": "http://t"]]],
                "missing mandatory parameter in metric for OAuth2 setup"
            ),
            (
                [
                    "query": "up", "address": "http://x",
                    "authentication": ["oauth2": ["tokenUrl": "http://t", "clientId": "i", "clientSecret": "s"]],
                ],
                "provider.prometheus.authentication.oauth2 is not supported yet; use basicAuth or a header"
            ),
            (
                ["query": "up", "address": "http://aps-workspaces.x", "authentication": ["sigv4": ["region": "eu"]]],
                "provider.prometheus.authentication.sigv4 is not supported yet; put a signing proxy before it"
            ),
        ] as [([String: JSONValue], String)])
    func `a provider that cannot be used says which field`(members: [String: JSONValue], reason: String) async throws {
        #expect(error(try await measure(members)) == reason)
    }

    @Test func `headers and credentials arrive and stay out of the answer`() async throws {
        let seen = Fact<(String?, String?)>()
        try await withServer { exchange in
            seen.state((exchange.header("authorization"), exchange.header("x-scope-orgid")))
            exchange.respond(401)
        } _: { server in
            let answer = try await measure([
                "address": .string(server.url("")), "query": "up",
                "headers": [["key": "X-Scope-OrgID", "value": "one"], ["key": "x-scope-orgid", "value": "two"]],
                "authentication": ["basicAuth": ["username": "reader", "password": "hunter2"]],
            ])
            let (authorization, tenant) = await seen.known()
            #expect(authorization == "Basic cmVhZGVyOmh1bnRlcjI=")
            #expect(tenant == "two")
            #expect(error(answer) == "client_error: client error: 401")
            #expect(!"\(answer)".contains("hunter2"))
        }
    }

    @Test func `a header cannot smuggle another`() async throws {
        let answer = try await measure([
            "address": "http://127.0.0.1:1", "query": "up", "headers": [["key": "X-A", "value": "1\r\nX-Evil: 2"]],
        ])
        #expect(error(answer)?.contains("control character") == true)
    }

    @Test func `a silent server runs into the timeout`() async throws {
        try await withServer {
            $0.waitUntilClientLeaves()
        } _: { server in
            let slow = try await measure(["address": .string(server.url("")), "query": "up", "timeout": 1])
            #expect(error(slow)?.contains("timeout") == true)
            let zero = try await measure(["address": .string(server.url("")), "query": "up", "timeout": 0])
            #expect(error(zero)?.contains("timeout") == true)
        }
    }

    @Test func `a cluster's address is found where the book says`() async throws {
        try await withServer { exchange in
            let right = exchange.header("host") == "prometheus.monitoring:9090"
            exchange.respond(
                right ? 200 : 400, [], #"{"status":"success","data":{"resultType":"scalar","result":[1,"3"]}}"#)
        } _: { server in
            let book = AddressBook([
                .init(host: "Prometheus.monitoring", port: 9090): .init(host: "127.0.0.1", port: server.port)
            ])
            let answer = try await measure(
                ["query": "up"], by: source(book, default: "http://prometheus.monitoring:9090"))
            #expect(answer.outcome == .value(.double(3)))
            #expect(answer.source.address == "http://prometheus.monitoring:9090")
        }
    }

    @Test func `durations are read as Go does`() throws {
        #expect(try TimeExpression.duration("1h2m3.5s") == .milliseconds(3_723_500))
        #expect(try TimeExpression.duration("-1.5h") == .seconds(-5400))
        #expect(try TimeExpression.duration("0") == .zero)
        for text in ["", "5", "m", "5x", "1h5", "1..5s", " 5m"] {
            #expect(throws: MetricSourceProblem.self, "\(text)") { try TimeExpression.duration(text) }
        }
        #expect(try TimeExpression.time(#"(now() + duration('1m')) - duration("30s")"#, now: now) == now + .seconds(30))
    }
}
