import Delivery
import EventSourcing
import Foundation
import Postgres
import Synchronization
import TestKit
import Testing

@testable import Ledger

@Suite(.timeLimit(.minutes(5))) struct ProjectorTests {
    @Test func `every batch size gives the same rows`() async throws {
        try await withLedger { store, owner in
            try await RolloutTales.tell("shop", store)
            // More than is asked for as a row.
            try await RolloutTales.tell("long", reason: String(repeating: "odd ", count: 20_000), store)
            var first: [String]?
            for size in [1, 2, 3, 5, 7, 1000] {
                for projector in Projector.all(store: store, logger: silent) {
                    try await projector.reset()
                    try await projector.catchUp(batchSize: size)
                }
                let made = try await RolloutTales.rows(owner)
                #expect(made.count > 20)
                if first == nil { first = made }
                #expect(made == first, "batches of \(size)")
            }
        }
    }

    @Test func `what was projected is not projected again`() async throws {
        try await withLedger { store, owner in
            try await RolloutTales.tell("shop", store)
            for projector in Projector.all(store: store, logger: silent) { try await projector.catchUp() }
            let before = try await RolloutTales.rows(owner)
            for projector in Projector.all(store: store, logger: silent) { try await projector.catchUp() }
            #expect(try await RolloutTales.rows(owner) == before)
        }
    }

    @Test func `read models made anew are the same; after a row is altered by hand they are not`() async throws {
        try await withLedger { store, owner in
            try await RolloutTales.tell("shop", store)
            let good = try await ReadModelCheck.run(store: store, logger: silent)
            #expect(good.identical)
            #expect(good.rows > 20)
            let connection = try await PostgresConnection.connect(owner)
            _ = try await connection.query("UPDATE views.audit_entry SET reason = 'mallory' WHERE \"position\" = 3")
            await connection.close()
            let bad = try await ReadModelCheck.run(store: store, logger: silent)
            #expect(!bad.identical)
            #expect(bad.before?.contains("mallory") == true)
            #expect(bad.after?.contains("\"position\":3,") == true)
            #expect(bad.after?.contains("mallory") == false)
            #expect(try await ReadModelCheck.run(store: store, logger: silent).identical)
        }
    }

    @Test func `an event that cannot be read stops its projector alone, and names itself`() async throws {
        try await withLedger { store, _ in
            try await RolloutTales.tell("shop", store)
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

    @Test func `a reason of any length, and numbers of any size, are taken`() async throws {
        try await withLedger { store, _ in
            let words = (0..<200_000).map { "w\($0)" }.joined(separator: " ")
            try await RolloutTales.tell("shop", reason: words, store)
            var far = SampleEvents.append(to: "other-1")
            far.events = [SampleEvents.event(data: #"{"reason":"far","x":1e400000}"#)]
            _ = try await store.append(far)
            for projector in Projector.all(store: store, logger: silent) { try await projector.catchUp() }
            let trail = LedgerAuditTrail(store)
            let long = try await trail.page(AuditQuery(text: "w17"))
            #expect(long.entries.map(\.reason) == [words])
            let found = try await trail.page(AuditQuery(text: "far"))
            #expect(found.entries.map(\.id) == far.events.map(\.id))
        }
    }

    @Test(arguments: ["'{'", "repeat('[', 200000) || repeat(']', 200000)", #"'{"reason":"\u0000"}'"#])
    func `an event whose payload the server cannot read is named`(_ data: String) async throws {
        try await withLedger { store, owner in
            for name in ["one", "two", "three"] { try await RolloutTales.tell(name, store) }
            let log = try await store.everything()
            let bad = try #require(log.dropFirst(log.count / 2).first { $0.event.type == "rollout.aborted.v1" })
            let superuser = try await PostgresConnection.connect(owner)
            try await superuser.script(
                """
                SET session_replication_role = replica;
                UPDATE ledger.event SET data = \(data) WHERE position = \(bad.position.value)
                """)
            await superuser.close()
            let projector = try #require(Projector.all(store: store, logger: silent).first)
            let halt = await #expect(throws: ProjectionHalt.self) { try await projector.catchUp() }
            #expect(halt?.event == bad.event.id)
            #expect(halt?.position == bad.position)
            #expect(await projector.position.next == bad.position)
            let again = await #expect(throws: ProjectionHalt.self) {
                _ = try await Rebuild("audit-entry", store: store, logger: silent)?.run { _ in }
            }
            #expect(again?.event == bad.event.id)
        }
    }

    @Test func `a projector that was stopped in the middle of a transaction does not keep the others`() async throws {
        try await withLedger { store, owner in
            let configuration = owner.asLedgerService
            #expect(configuration.sessionSettings["idle_in_transaction_session_timeout"] == "10s")
            try await RolloutTales.tell("shop", store)
            var impatient = configuration
            impatient.sessionSettings["idle_in_transaction_session_timeout"] = "300ms"
            let stopped = try await PostgresConnection.connect(impatient)
            try await stopped.script("BEGIN; SELECT views.begin_batch('rollout', 1, 1, 0, 1)")
            for projector in Projector.all(store: store, logger: silent) { try await projector.catchUp() }
            #expect(try await ReadModelCheck.run(store: store, logger: silent).identical)
            do {
                try await stopped.script("COMMIT")
                Issue.record("it was not ended")
            } catch let error as PostgresError {
                #expect(error.sqlState == .idleInTransactionSessionTimeout)
                #expect(error.code == .connectionLost)
            }
            await stopped.close()
        }
    }

    @Test func `projectors that run follow the log, also through a reset while it is quiet`() async throws {
        try await withLedger { store, owner in
            let projectors = Projector.all(store: store, logger: silent)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for projector in projectors { group.addTask { try await projector.run() } }
                try await RolloutTales.tell("shop", store)
                let head = try await store.head()
                for projector in projectors { try await projector.waitUntil(head) }
                let before = try await RolloutTales.rows(owner)
                for projector in projectors { try await projector.reset() }
                for projector in projectors { try await projector.waitUntil(head) }
                #expect(try await RolloutTales.rows(owner) == before)
                #expect(try await projectors[0].lag() == 0)
                group.cancelAll()
            }
        }
    }

    @Test(arguments: [(1, 1), (3, 2), (1000, 3), (7, 1000)])
    func `a range that is written part by part gives the same rows`(events: Int, rollouts: Int) async throws {
        try await withLedger { store, _ in
            for name in ["a", "b", "c", "d"] { try await RolloutTales.tell(name, store) }
            let model = RolloutRows(atOnce: (events, rollouts))
            let projector = Projector(model, store: store, logger: silent)
            #expect(try await projector.catchUp() == store.head())
            try await Projector(AuditEntries(), store: store, logger: silent).catchUp()
            #expect(try await ReadModelCheck.run(store: store, logger: silent).identical)
        }
    }

    @Test func `who has more to do than is done at once asks before each part whether appends go first`() async throws {
        try await withLedger { store, owner in
            for name in ["a", "b", "c", "d"] { try await RolloutTales.tell(name, store) }
            let range = PositionRange(after: .start, through: try await store.head())
            let connection = try await PostgresConnection.connect(owner)
            for (events, rollouts, asked) in [
                (range.count, 4, 0), (range.count, 1, 4), (range.count - 1, 4, 3), (range.count - 1, 1, 6),
            ] {
                let looks = Mutex(0)
                let courtesy = Courtesy {
                    looks.withLock { $0 += 1 }
                    return AppendLoad()
                }
                var model = RolloutRows(atOnce: (events, rollouts))
                let opened = try await connection.pipeline(model.opening(range, into: 1))
                _ = try await model.project(range, opened, nil, into: 1, through: connection, courtesy)
                #expect(looks.withLock { $0 } == asked, "\(range.count) events, \(events) and \(rollouts) at once")
            }
            await connection.close()
        }
    }

    @Test func `two sets of projectors on one ledger give the rows of one`() async throws {
        try await withLedger { store, owner in
            let projectors = Projector.all(store: store, logger: silent) + Projector.all(store: store, logger: silent)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for projector in projectors { group.addTask { try await projector.run() } }
                try await RolloutTales.tell("shop", store)
                let head = try await store.head()
                for projector in projectors { try await projector.waitUntil(head) }
                group.cancelAll()
            }
            #expect(try await ReadModelCheck.run(store: store, logger: silent).identical)
        }
    }

    @Test(arguments: [
        // A few are not kept from being projected soon; nor are they if they took long, because something held them up.
        (20, 5, 5), (5, 20, 5), (100, 100, 10), (400, 5, 5),
        // Many gather for three times as long, and none waits for more than 700 ms, unless two transactions take as long.
        (20, 1000, 60), (80, 3000, 240), (100, 5000, 300), (200, 5000, 300), (300, 8000, 100), (400, 5000, 5),
    ])
    func `events gather the longer the more there were, and not for a transaction that was held up`(
        took: Int, events: Int, gathering: Int
    ) {
        #expect(Projector.gathering(after: .milliseconds(took), for: events) == .milliseconds(gathering))
    }

    @Test func `a checkpoint that names an event of another log stops the projector`() async throws {
        try await withLedger { store, owner in
            try await RolloutTales.tell("shop", store)
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
