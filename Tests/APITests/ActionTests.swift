import API
import Delivery
import EventSourcing
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import TestKit
import Testing

@Suite struct ActionTests {
    static let shop = "/api/v1/rollouts/default/shop"

    /// A harness whose rollout has 1 in service and waits in the first pause of 2.
    static func paused() async throws -> Harness {
        let harness = Harness()
        try await harness.run { client in
            let _: ApplyReply = try await client.ask("/api/v1/apply", .post, body: Harness.everything(image: "1"))
        }
        try await harness.settle()
        try await harness.run { client in
            let reply: ActionReply = try await client.ask(
                Self.shop + "/set-image", .post, body: #"{"images":{"app":"shop:2"}}"#,
                headers: [HTTPField.Name("X-Rollbook-Actor")!: "maria@laptop"])
            #expect(reply.changed)
        }
        try await harness.settle()
        return harness
    }

    @Test func `a release ships by promotion and good measurements, and every view follows`() async throws {
        let harness = try await Self.paused()
        try await harness.run { client in
            let waiting: RolloutView = try await client.ask(Self.shop)
            #expect(waiting.phase == .paused)
            #expect(waiting.step == "1/4")
            #expect(waiting.setWeight == 5)
            #expect(waiting.actualWeight == 5)
            #expect(waiting.pause?.reason == .step)
            let reply: ActionReply = try await client.ask(
                Self.shop + "/promote", .post, body: #"{"reason":"looks good"}"#)
            #expect(reply.phase == .progressing)
        }
        try await harness.settle()
        for _ in 0..<5 { try await harness.measure(0) }
        try await harness.run { client in
            let view: RolloutView = try await client.ask(Self.shop)
            #expect(view.phase == .healthy)
            #expect(view.step == "4/4")
            #expect(view.actualWeight == 100)
            #expect(view.release?.outcome == .completed)
            #expect(view.revisions.map(\.number) == [2, 1])
            #expect(view.revisions[0].analysisRuns.first?.counts.successful == 5)
            let list: RolloutList = try await client.ask("/api/v1/rollouts?namespace=default")
            #expect(list.rollouts.map(\.phase) == [.healthy])
            let none: RolloutList = try await client.ask("/api/v1/clusters/other/rollouts")
            #expect(none.rollouts.isEmpty)
        }
    }

    @Test func `the audit of an abort names actor, run, measurements, rule and what followed`() async throws {
        let harness = try await Self.paused()
        try await harness.run { client in
            let _: ActionReply = try await client.ask(Self.shop + "/promote", .post)
        }
        try await harness.settle()
        for value in [0.0, 0.2, 0.25, 0.3] { try await harness.measure(value) }
        try await harness.run { client in
            let audit: AuditReply = try await client.ask(Self.shop + "/audit")
            let abort = try #require(audit.aborts.first)
            #expect(abort.message == #"Metric "error-rate" assessed Failed due to failed (3) > failureLimit (2)"#)
            #expect(abort.abortMessage.hasPrefix("Rollout aborted update to revision 2: "))
            #expect(abort.by == .analysis)
            #expect(abort.actor.subject == "rollbook/test")
            #expect(abort.analysisRun?.isEmpty == false)
            #expect(abort.measurements.map(\.value?.text) == ["[0]", "[0.2]", "[0.25]", "[0.3]"])
            #expect(abort.measurements.map(\.isEvidence) == [false, true, true, true])
            #expect(abort.measurements.allSatisfy { $0.condition == "result[0] <= 0.01" })
            #expect(abort.metrics.first?.rule == "failed (3) > failureLimit (2)")
            #expect(abort.weightBefore == 25)
            let decided = try #require(abort.weightZeroDecided)
            #expect(decided.recordedAt == abort.event.recordedAt)
            #expect(try #require(abort.weightZeroApplied).position > decided.position)
            #expect(abort.router == "nginx")
            let view: RolloutView = try await client.ask(Self.shop)
            #expect(view.phase == .degraded)
            #expect(view.actualWeight == 0)
            let history: HistoryReply = try await client.ask(Self.shop + "/history")
            let count = history.events.count
            for (query, wanted) in [
                ("last=3", history.events.suffix(3)), ("last=1000", history.events[...]),
                ("last=2&to=v\(count - 4)", history.events.dropLast(4).suffix(2)),
                ("last=2&to=\(history.events[5].position)", history.events[4...5]),
                ("last=9&from=v\(count - 1)", history.events.suffix(2)),
            ] as [(String, ArraySlice<HistoryEntry>)] {
                let tail: HistoryTail = try await client.ask(Self.shop + "/history?\(query)")
                #expect(tail.events == Array(wanted), "\(query)")
            }
            #expect(history.events.contains { $0.text == "weight 25 applied by nginx after 0.02 s" })
            #expect(history.releases.map(\.outcome) == [.completed, .aborted])
            #expect(history.releases[1].actor.subject == "maria@laptop")
        }
    }

    @Test func `every past moment can be seen again, by version, position and time`() async throws {
        let harness = try await Self.paused()
        try await harness.run { client in
            let page: EventPage = try await client.ask("/api/v1/events?stream=rollout-&limit=1000")
            var reading = RolloutReading(Harness.name)
            let events = try await harness.store.read(Harness.name.stream, after: .none, limit: 1000)
            #expect(page.events.count == events.count)
            for (index, recorded) in events.enumerated() {
                try reading.fold(recorded)
                let byVersion: RolloutView = try await client.ask(Self.shop + "?at=v\(recorded.version)")
                let byPosition: RolloutView = try await client.ask(Self.shop + "?at=\(recorded.position)")
                #expect(byVersion == reading.view)
                #expect(byPosition == reading.view)
                if index + 1 == events.count || events[index + 1].recordedAt != recorded.recordedAt {
                    let byTime: RolloutView = try await client.ask(Self.shop + "?at=\(recorded.recordedAt)")
                    #expect(byTime == reading.view)
                }
            }
            let replay: ReplayReply = try await client.ask(Self.shop + "/replay?from=v3&to=v6")
            #expect(replay.frames.map(\.event.version.value) == [3, 4, 5, 6])
            let early: ProblemDocument = try await client.ask(
                Self.shop + "?at=2026-11-24T08:00:00Z", expecting: 404)
            #expect(early.code == "not-yet")
        }
    }

    @Test func `an order is refused with If-Match of an older decision version`() async throws {
        let harness = try await Self.paused()
        try await harness.run { client in
            let view: RolloutView = try await client.ask(Self.shop)
            let problem: ProblemDocument = try await client.ask(
                Self.shop + "/promote", .post, headers: [.ifMatch: "\"\(view.decisionVersion - 1)\""], expecting: 412)
            #expect(problem.code == "moved-on")
            let reply: ActionReply = try await client.ask(
                Self.shop + "/promote", .post, headers: [.ifMatch: "\"\(view.decisionVersion)\""])
            #expect(reply.changed)
        }
    }

    @Test func `an order sent twice with one key is carried out once`() async throws {
        let harness = try await Self.paused()
        let key: HTTPFields = [HTTPField.Name("Idempotency-Key")!: "11111111-2222-4333-8444-555555555555"]
        try await harness.run { client in
            let first: ActionReply = try await client.ask(Self.shop + "/promote", .post, headers: key)
            let second: ActionReply = try await client.ask(Self.shop + "/promote", .post, headers: key)
            #expect(!first.duplicate)
            #expect(second.duplicate)
            #expect(second.version == first.version)
            #expect(second.position == first.position)
        }
    }

    @Test func `a key that was given for another order is refused, and a repeat in other words is not`() async throws {
        let harness = try await Self.paused()
        let key: HTTPFields = [HTTPField.Name("Idempotency-Key")!: "11111111-2222-4333-8444-555555555555"]
        let quoted: HTTPFields = [HTTPField.Name("Idempotency-Key")!: "\"11111111-2222-4333-8444-555555555555\""]
        try await harness.run { client in
            let first: ActionReply = try await client.ask(
                Self.shop + "/pause", .post, body: #"{"reason":"look again"}"#, headers: key)
            #expect(!first.duplicate)
            let head = try await harness.store.head()
            for (verb, body) in [
                ("/pause", #"{"reason":"another one"}"#), ("/pause", ""), ("/resume", #"{"reason":"look again"}"#),
                ("/abort", #"{"reason":"look again"}"#), ("/set-image", #"{"images":{"app":"shop:3"}}"#),
            ] {
                let problem: ProblemDocument = try await client.ask(
                    Self.shop + verb, .post, body: body, headers: key, expecting: 422)
                #expect(problem.code == "idempotency-key-reused")
                #expect(problem.field == "Idempotency-Key")
                #expect(problem.value == "11111111-2222-4333-8444-555555555555")
                #expect(problem.fix?.isEmpty == false)
            }
            for headers in [key, quoted] {
                let again: ActionReply = try await client.ask(
                    Self.shop + "/pause", .post, body: "{ \"reason\" : \"look\\u0020again\" }\n", headers: headers)
                #expect(again.duplicate)
                #expect(again.version == first.version)
            }
            let applied: ProblemDocument = try await client.ask(
                "/api/v1/apply", .post, body: Harness.rollout(image: "4"), headers: key, expecting: 422)
            #expect(applied.code == "idempotency-key-reused")
            // Another rollout's orders are other orders too, whether or not it is there.
            for path in ["/api/v1/rollouts/default/other/pause", "/api/v1/clusters/east/rollouts/default/shop/pause"] {
                let elsewhere: ProblemDocument = try await client.ask(
                    path, .post, body: #"{"reason":"look again"}"#, headers: key, expecting: 422)
                #expect(elsewhere.code == "idempotency-key-reused")
                #expect(elsewhere.detail.contains("rollout-default/default/shop"))
            }
            #expect(try await harness.store.head() == head)
        }
    }

    @Test func `a repeat gets its first answer although the order itself moved the version that it names`() async throws
    {
        let harness = try await Self.paused()
        try await harness.run { client in
            let tag = try #require(try await client.execute(uri: Self.shop, method: .get) { $0.headers[.eTag] })
            let headers: HTTPFields = [
                HTTPField.Name("Idempotency-Key")!: "11111111-2222-4333-8444-555555555555", .ifMatch: tag,
            ]
            let first: ActionReply = try await client.ask(Self.shop + "/abort", .post, headers: headers)
            #expect("\"\(first.decisionVersion)\"" != tag)
            let second: ActionReply = try await client.ask(Self.shop + "/abort", .post, headers: headers)
            #expect(second.duplicate)
            let other: ProblemDocument = try await client.ask(
                Self.shop + "/retry", .post, headers: [.ifMatch: tag], expecting: 412)
            #expect(other.code == "moved-on")
        }
    }

    @Test(arguments: [
        ("/promote", #"{"fulll":true}"#, 400, "bad-input"), ("/promote", "[", 400, "bad-input"),
        ("/promote", #"{"full":"yes"}"#, 400, "bad-input"), ("/set-image", "{}", 400, "bad-input"),
        ("/set-image", #"{"images":{"ap":"x:1"}}"#, 422, "invalid-manifest"), ("/retry", "", 409, "not-aborted"),
        ("/resume", "", 409, "not-paused"), ("/undo", #"{"toRevision":9}"#, 422, "unknown-revision"),
        ("/undo", #"{"toRevision":2}"#, 409, "already-at-revision"),
    ]) func `a wrong order is refused in clear words`(
        _ verb: String, _ body: String, _ status: Int, _ code: String
    ) async throws {
        let harness = try await Self.paused()
        let head = try await harness.store.head()
        try await harness.run { client in
            let problem: ProblemDocument = try await client.ask(
                Self.shop + verb, .post, body: body, expecting: status)
            #expect(problem.code == code)
            #expect(!problem.detail.isEmpty)
        }
        #expect(try await harness.store.head() == head)
    }

    @Test func `abort, retry, undo, pause and resume do as they say`() async throws {
        let harness = try await Self.paused()
        try await harness.run { client in
            let aborted: ActionReply = try await client.ask(
                Self.shop + "/abort", .post, body: #"{"reason":"smells"}"#)
            #expect(aborted.phase == .degraded)
            let retried: ActionReply = try await client.ask(Self.shop + "/retry", .post)
            #expect(retried.phase == .progressing)
            #expect(retried.release != aborted.release)
            let held: ActionReply = try await client.ask(Self.shop + "/pause", .post, body: #"{"reason":"lunch"}"#)
            #expect(held.phase == .paused)
            let resumed: ActionReply = try await client.ask(Self.shop + "/resume", .post)
            #expect(resumed.phase != .paused)
            let undone: ActionReply = try await client.ask(Self.shop + "/undo", .post)
            #expect(undone.changed)
            let audit: AuditReply = try await client.ask(Self.shop + "/audit")
            #expect(audit.aborts.map(\.reason) == ["smells"])
            #expect(audit.aborts.first?.by == .person)
            #expect(audit.aborts.first?.weightZeroDecided != nil)
        }
    }
}
