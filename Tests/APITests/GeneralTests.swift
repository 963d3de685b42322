import Delivery
import EventSourcing
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Testing

@testable import API

@Suite struct GeneralTests {
    @Test func `an unknown rollout is answered with the nearest name`() async throws {
        let harness = Harness()
        try await harness.run { client in
            let _: ApplyReply = try await client.ask("/api/v1/apply", .post, body: Harness.everything(image: "1"))
            for (uri, method) in [
                ("", HTTPRequest.Method.get), ("/history", .get), ("/watch", .get), ("/abort", .post),
            ] {
                let problem: ProblemDocument = try await client.ask(
                    "/api/v1/rollouts/default/shp\(uri)", method, expecting: 404)
                #expect(problem.nearest == "shop")
            }
            let elsewhere: ProblemDocument = try await client.ask("/api/v1/rollouts/prod/shop", expecting: 404)
            #expect(elsewhere.nearest == "shop in namespace default")
            let page: ProblemDocument = try await client.ask("/api/v1/rolouts", expecting: 404)
            #expect(page.code == "unknown-path")
        }
    }

    @Test(arguments: [
        ("/api/v1/rollouts/default/shop?at=yesterday", "at"), ("/api/v1/rollouts/default/shop?att=1", "att"),
        ("/api/v1/rollouts/default/Shop", "path"), ("/api/v1/events?limit=0", "limit"),
        ("/api/v1/events?from=now", "from"), ("/api/v1/events?type=abortd", "type"),
        ("/api/v1/events?correlation=7", "correlation"), ("/api/v1/events?actor=a%00b", "actor"),
        ("/api/v1/events?stream=%00", "stream"), ("/api/v1/events?type=a.v1%00", "type"),
        ("/api/v1/events/stream?actor=%00", "actor"), ("/api/v1/rollouts/default/shop?at=1&at=2", "at"),
        ("/api/v1/rollouts?namespace=%00", "namespace"), ("/api/v1/rollouts?namespace=A", "namespace"),
        ("/api/v1/clusters/a%20b/rollouts", "cluster"), ("/api/v1/streams/a", "path"),
        ("/api/v1/streams/rollout-a%20b", "path"), ("/api/v1/streams/a-1?through=0", "through"),
        ("/api/v1/streams/a-1?through=v3", "through"), ("/api/v1/streams/a-1?before=3", "before"),
        ("/api/v1/streams/a-1?backwards=yes", "backwards"), ("/api/v1/streams/a-1?cursor=-1", "cursor"),
    ]) func `a value that cannot be used is named with what to write`(_ uri: String, _ field: String) async throws {
        try await Harness().run { client in
            let problem: ProblemDocument = try await client.ask(uri, expecting: 400)
            #expect(problem.field == field)
            #expect(problem.fix?.isEmpty == false)
        }
    }

    @Test(arguments: ["1-9999", "2-1", "1-9223372036854775807"])
    func `who has read events that the log does not have any more is told so`(_ last: String) async throws {
        try await Harness().run { client in
            let _: ApplyReply = try await client.ask("/api/v1/apply", .post, body: Harness.everything(image: "1"))
            try await client.execute(
                uri: "/api/v1/events/stream", method: .get, headers: [HTTPField.Name("Last-Event-ID")!: last]
            ) { response in
                #expect(response.status == .gone)
                #expect(String(buffer: response.body).contains(#""value":"\#(last)""#))
            }
        }
    }

    @Test func `a path that is known answers other methods with those that it takes`() async throws {
        try await Harness().run { client in
            let _: ApplyReply = try await client.ask("/api/v1/apply", .post, body: Harness.everything(image: "1"))
            for (uri, method, allowed) in [
                ("/api/v1/rollouts/default/shop", HTTPRequest.Method.post, "GET, HEAD"),
                ("/api/v1/rollouts/default/shop", .delete, "GET, HEAD"),
                ("/api/v1/clusters/default/rollouts/default/shop", .put, "GET, HEAD"),
                ("/api/v1/rollouts/default/shop/promote", .get, "POST"),
                ("/api/v1/rollouts/default/shop/watch", .post, "GET, HEAD"), ("/api/v1/rollouts", .post, "GET, HEAD"),
                ("/api/v1/apply", .put, "POST"), ("/api/v1/lint", .head, "POST"),
                ("/api/v1/events", .patch, "GET, HEAD"),
                ("/healthz", .post, "GET, HEAD"), ("/metrics", .options, "GET, HEAD"),
            ] {
                try await client.execute(uri: uri, method: method) { response in
                    #expect(response.status == .methodNotAllowed, "\(method) \(uri)")
                    #expect(response.headers[.allow] == allowed, "\(method) \(uri)")
                    #expect(response.headers[.contentType] == "application/problem+json")
                    let problem: ProblemDocument = try CanonicalJSON.read(from: String(buffer: response.body))
                    #expect(problem.code == "wrong-method" && problem.value == method.rawValue)
                }
            }
            for method in [HTTPRequest.Method.post, .put, .delete] {
                let problem: ProblemDocument = try await client.ask("/api/v1/nothing", method, expecting: 404)
                #expect(problem.code == "unknown-path")
            }
            let strange: ProblemDocument = try await client.ask(
                "/api/v1/rollouts/default/shop", HTTPRequest.Method("BREW")!, expecting: 501)
            #expect(strange.code == "unknown-method")
        }
    }

