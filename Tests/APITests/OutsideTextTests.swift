import API
import Analysis
import Conditions
import Delivery
import EventSourcing
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Testing

/// Every way by which text from outside comes into an event, with text that the ledger cannot keep.
@Suite struct OutsideTextTests {
    static let shop = "/api/v1/rollouts/default/shop"

    private func applied() async throws -> Harness {
        let harness = Harness()
        try await harness.run { client in
            let _: ApplyReply = try await client.ask("/api/v1/apply", .post, body: Harness.everything(image: "1"))
        }
        return harness
    }

    /// Sends an order that must be refused, and sees that nothing was recorded.
    private func refused(
        _ uri: String, _ body: ByteBuffer, headers: HTTPFields = [:], status: Int = 400
    ) async throws -> ProblemDocument {
        let harness = try await applied()
        let before = try await harness.store.head()
        let problem = try await harness.run { client in
            try await client.execute(uri: uri, method: .post, headers: headers, body: body) { response in
                let text = String(buffer: response.body)
                #expect(response.status.code == status, "\(text)")
                return try CanonicalJSON.read(ProblemDocument.self, from: text)
            }
        }
        #expect(try await harness.store.head() == before)
        return problem
    }

    @Test(arguments: ["abort", "pause", "resume", "promote"])
    func `a reason with U+0000 is refused by name`(_ verb: String) async throws {
        let problem = try await refused(Self.shop + "/\(verb)", ByteBuffer(string: #"{"reason":"a\u0000b"}"#))
        #expect(problem.field == "reason")
        #expect(problem.value == #""a\u0000b""#)
        #expect(problem.detail == "reason: it holds U+0000, which cannot be kept")
        #expect(problem.fix == "remove that character")
    }

    @Test(arguments: [#"{"reason":"a\ud800b"}"#, #"{"reason":"a\udc00"}"#, #"{"reason":"\ud800\u0041"}"#])
    func `half a character is refused`(_ body: String) async throws {
        let problem = try await refused(Self.shop + "/abort", ByteBuffer(string: body))
        #expect(problem.field == "body")
        #expect(problem.detail.contains("lone surrogate"))
    }

    @Test func `a body that is no UTF-8 is refused`() async throws {
        var body = ByteBuffer(string: #"{"reason":""#)
        body.writeBytes([0xC3, 0x28, 0xED, 0xA0, 0x80])
        body.writeString("\"}")
        for uri in [Self.shop + "/abort", "/api/v1/apply"] {
            let problem = try await refused(uri, body)
            #expect(problem.field == "body")
            #expect(problem.detail == "body: it is not UTF-8 text")
        }
    }

    @Test(arguments: [#"shop:1\u0000"#, #"shop:\u001b[2J"#, #"shöp:1"#, #"shop:\u200b1"#, ""])
    func `an image that none can have is refused by name`(_ image: String) async throws {
        let problem = try await refused(
            Self.shop + "/set-image", ByteBuffer(string: #"{"images":{"app":"\#(image)"}}"#),
            status: image.contains("u0000") ? 400 : 422)
        #expect(problem.field == "images" || problem.problems?.first?.field == "spec.template.spec.containers")
        #expect(problem.fix ?? problem.problems?.first?.fix != nil)
    }

    @Test func `an image of any length, and a container of any name, is refused`() async throws {
        let long = try await refused(
            Self.shop + "/set-image",
            ByteBuffer(string: #"{"images":{"app":"\#(String(repeating: "a", count: 4_000_000))"}}"#), status: 422)
        #expect(long.problems?.first?.message.contains("1 to 1024") == true)
        #expect((long.problems?.first?.value?.count ?? 0) <= 60)
        _ = try await refused(Self.shop + "/set-image", ByteBuffer(string: #"{"images":{"a\u0000":"shop:1"}}"#))
        let name = try await refused(
            Self.shop + "/set-image", ByteBuffer(string: #"{"images":{"ap":"shop:1"}}"#), status: 422)
        #expect(name.problems?.first?.fix == "did you mean app?")
    }

    @Test(arguments: [
        #"x: "a\0b""#, #"x: "a\x00b""#, #"x: "a\u0000b""#, "x: a\u{0}b", #"{"x": "a\u0000b"}"#, #"{"x\u0000": 1}"#,
        #"x: "\ud800""#, #"{"x": "\ud800"}"#, #"{"x": "\udc00\ud800"}"#, "x: \u{7}", "x: \u{FFFE}",
    ]) func `a manifest with a character that cannot be kept is refused`(_ line: String) async throws {
        let text = line.hasPrefix("{") ? line : Harness.rollout(image: "2") + "\n" + line
        let problem = try await refused("/api/v1/apply", ByteBuffer(string: text), status: 422)
        let first = try #require(problem.problems?.first)
        #expect(first.line != nil && first.fix != "")
    }

    @Test func `what is said in a header is refused or kept as text`() async throws {
        for actor in ["maría@laptop", "a b", String(repeating: "a", count: 201), ""] {
            let problem = try await refused(
                Self.shop + "/abort", ByteBuffer(string: "{}"),
                headers: [HTTPField.Name("X-Rollbook-Actor")!: actor])
            #expect(problem.field == "X-Rollbook-Actor")
        }
        let harness = try await applied()
        try await harness.run { client in
            let _: ActionReply = try await client.ask(
                Self.shop + "/pause", .post,
                headers: [.userAgent: "agent \"\\ \u{FFFD} é " + String(repeating: "e\u{301}", count: 500)])
        }
        let last = try #require(
            try await harness.store.readAll(
                after: .start, before: nil, filter: EventFilter(), backwards: true, limit: 1
            ).whole().first)
        let metadata: JSONValue = try CanonicalJSON.read(from: last.event.metadata)
        #expect(metadata["client"]?.stringValue?.hasPrefix("agent \"\\ ") == true)
    }

    @Test(arguments: [
        "/api/v1/clusters/\(String(repeating: "c", count: 64))/rollouts/default/shop",
        "/api/v1/rollouts/\(String(repeating: "n", count: 64))/shop",
        "/api/v1/rollouts/default/\(String(repeating: "s", count: 254))",
        "/api/v1/clusters/\(String(repeating: "c", count: 253))/rollouts/\(String(repeating: "n", count: 253))/"
            + String(repeating: "s", count: 253), "/api/v1/rollouts/default/sh%00op",
        "/api/v1/rollouts/default/sh%C3%28p",
        "/api/v1/rollouts/default/..", "/api/v1/rollouts/default/sh%2Fop",
    ]) func `a name that no rollout can have is refused`(_ uri: String) async throws {
        try await Harness().run { client in
            let problem: ProblemDocument = try await client.ask(uri, expecting: 400)
            #expect(problem.field == "path")
        }
    }

    @Test func `names of the greatest length are taken, and longer ones refused with their place`() async throws {
        let place = String(repeating: "n", count: 63)
        let name = String(repeating: "s", count: 253)
        try await Harness().run { client in
            let text = Harness.rollout(image: "1").replacing(
                "name: shop }", with: "name: \(name), namespace: \(place) }"
            )
            .replacing("trafficRouting: { nginx: { stableIngress: shop } }", with: "")
            .replacing("- analysis: { templates: [{ templateName: success-rate }] }", with: "")
            .replacing("canaryService: shop-canary", with: "").replacing("stableService: shop-stable", with: "")
            let cluster = String(repeating: "c", count: 63)
            let reply: ApplyReply = try await client.ask("/api/v1/apply?cluster=\(cluster)", .post, body: text)
            #expect(reply.applied.map(\.name) == [name])
            let view: RolloutView = try await client.ask("/api/v1/clusters/\(cluster)/rollouts/\(place)/\(name)")
            #expect(view.name == name)
            let template = Harness.template.replacing(
                "kind: AnalysisTemplate", with: "kind: ClusterAnalysisTemplate"
            ).replacing("success-rate", with: name)
            let kept: ApplyReply = try await client.ask("/api/v1/apply?cluster=\(cluster)", .post, body: template)
            #expect(kept.applied.count == 1)
            let long: ProblemDocument = try await client.ask(
                "/api/v1/apply", .post, body: text.replacing(place, with: place + "n"), expecting: 422)
            #expect(long.problems?.contains { $0.field == "metadata.namespace" && $0.line == 3 } == true)
            let problem: ProblemDocument = try await client.ask(
                "/api/v1/apply?cluster=\(cluster)c", .post, body: text, expecting: 400)
            #expect(problem.field == "cluster")
        }
    }

    @Test func `what is too large for an event is refused before anything is recorded`() async throws {
        let notes = (0..<40_000).map { "    note-\($0): \"some words of some length about this release\"" }
        let text = Harness.rollout(image: "2").replacing(
            "metadata: { name: shop }",
            with: "metadata:\n  name: shop\n  annotations:\n" + notes.joined(separator: "\n"))
        let problem = try await refused("/api/v1/apply", ByteBuffer(string: text), status: 422)
        #expect(problem.detail.contains("at most 1572864 are kept"))
    }

    @Test func `what measurements, routers and platforms say is kept, with a mark for what was lost`() async throws {
        let harness = try await applied()
        try await harness.settle()
        try await harness.run { client in
            let _: ActionReply = try await client.ask(
                Self.shop + "/set-image", .post, body: #"{"images":{"app":"shop:2"}}"#)
        }
        let scale = try #require(try await harness.handler.load(Harness.name.stream).state.rollout).scaling
        let failure = PlatformFailure(.unavailable, "it said \u{0}")
        try await harness.tell(.reportScaleFailure(generation: scale.decided, by: "workloads", error: failure.detail))
        try await harness.settle()
        try await harness.run { client in
            let _: ActionReply = try await client.ask(Self.shop + "/promote", .post)
        }
        try await harness.settle()
        let run = try #require(try await harness.handler.load(Harness.name.stream).state.rollout?.release?.runs.last)
        let answers: [MetricAnswer] = [
            MetricAnswer(
                outcome: .value(.map(["a\u{0}": .array([.string("b\u{0}c")])])),
                source: MeasurementSource(provider: "web", address: "http://x/\u{0}", queryDigest: "x")),
            MetricAnswer(
                outcome: .error("bad\u{0}gateway"),
                source: MeasurementSource(provider: "web", address: "http://x", queryDigest: "x")),
        ]
        for (index, answer) in answers.enumerated() {
            try await harness.tell(
                .reportMeasurement(
                    MeasurementReport(
                        run: run.name, metric: "error-rate", number: index + 1, outcome: answer.outcome,
                        startedAt: harness.clock.now, finishedAt: harness.clock.now, source: answer.source)))
        }
        let texts = try await harness.store.readAll(
            after: .start, before: nil, filter: EventFilter(), backwards: false, limit: 1000
        ).whole().map(\.event.data)
        #expect(texts.contains { $0.contains("it said \u{FFFD}") })
        #expect(
            texts.contains { $0.contains("a\u{FFFD}") && $0.contains("b\u{FFFD}c") && $0.contains("http://x/\u{FFFD}") }
        )
        #expect(texts.contains { $0.contains("bad\u{FFFD}gateway") })
    }
}
