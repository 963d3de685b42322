import Delivery
import EventSourcing
import Foundation
import Postgres
import Synchronization
import TestKit
import Testing

@testable import Ledger

/// Read models made anew beside the live ones.
@Suite(.timeLimit(.minutes(5))) struct RebuildTests {
    private func rebuildAll(_ store: PostgresEventStore) async throws {
        for name in Rebuild.names {
            _ = try await #require(Rebuild(name, store: store, logger: silent)).run { _ in }
        }
    }

    private func catchUpAll(_ store: PostgresEventStore) async throws {
        for projector in Projector.all(store: store, logger: silent) { try await projector.catchUp() }
    }

    @Test func `what came before is read in as many pieces as it takes`() async throws {
        try await withLedger { store, owner in
            var teller = RolloutTales.Teller("long", store)
            try await teller.order(
                .apply(
                    RolloutTales.bundle("long"), source: ManifestSource(kind: .cli), warnings: [],
                    newRelease: Identifier(UUID())))
            for number in 2...6 {
                if number == 6 { try await catchUpAll(store) }
                try await teller.seePods()
                try await teller.order(.setImages(["app": "shop:\(number)"], newRelease: Identifier(UUID())))
                try await teller.order(.abort(reason: String(repeating: "odd ", count: 10_000)))
            }
            // It takes two of those reasons at once, and knows nothing of the stream yet.
            let projector = Projector(RolloutRows(mostBytes: 100_000), store: store, logger: silent)
            #expect(try await projector.catchUp() == store.head())
            #expect(try await ReadModelCheck.run(store: store, logger: silent).identical)
        }
    }

    @Test func `a rebuild gives the rows that projecting gave, and leaves nothing beside them`() async throws {
        try await withLedger { store, owner in
            for name in ["one", "two", "three"] { try await RolloutTales.tell(name, store) }
            try await catchUpAll(store)
            let before = try await RolloutTales.rows(owner)
            for _ in 1...2 {
                try await rebuildAll(store)
                #expect(try await RolloutTales.rows(owner) == before)
            }
            let tables = try await store.pool.query(
                "SELECT tablename::text FROM pg_tables WHERE schemaname = 'views' ORDER BY 1"
            ).map { try $0.get(0, as: String.self) }
            #expect(
                tables == [
                    "audit_entry_3", "audit_word_3", "projection", "rebuild", "rebuild_fold", "release_3",
                    "rollout_snapshot", "rollout_summary_3",
                ])
            let indexes = try await store.pool.query(
                "SELECT indexname::text FROM pg_indexes WHERE schemaname = 'views' AND tablename = 'audit_entry_3' "
                    + "ORDER BY 1"
            ).map { try $0.get(0, as: String.self) }
            #expect(
                indexes == [
                    "audit_entry_3_actor", "audit_entry_3_correlation", "audit_entry_3_event", "audit_entry_3_pkey",
                    "audit_entry_3_stream", "audit_entry_3_type",
                ])
            #expect(try await store.pool.query("SELECT FROM views.rebuild").isEmpty)
            try await RolloutTales.tell("four", store)
            try await catchUpAll(store)
            #expect(try await ReadModelCheck.run(store: store, logger: silent).identical)
        }
    }

    @Test func `an empty log is made anew as nothing`() async throws {
        try await withLedger { store, owner in
            try await rebuildAll(store)
            #expect(try await RolloutTales.rows(owner).isEmpty)
            try await RolloutTales.tell("shop", store)
            try await catchUpAll(store)
            #expect(try await ReadModelCheck.run(store: store, logger: silent).identical)
        }
    }

    @Test func `there is no rebuild of an unknown name`() async throws {
        try await withLedger { store, _ in
            #expect(Rebuild("audit", store: store, logger: silent) == nil)
        }
    }

    @Test func `readers never see an empty or mixed view while events come in and views are turned over`()
        async throws
    {
        try await withLedger { store, owner in
            try await RolloutTales.tell("first", store)
            try await catchUpAll(store)
            let isOver = Flag()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for projector in Projector.all(store: store, logger: silent) {
                    group.addTask { try await projector.run() }
                }
                let readers = 3
                for _ in 0..<readers {
                    group.addTask { try await Self.read(store) { isOver.isSet } }
                }
                for name in ["two", "three", "four"] {
                    try await RolloutTales.tell(name, store)
                    try await rebuildAll(store)
                }
                isOver.set()
                for _ in 0..<readers { try await group.next() }
                group.cancelAll()
            }
            try await catchUpAll(store)
            #expect(try await ReadModelCheck.run(store: store, logger: silent).identical)
        }
    }

    /// Looks again and again whether rows and checkpoint belong together, and never go back.
    private static func read(_ store: PostgresEventStore, until isOver: () -> Bool) async throws {
        var last = (entries: Int64(0), releases: Int64(0))
        while !isOver() {
            let row = try await store.pool.query(
                """
                SELECT (SELECT count(*) FROM views.audit_entry), (SELECT max(position) FROM views.audit_entry),
                       (SELECT position FROM ledger.checkpoint WHERE projection = 'audit-entry'),
                       (SELECT count(*) FROM views.release),
                       (SELECT max(position) <= (SELECT position FROM ledger.checkpoint WHERE projection = 'rollout')
                        FROM views.rollout_summary)
                """
            ).single()
            let entries = try row.get(0, as: Int64.self)
            let (newest, place) = (try row.get(1, as: Int64.self), try row.get(2, as: Int64.self))
            #expect(entries == newest && entries == place)
            let isReflected = try row.get(4, as: Bool?.self)
            #expect(isReflected == true)
            let releases = try row.get(3, as: Int64.self)
            #expect(entries >= last.entries && releases >= last.releases)
            last = (entries, releases)
        }
    }

    @Test func `of two rebuilds at once one runs; the other says so or comes after it`() async throws {
        try await withLedger { store, _ in
            try await RolloutTales.tell("shop", store)
            try await catchUpAll(store)
            let done = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        do {
                            _ = try await Rebuild(RolloutRows(), store: store, logger: silent).run { _ in }
                            return true
                        } catch is RebuildFailure { return false }
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(done.contains(true))
            #expect(try await ReadModelCheck.run(store: store, logger: silent).identical)
        }
    }

    @Test func `a rebuild that was ended goes on from what it had kept`() async throws {
        try await withLedger { store, owner in
            for name in ["one", "two", "three", "four", "five", "six"] { try await RolloutTales.tell(name, store) }
            try await catchUpAll(store)
            let before = try await RolloutTales.rows(owner)
            let head = try await store.head()
            // Small steps, each kept, so that there is something to be ended between.
            let model = RolloutRows(savingEvery: 1, mostInStep: 10)
            var starts: [GlobalPosition] = []
            while true {
                let seen = Seen(endAt: 3)
                let run = Task {
                    try await Rebuild(model, store: store, logger: silent).run { progress in
                        if progress.stage == .filling { seen.add(progress.position) }
                    }
                }
                seen.end { run.cancel() }
                let outcome = await run.result
                if let first = seen.first { starts.append(first) }
                if case .success = outcome { break }
                if !seen.isEnded { _ = try outcome.get() }
                try #require(starts.count < 50)
            }
            #expect(starts.count > 2)
            #expect(starts == starts.sorted() && starts.last! > starts.first!)
            #expect(starts.last! <= head)
            #expect(try await RolloutTales.rows(owner) == before)
        }
    }

    @Test func `more rollouts than fit are made in several passes, with the same rows`() async throws {
        try await withLedger { store, owner in
            for name in ["one", "two", "three", "four", "five"] { try await RolloutTales.tell(name, store) }
            try await catchUpAll(store)
            let before = try await RolloutTales.rows(owner)
            for size in 1...5 {
                let model = RolloutRows(savingEvery: 7, streamsInPass: size, mostInStep: 13)
                _ = try await Rebuild(model, store: store, logger: silent).run { _ in }
                #expect(try await RolloutTales.rows(owner) == before, "\(size) in a pass")
            }
        }
    }

    @Test func `an event that cannot be read ends a rebuild, is named, and leaves the live rows as they are`()
        async throws
    {
        try await withLedger { store, owner in
            try await RolloutTales.tell("shop", store)
            try await catchUpAll(store)
            let before = try await RolloutTales.rows(owner)
            let strange = NewEvent(
                id: SampleEvents.id(), type: "rollout.from-the-future.v9", occurredAt: SampleEvents.noon,
                actor: .controller("test"), causation: nil, correlation: SampleEvents.id(), data: "{}")
            let stream = StreamName("rollout-default/default/new")!
            let at = try await store.append(Append(stream: stream, expecting: .exactly(.none), events: [strange]))
            for name in Rebuild.names {
                let rebuild = try #require(Rebuild(name, store: store, logger: silent))
                let halt = await #expect(throws: ProjectionHalt.self) { try await rebuild.run { _ in } }
                #expect(halt?.event == strange.id)
                #expect(halt?.position == at.position)
                #expect(halt?.type == strange.type)
            }
            #expect(try await RolloutTales.rows(owner) == before)
        }
    }

    @Test func `a projector that another build's rows are older than makes them anew beside the old ones`()
        async throws
    {
        try await withLedger { store, owner in
            try await RolloutTales.tell("shop", store)
            try await catchUpAll(store)
            let before = try await RolloutTales.rows(owner)
            let connection = try await PostgresConnection.connect(owner)
            try await connection.query("UPDATE ledger.checkpoint SET version = version - 1 WHERE version > 0")
            try await connection.query("UPDATE views.rollout_summary SET phase = 'Old'")
            await connection.close()
            try await catchUpAll(store)
            #expect(try await RolloutTales.rows(owner) == before)
        }
    }

    @Test func `projectors whose connections are cut at any moment come to the right rows`() async throws {
        try await withLedger { store, owner in
            for name in ["one", "two", "three", "four"] { try await RolloutTales.tell(name, store) }
            let connection = try await PostgresConnection.connect(owner)
            let head = try await store.head()
            var cuts = 0
            let projectors = Projector.all(store: store, logger: silent)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for projector in projectors {
                    group.addTask {
                        while await projector.position < head {
                            do { try await projector.catchUp(batchSize: 2) } catch is PostgresError {
                                continue
                            } catch is EventStoreFailure {
                                continue
                            }
                        }
                    }
                }
                while cuts < 60 {
                    _ = try await connection.query(
                        """
                        SELECT pg_terminate_backend(pid)
                        FROM pg_stat_activity
                        WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
                        """)
                    cuts += 1
                }
                try await group.waitForAll()
            }
            await connection.close()
            #expect(try await ReadModelCheck.run(store: store, logger: silent).identical)
        }
    }
}

/// Something that has come true.
private final class Flag: Sendable {
    private let state = Mutex(false)
    var isSet: Bool { state.withLock { $0 } }
    func set() { state.withLock { $0 = true } }
}

/// Positions that a rebuild has come to, and what is done at the last one.
private final class Seen: Sendable {
    private struct State {
        var positions: [GlobalPosition] = []
        var end: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())
    private let limit: Int

    init(endAt limit: Int) { self.limit = limit }

    /// Whether the last position was seen.
    var isEnded: Bool { state.withLock { $0.positions.count >= limit } }

    var first: GlobalPosition? { state.withLock { $0.positions.first } }

    func add(_ position: GlobalPosition) {
        let end = state.withLock { state in
            state.positions.append(position)
            return state.positions.count >= limit ? state.end : nil
        }
        end?()
    }

    /// Calls `body` at the last position, or at once if that was seen already.
    func end(_ body: @escaping @Sendable () -> Void) {
        let isDue = state.withLock { state in
            state.end = body
            return state.positions.count >= limit
        }
        if isDue { body() }
    }
}
