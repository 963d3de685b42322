import API
import Delivery
import EventSourcing
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Testing

@Suite struct ApplyTests {
    @Test func `a first manifest creates the rollout and keeps its template`() async throws {
        let harness = Harness()
        try await harness.run { client in
            let reply: ApplyReply = try await client.ask(
                "/api/v1/apply", .post, body: Harness.everything(image: "1"))
            #expect(reply.applied.map(\.kind) == ["AnalysisTemplate", "Rollout"])
            #expect(reply.applied.map(\.result) == [.created, .created])
            let again: ApplyReply = try await client.ask(
                "/api/v1/apply", .post, body: Harness.everything(image: "1"))
            #expect(again.applied.map(\.result) == [.unchanged, .unchanged])
            let view: RolloutView = try await client.ask("/api/v1/rollouts/default/shop")
            #expect(view.phase == .progressing)
            #expect(view.version == reply.applied[1].version)
        }
    }

    @Test func `nothing is recorded if one document is bad`() async throws {
        let harness = Harness()
        try await harness.run { client in
            let body = Harness.template + "\n---\n" + Harness.rollout(image: "1", replicas: "-3")
            let problem: ProblemDocument = try await client.ask("/api/v1/apply", .post, body: body, expecting: 422)
            #expect(problem.code == "invalid-manifest")
            #expect(problem.problems?.contains { $0.field == "spec.replicas" } == true)
        }
        #expect(try await harness.store.head() == .start)
    }

    @Test func `text that is no YAML is refused with line and column`() async throws {
        try await Harness().run { client in
            let problem: ProblemDocument = try await client.ask(
                "/api/v1/apply", .post, body: "kind: Rollout\n  bad: [", expecting: 422)
            #expect(problem.problems?.first?.line != nil)
            #expect(problem.problems?.first?.column != nil)
        }
    }

    @Test func `a template applied before its rollout is found by it`() async throws {
        let harness = Harness()
        try await harness.run { client in
            let _: ApplyReply = try await client.ask("/api/v1/apply", .post, body: Harness.template)
            let reply: ApplyReply = try await client.ask(
                "/api/v1/apply", .post, body: Harness.rollout(image: "1") + "\n---\n" + Harness.services)
            #expect(reply.applied.map(\.kind) == ["Rollout"])
        }
        let state = try await harness.handler.load(Harness.name.stream).state
        #expect(state.rollout?.bundle.related.contains { $0["kind"]?.stringValue == "AnalysisTemplate" } == true)
    }

    @Test func `a changed template is applied to the rollouts that refer to it without a new release`() async throws {
        let harness = Harness()
        try await harness.run { client in
            let _: ApplyReply = try await client.ask("/api/v1/apply", .post, body: Harness.everything(image: "1"))
            let changed = Harness.template.replacing("failureLimit: 2", with: "failureLimit: 1")
            let reply: ApplyReply = try await client.ask("/api/v1/apply", .post, body: changed)
            #expect(reply.applied.map(\.kind) == ["AnalysisTemplate", "Rollout"])
            #expect(reply.applied.map(\.result) == [.configured, .configured])
            let history: HistoryReply = try await client.ask("/api/v1/rollouts/default/shop/history")
            #expect(history.releases.count == 1)
        }
    }

    @Test func `a service that no rollout refers to is refused`() async throws {
        let harness = Harness()
        try await harness.run { client in
            let problem: ProblemDocument = try await client.ask(
                "/api/v1/apply", .post, body: Harness.services, expecting: 422)
            #expect(problem.problems?.map(\.field) == ["kind", "kind", "kind"])
            let _: ApplyReply = try await client.ask("/api/v1/apply", .post, body: Harness.everything(image: "1"))
            let again: ApplyReply = try await client.ask("/api/v1/apply", .post, body: Harness.services)
            #expect(again.applied.isEmpty)
        }
    }

    @Test func `a kept template is read back as it was written, and only a change is recorded`() throws {
        let at = Instant("2026-11-24T09:00:00Z")!
        let manifest: JSONValue = ["kind": "AnalysisTemplate", "metadata": ["name": "success-rate"]]
        let events = try TemplateDecider.decide(.init(at: at, manifest: manifest), given: nil)
        let (type, data, occurredAt) = TemplateDecider.encode(try #require(events.first))
        #expect(type == "template.recorded.v1")
        #expect(data.hasPrefix(#"{"digest":"sha256:"#))
        #expect(data.hasSuffix(#","manifest":{"kind":"AnalysisTemplate","metadata":{"name":"success-rate"}}}"#))
        let read = try TemplateDecider.decode(type: type, data: data, occurredAt: occurredAt)
        #expect([read] == events)
        let state = TemplateDecider.fold(events)
        #expect(try TemplateDecider.decide(.init(at: at, manifest: manifest), given: state).isEmpty)
        #expect(throws: UnreadableEvent.self) {
            try TemplateDecider.decode(type: "template.recorded.v9", data: data, occurredAt: at)
        }
    }

    @Test func `lint answers all problems and records nothing`() async throws {
        let harness = Harness()
        try await harness.run { client in
            let good: LintReply = try await client.ask("/api/v1/lint", .post, body: Harness.everything(image: "1"))
            #expect(good.valid)
            let bad: LintReply = try await client.ask(
                "/api/v1/lint", .post, body: Harness.rollout(image: "1", replicas: "-3"))
            #expect(!bad.valid)
        }
        #expect(try await harness.store.head() == .start)
    }
}

extension String {
    func replacing(_ old: String, with new: String) -> String {
        var parts: [Substring] = []
        var rest = self[...]
        while let range = rest.firstRange(of: old) {
            parts.append(rest[..<range.lowerBound])
            rest = rest[range.upperBound...]
        }
        return (parts + [rest]).joined(separator: new)
    }
}