    @Test func `HEAD answers as GET does, without the body`() async throws {
        try await Harness().run { client in
            for uri in ["/healthz", "/api/v1/rollouts", "/api/v1/events"] {
                try await client.execute(uri: uri, method: .head) { response in
                    #expect(response.status == .ok)
                    #expect(response.body.readableBytes == 0)
                }
            }
        }
    }

    @Test(arguments: [
        "2026-11-24T09:00:00.000001Z", "2027-01-01T00:00:00Z", "9223372036854775807", "1000", "v1000",
    ]) func `a moment that has not come is not answered with the present`(_ at: String) async throws {
        let harness = Harness()
        try await harness.run { client in
            let _: ApplyReply = try await client.ask("/api/v1/apply", .post, body: Harness.everything(image: "1"))
            let uri = "/api/v1/rollouts/default/shop?at="
            let problem: ProblemDocument = try await client.ask(uri + at, expecting: 400)
            #expect(problem.code == "in-the-future")
            #expect(problem.field == "at")
            #expect(Instant(at).map { problem.value == "\($0)" } ?? (problem.value == at))
            #expect(problem.fix?.isEmpty == false)
            let unknown: ProblemDocument = try await client.ask(
                "/api/v1/rollouts/default/none?at=" + at, expecting: 404)
            #expect(unknown.code == "unknown-rollout")
            // The present itself is answered, however it is named.
            let now: RolloutView = try await client.ask("/api/v1/rollouts/default/shop")
            let head = try await harness.store.head()
            for at in ["\(harness.clock.now)", "\(head)", "v\(now.version)"] {
                let view: RolloutView = try await client.ask(uri + at)
                #expect(view == now)
            }
        }
    }

    @Test func `what the ledger has recorded has happened, also when its clock is ahead of the server's`() async throws
    {
        let harness = Harness()
        try await harness.run { client in
            harness.clock.advance(.seconds(5))
            let _: ApplyReply = try await client.ask("/api/v1/apply", .post, body: Harness.everything(image: "1"))
            let now: RolloutView = try await client.ask("/api/v1/rollouts/default/shop")
            harness.clock.advance(.seconds(-5))
            let then: RolloutView = try await client.ask("/api/v1/rollouts/default/shop?at=\(now.recordedAt)")
            #expect(then == now)
        }
    }

