import Analysis
import Conditions
import Delivery
import EventSourcing
import HTTPTestKit
import Testing
import Transfer

/// What every metric source promises, whatever it speaks.
///
/// A new source runs this with its own way to be asked and answered.
struct MetricSourceContract: Sendable {
    /// The source under test.
    let source: any MetricSource
    /// The key of its provider.
    let key: String
    /// The provider's part of a manifest that asks the server at an address a question.
    let provider: @Sendable (_ address: String, _ question: String) -> JSONValue
    /// Answers a request with one number in the source's own format.
    let answer: @Sendable (Exchange, _ number: Double) -> Void
    /// Answers a request with no data in the source's own format.
    let answerNothing: @Sendable (Exchange) -> Void
    /// Finds the number in a value of the source.
    let number: @Sendable (MeasurementOutcome) -> Double?

    func holds() async throws {
        #expect(source.providers.contains(key))
        try await numbersComeBack()
        try await noDataIsEmptyOrAReason()
        try await everyMishapIsAReason()
        try await aCancelledMeasurementEnds()
        try await nonsenseInTheManifestIsAReason()
    }

    func query(_ provider: JSONValue) throws -> MetricQuery {
        MetricQuery(
            rollout: try #require(RolloutName(namespace: "shop", name: "payments")), run: "run-1", metric: "success",
            provider: provider)
    }

    private func numbersComeBack() async throws {
        let answer = answer
        for wanted in [0, 0.973, -1.5, 1e-9, 1e300] {
            try await withServer {
                answer($0, wanted)
            } _: { server in
                let one = await source.measure(try query(provider(server.url(""), "first")))
                #expect(number(one.outcome) == wanted)
                #expect(one.source.provider == key)
                #expect(one.source.address.contains("127.0.0.1:\(server.port)"))
                #expect(one.source.queryDigest.wholeMatch(of: /sha256:[0-9a-f]{64}/) != nil)
                let same = await source.measure(try query(provider(server.url(""), "first")))
                let other = await source.measure(try query(provider(server.url(""), "second")))
                #expect(same.source == one.source)
                #expect(other.source.queryDigest != one.source.queryDigest)
            }
        }
    }

    private func noDataIsEmptyOrAReason() async throws {
        let answerNothing = answerNothing
        try await withServer {
            answerNothing($0)
        } _: { server in
            switch await source.measure(try query(provider(server.url(""), "none"))).outcome {
            case .value(let value): #expect(value.isNilOrEmpty)
            case .error(let reason): #expect(!reason.isEmpty)
            }
        }
    }

    private func everyMishapIsAReason() async throws {
        let mishaps: [(String, HTTPDouble.Handler)] = [
            ("500", { $0.respond(500, [], "out of order") }), ("503", { $0.respond(503) }),
            ("404", { $0.respond(404, [], "<html>") }), ("401", { $0.respond(401) }),
            ("garbage", { $0.respond(200, [], "}{ not json") }), ("empty", { $0.respond(200) }),
            ("null", { $0.respond(200, [], "null") }), ("list", { $0.respond(200, [], "[[[[1]]]]") }),
            ("hang-up", { $0.close() }),
            (
                "not HTTP",
                {
                    $0.write("220 smtp.example ESMTP\r\n")
                    $0.close()
                }
            ),
            (
                "torn",
                {
                    $0.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"status\":")
                    $0.reset()
                }
            ),
        ]
        for (name, mishap) in mishaps {
            try await withServer(answering: mishap) { server in
                let address = server.url("").replacing("http://", with: "http://reader:hunter2@")
                let answer = await source.measure(try query(provider(address, "broken")))
                guard case .error(let reason) = answer.outcome else {
                    Issue.record("\(name): \(answer)")
                    return
                }
                #expect(!reason.isEmpty, "\(name)")
                #expect(!"\(answer)".contains("hunter2"), "\(name)")
            }
        }
    }

    private func aCancelledMeasurementEnds() async throws {
        let arrived = Fact<Void>()
        try await withServer { exchange in
            arrived.state(())
            exchange.waitUntilClientLeaves()
        } _: { server in
            let query = try query(provider(server.url(""), "slow"))
            // Awaited below.
            let task = Task { await source.measure(query) }
            await arrived.known()
            task.cancel()
            guard case .error = await task.value.outcome else {
                Issue.record("a cancelled measurement has no value")
                return
            }
        }
    }

    private func nonsenseInTheManifestIsAReason() async throws {
        let all: [JSONValue] = [
            nil, [:], "text", [.init(stringLiteral: key)], .object([key: nil]), .object([key: 7]),
        ]
        for nonsense in all {
            guard case .error(let reason) = await source.measure(try query(nonsense)).outcome else {
                Issue.record("\(nonsense)")
                continue
            }
            #expect(!reason.isEmpty)
        }
    }
}
