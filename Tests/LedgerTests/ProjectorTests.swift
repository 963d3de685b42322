import Delivery
import EventSourcing
import Foundation
import Ledger
import Postgres
import TestKit
import Testing

@Suite(.timeLimit(.minutes(5))) struct ProjectorTests {
    /// A rollout with a few releases, through the decider.
    private func tell(_ store: PostgresEventStore) async throws {
        let handler = CommandHandler<RolloutDecider>(store: store, mint: { Identifier(UUID()) })
        var teller = Teller(handler: handler)
        try await teller.order(
            .apply(bundle, source: ManifestSource(kind: .cli), warnings: [], newRelease: Identifier(UUID())))
        for tag in ["2", "3"] {
            let hash = teller.state.rollout?.release?.podTemplateHash ?? ""
            try await teller.order(
                .observePods(PodsSeen(podTemplateHash: hash, desired: 1, current: 1, ready: 1, available: 1)))
            try await teller.order(.setImages(["app": "shop:\(tag)"], newRelease: Identifier(UUID())))
        }
        try await teller.order(.abort(reason: "it's \"odd\""))
    }

    /// Gives one order a second.
    private struct Teller {
        let handler: CommandHandler<RolloutDecider>
        var state = RolloutState.absent
        var at = SampleEvents.noon

        mutating func order(_ order: RolloutOrder) async throws {
            at = at + .seconds(1)
            let actor = EventActor(subject: "maria", issuer: "test", method: .unauthenticated)
            state = try await handler.handle(
                RolloutCommand(at: at, order), on: RolloutName(namespace: "default", name: "shop")!.stream,
                context: CommandContext(id: Identifier(UUID()), at: at, actor: actor)
            ).state
        }
    }

    private var bundle: ManifestBundle {
        let template: JSONValue = [
            "metadata": ["labels": ["app": "shop"]], "spec": ["containers": [["name": "app", "image": "shop:1"]]],
        ]
        let rollout: JSONValue = [
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": ["name": "shop"],
            "spec": [
                "replicas": 1, "selector": ["matchLabels": ["app": "shop"]], "template": template,
                "strategy": ["canary": ["steps": [["setWeight": 50], ["pause": [:]]]]],
            ],
        ]
        return ManifestBundle(rollout: rollout, related: [])
    }

    private func rows(_ owner: PostgresConfiguration) async throws -> [String] {
        let connection = try await PostgresConnection.connect(owner)
        var rows: [String] = []
        for table in ["audit_entry", "rollout_summary", "release"] {
            rows += try await connection.query(
                "SELECT row_to_json(t)::text FROM views.\(identifier: table) t ORDER BY 1"
            ).map { try $0.get(0, as: String.self) }
        }
        await connection.close()
        return rows
    }

    @Test func `every batch size gives the same rows`() async throws {
        try await withLedger { store, owner in
            try await tell(store)
            var first: [String]?
            for size in [1, 2, 3, 5, 7, 1000] {
                for projector in Projector.all(store: store, logger: silent) {
                    try await projector.reset()
                    try await projector.catchUp(batchSize: size)
                }
                let made = try await rows(owner)
                #expect(made.count > 20)
                if first == nil { first = made }
                #expect(made == first, "batches of \(size)")
            }
        }
    }

    @Test func `what was projected is not projected again`() async throws {
        try await withLedger { store, owner in
            try await tell(store)
            for projector in Projector.all(store: store, logger: silent) { try await projector.catchUp() }
            let before = try await rows(owner)
            for projector in Projector.all(store: store, logger: silent) { try await projector.catchUp() }
            #expect(try await rows(owner) == before)
        }
    }

    @Test func `read models made anew are the same; after a row is altered by hand they are not`() async throws {
        try await withLedger { store, owner in
            try await tell(store)
            let good = try await ReadModelCheck.run(store: store, logger: silent)
            #expect(good.identical)
            #expect(good.rows > 20)
            let connection = try await PostgresConnection.connect(owner)
            _ = try await connection.query("UPDATE views.audit_entry SET subject = 'mallory' WHERE \"position\" = 3")
            await connection.close()
            let bad = try await ReadModelCheck.run(store: store, logger: silent)
            #expect(!bad.identical)
            #expect(bad.before?.contains("mallory") == true)
            #expect(bad.after?.contains("maria") == true)
            #expect(try await ReadModelCheck.run(store: store, logger: silent).identical)
        }
    }

    @Test func `an event that cannot be read stops its projector alone, and names itself`() async throws {
        try await withLedger { store, _ in
            try await tell(store)
            let stream = StreamName("rollout-default/default/shop")!
            let version = try await store.read(stream, after: .none, limit: 1000).last!.version
            let strange = NewEvent(
                id: Identifier(UUID()), type: "rollout.from-the-future.v9", occurredAt: SampleEvents.noon,
                actor: .controller("test"), causation: nil, correlation: Identifier(UUID()), data: "{}")
            _ = try await store.append(Append(stream: stream, expecting: .exactly(version), events: [strange]))
            let after = try await store.append(SampleEvents.append(to: "other-1", after: 0))
            for projector in Projector.all(store: store, logger: silent) {
                let halt = await #expect(throws: ProjectionHalt.self) { try await projector.catchUp() }
                #expect(halt?.event == strange.id)
                #expect(halt?.position?.next == after.position)
                #expect(await projector.halt == halt)
                #expect(await projector.position.next == halt?.position, "all before it was projected")
                await #expect(throws: ProjectionHalt.self) { try await projector.waitUntil(after.position) }
                #expect(try await projector.lag() == 2)
            }
        }
    }

    @Test func `projectors that run follow the log, also through a reset while it is quiet`() async throws {
        try await withLedger { store, owner in
            let projectors = Projector.all(store: store, logger: silent)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for projector in projectors { group.addTask { try await projector.run() } }
                try await tell(store)
                let head = try await store.head()
                for projector in projectors { try await projector.waitUntil(head) }
                let before = try await rows(owner)
                for projector in projectors { try await projector.reset() }
                for projector in projectors { try await projector.waitUntil(head) }
                #expect(try await rows(owner) == before)
                #expect(try await projectors[0].lag() == 0)
                group.cancelAll()
            }
        }
    }

    @Test func `two sets of projectors on one ledger give the rows of one`() async throws {
        try await withLedger { store, owner in
            let projectors = Projector.all(store: store, logger: silent) + Projector.all(store: store, logger: silent)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for projector in projectors { group.addTask { try await projector.run() } }
                try await tell(store)
                let head = try await store.head()
                for projector in projectors { try await projector.waitUntil(head) }
                group.cancelAll()
            }
            #expect(try await ReadModelCheck.run(store: store, logger: silent).identical)
        }
    }

    @Test func `a checkpoint that names an event of another log stops the projector`() async throws {
        try await withLedger { store, owner in
            try await tell(store)
            for projector in Projector.all(store: store, logger: silent) { try await projector.catchUp() }
            let connection = try await PostgresConnection.connect(owner)
            try await connection.query("UPDATE ledger.checkpoint SET event_id = gen_random_uuid()")
            await connection.close()
            for projector in Projector.all(store: store, logger: silent) {
                await #expect(throws: ProjectionHalt.self) { try await projector.catchUp() }
                try await projector.reset()
                try await projector.catchUp()
            }
            #expect(try await ReadModelCheck.run(store: store, logger: silent).identical)
        }
    }
}

extension GlobalPosition {
    fileprivate var next: GlobalPosition { GlobalPosition(value + 1) }
}