    @Test func `what has not changed is not sent again, and what is too large is not read`() async throws {
        try await Harness().run { client in
            let _: ApplyReply = try await client.ask("/api/v1/apply", .post, body: Harness.everything(image: "1"))
            let uri = "/api/v1/rollouts/default/shop"
            let tag = try await client.execute(uri: uri, method: .get) { $0.headers[.eTag] }
            try await client.execute(uri: uri, method: .get, headers: [.ifNoneMatch: try #require(tag)]) {
                #expect($0.status == .notModified)
            }
            let large = String(repeating: "a", count: 4 * 1024 * 1024 + 1)
            let problem: ProblemDocument = try await client.ask("/api/v1/apply", .post, body: large, expecting: 413)
            #expect(problem.code == "too-large")
        }
    }

    @Test func `a body that breaks off is the caller's mistake`() async throws {
        struct BrokenOff: Error {}
        var request = Request(
            head: HTTPRequest(method: .post, scheme: "http", authority: "localhost", path: "/"),
            body: RequestBody(
                asyncSequence: AsyncThrowingStream<ByteBuffer, any Error> { $0.finish(throwing: BrokenOff()) }))
        do {
            _ = try await request.text()
            Issue.record("there is no body")
        } catch {
            let problem = APIProblem(error).document
            #expect(problem.status == 400 && problem.field == "body")
        }
    }

    @Test func `a ledger that cannot be reached is told as such, with when to try again`() {
        for (failure, code) in [
            (EventStoreFailure.unavailable("down"), "ledger-unavailable"), (.outcomeUnknown("lost"), "outcome-unknown"),
        ] {
            let problem = APIProblem(failure)
            #expect(problem.document.code == code)
            #expect(problem.document.status == 503)
            #expect(problem.document.retry)
            #expect(problem.response.headers[.retryAfter] == "1")
        }
    }

    @Test func `a log that lacks events is told as such, and not to be asked again`() {
        let problem = APIProblem(EventStoreFailure.damaged("events of rollout-a are missing"))
        #expect(problem.document.code == "log-damaged")
        #expect(problem.document.status == 500)
        #expect(!problem.document.retry)
        #expect(problem.response.headers[.retryAfter] == nil)
    }

    @Test func `events come in pages in both directions and by filter`() async throws {
        let harness = Harness()
        try await harness.run { client in
            let _: ApplyReply = try await client.ask("/api/v1/apply", .post, body: Harness.everything(image: "1"))
            let all: EventPage = try await client.ask("/api/v1/events")
            #expect(all.next == nil)
            #expect(all.head.value == Int64(all.events.count))
            for backwards in [false, true] {
                var seen: [Int64] = []
                var cursor: String?
                repeat {
                    let page: EventPage = try await client.ask(
                        "/api/v1/events?limit=2&backwards=\(backwards)" + (cursor.map { "&cursor=\($0)" } ?? ""))
                    seen += page.events.map(\.position.value)
                    cursor = page.next
                } while cursor != nil
                let expected = all.events.map(\.position.value)
                #expect(seen == (backwards ? expected.reversed() : expected))
            }
            let started: EventPage = try await client.ask("/api/v1/events?type=release-started&actor=anonymous")
            #expect(started.events.map(\.type) == ["rollout.release-started.v1"])
            let templates: EventPage = try await client.ask("/api/v1/events?stream=template-")
            #expect(templates.events.map(\.type) == ["template.recorded.v1"])
        }
    }

    @Test(arguments: ["https://evil.example", "null", "http://localhost.evil.example", "http://evil.example:80"])
    func `a request that comes from another site is refused`(_ origin: String) async throws {
        try await Harness().run { client in
            let problem: ProblemDocument = try await client.ask(
                "/healthz", headers: [.origin: origin], expecting: 403)
            #expect(problem.code == "foreign-request")
            try await client.execute(uri: "/healthz", method: .get, headers: [.origin: "http://127.0.0.1:7070"]) {
                #expect($0.status == .ok)
            }
        }
    }

    @Test(arguments: [
        ("127.0.0.1:7070", true), ("localhost:7070", true), ("[::1]:7070", true), ("LOCALHOST:7070", true),
        ("localhost", false), ("localhost:9999", false), ("localhost.evil.example", false),
        ("evil.example:7070", false),
        ("", false), ("127.0.0.1.nip.io:7070", false),
    ]) func `only its own names with its own port are a server's host`(_ host: String, _ isOwn: Bool) {
        #expect(OwnHostMiddleware(port: 7070).isOwn(host) == isOwn)
    }

    @Test func `an instance whose sealer stands still is ready, and says so`() async throws {
        let halt = InstanceHalt(service: "sealer", reason: "the event at position 7 is gone; run `rollbook verify`")
        var dependencies = Harness().dependencies
        dependencies.halts = { [halt] }
        struct Readiness: Decodable {
            var ready: Bool
            var halted: [InstanceHalt]
        }
        try await Application(router: buildAPI(dependencies)).test(.router) { client in
            let readiness: Readiness = try await client.ask("/readyz")
            #expect(readiness.ready)
            #expect(readiness.halted == [halt])
        }
    }

    @Test func `health, readiness and numbers are told`() async throws {
        try await Harness().run { client in
            try await client.execute(uri: "/healthz", method: .get) { #expect($0.status == .ok) }
            try await client.execute(uri: "/readyz", method: .get) { response in
                #expect(response.status == .ok)
                #expect(
                    String(buffer: response.body)
                        == #"{"duties":{"cluster":"default","leases":["sealer"],"shards":64},"#
                        + #""halted":[],"instance":"test","ready":true}"# + "\n")
            }
            try await client.execute(uri: "/metrics", method: .get) { response in
                let page = String(buffer: response.body)
                #expect(page.contains("rollbook_ledger_head_position 0"))
                #expect(page.contains("rollbook_http_requests_total{status=\"200\"} 2"))
            }
        }
        try await Harness(whyNotReady: "the ledger cannot be reached").run { client in
            try await client.execute(uri: "/readyz", method: .get) { response in
                #expect(response.status == .serviceUnavailable)
                #expect(response.headers[.retryAfter] == "1")
            }
        }
    }
}
