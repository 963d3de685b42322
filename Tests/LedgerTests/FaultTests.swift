import EventSourcing
import Foundation
import Ledger
import Postgres
import TestKit
import Testing

/// What the ledger promises when connections are cut and the server falls.
@Suite(.timeLimit(.minutes(5))) struct FaultTests {
    @Test func `eight instances, cut connections: what was acknowledged is there, followers see it once and in order`()
        async throws
    {
        try await withLedger { first, owner in
            let pools = (0..<8).map { _ in
                PostgresPool(owner.asLedgerService, options: PoolOptions(maximumConnections: 2), logger: silent)
            }
            let stores = pools.map { PostgresEventStore(pool: $0, logger: silent) }
            let acknowledged = try await withThrowingTaskGroup(of: [Identifier].self) { group in
                for (index, store) in stores.enumerated() {
                    group.addTask { try await Self.write(12, startingAt: index, through: store) }
                }
                group.addTask { try await Self.cut(20, owner) }
                for store in stores.prefix(3) { group.addTask { try await Self.watch(store, until: 97) } }
                var written: [Identifier] = []
                // The followers go on until the last event, which comes when writers and cutter are done.
                for _ in 0..<9 { written += try await group.next() ?? [] }
                _ = try await first.append(SampleEvents.append(to: "end-1"))
                for try await none in group { written += none }
                return written
            }
            let log = try await first.everything()
            #expect(acknowledged.count == 96)
            #expect(Set(log.dropLast().map(\.event.id)) == Set(acknowledged))
            #expect(log.map(\.position.value) == Array(1...97))
            for (_, events) in Dictionary(grouping: log, by: \.stream) {
                #expect(events.map(\.version.value) == Array(1...Int64(events.count)))
            }
            for pool in pools { await pool.close() }
        }
    }

    @Test func `who holds the append lock and waits for his client is ended, and the next append goes on`() async throws
    {
        try await withLedger { store, owner in
            _ = try await store.append(SampleEvents.append(to: "a-1"))
            // As a client that was stopped between a statement and its Sync leaves its session.
            let stopped = try await PostgresConnection.connect(owner)
            try await stopped.script("BEGIN; LOCK TABLE ledger.append_lock IN EXCLUSIVE MODE")
            let appended = try await store.append(SampleEvents.append(to: "a-1", after: 1))
            #expect(appended.position.value == 2)
            #expect(store.appendLoad.stalls == 1)
            await #expect(throws: PostgresError.self) { try await stopped.script("COMMIT") }
        }
    }

    @Test func `what finds too many appends in line, or too much, is turned away, and counted`() async throws {
        try await withLedger { store, owner in
            _ = try await store.append(SampleEvents.append(to: "a-1"))
            try await Self.press(store, owner, AppendLoad.mostWaiting + 2000, data: #"{"n":1}"#, prefix: "many")
            let large = String(repeating: "x", count: (4 << 20) - 100)
            try await Self.press(store, owner, 24, data: #"{"pad":"\#(large)"}"#, prefix: "large")
        }
    }

    /// What came of an append under pressure.
    private enum Pressed: Sendable {
        case kept(Identifier)
        case turnedAway(Identifier)
        /// It was sent, and given up while the lock was held.
        case givenUp
    }

    /// Sends appends while somebody who is at work holds the append lock, until some are turned away, and lets the rest go on.
    private static func press(
        _ store: PostgresEventStore, _ owner: PostgresConfiguration, _ count: Int, data: String, prefix: String
    ) async throws {
        let before = store.appendLoad.turnedAway
        let superuser = try await PostgresConnection.connect(owner)
        let holder = try await PostgresConnection.connect(owner)
        let pid = holder.backendProcessID
        let outcomes = try await withThrowingTaskGroup(of: Pressed?.self) { group in
            group.addTask {
                // Ended from below.
                do {
                    try await holder.script(
                        "BEGIN; LOCK TABLE ledger.append_lock IN EXCLUSIVE MODE; SELECT pg_sleep(600)")
                } catch is PostgresError { return nil }
                return nil
            }
            let isHeld = try await eventually {
                try await superuser.query(
                    """
                    SELECT EXISTS (
                        SELECT FROM pg_locks
                        WHERE relation = 'ledger.append_lock'::regclass AND granted AND pid = \(pid))
                    """
                ).single().get(0, as: Bool.self)
            }
            #expect(isHeld)
            for number in 0..<count {
                group.addTask { await outcome(of: number, data, prefix, store) }
            }
            let wasFull = try await eventually {
                let load = store.appendLoad
                guard load.waiting <= AppendLoad.mostWaiting, load.waitingBytes <= AppendLoad.mostWaitingBytes else {
                    Issue.record("\(load)")
                    return true
                }
                return load.turnedAway > before
            }
            #expect(wasFull)
            _ = try await superuser.query("SELECT pg_terminate_backend(\(pid))")
            var outcomes: [Pressed] = []
            for try await outcome in group {
                if let outcome { outcomes.append(outcome) }
            }
            return outcomes
        }
        await holder.close()
        await superuser.close()
        var (kept, turnedAway): (Set<Identifier>, Set<Identifier>) = ([], [])
        for outcome in outcomes {
            switch outcome {
            case .kept(let id): kept.insert(id)
            case .turnedAway(let id): turnedAway.insert(id)
            case .givenUp: break
            }
        }
        let load = store.appendLoad
        #expect(Int64(turnedAway.count) == load.turnedAway - before)
        #expect(!kept.isEmpty)
        #expect(load.waiting == 0)
        #expect(load.waitingBytes == 0)
        #expect(load.inFlight == 0)
        let log = Set(try await store.pool.query("SELECT event_id FROM ledger.event").map { Identifier(try $0.get(0)) })
        #expect(log.isSuperset(of: kept))
        #expect(log.isDisjoint(with: turnedAway))
    }

    private static func outcome(
        of number: Int, _ data: String, _ prefix: String, _ store: PostgresEventStore
    ) async -> Pressed {
        let event = SampleEvents.event(data: data)
        let append = Append(
            stream: SampleEvents.stream("\(prefix)-\(number % 1000)"), expecting: .any, events: [event],
            command: SampleEvents.id())
        do throws(EventStoreFailure) {
            _ = try await store.append(append)
            return .kept(event.id)
        } catch {
            guard case .unavailable(let why) = error, why.contains("wait for the ledger already") else {
                return .givenUp
            }
            return .turnedAway(event.id)
        }
    }

    @Test func `a follower goes on across a crash of the server, and misses and repeats nothing`() async throws {
        try await withDurableLedger { store, _, cluster in
            try await withThrowingTaskGroup(of: [Identifier].self) { group in
                group.addTask { try await Self.watch(store, until: 20) }
                group.addTask {
                    var written = try await Self.write(10, startingAt: 0, through: store)
                    try await cluster.stop(mode: .immediate)
                    async let late = Self.write(10, startingAt: 0, through: store)
                    _ = try await cluster.start()
                    written += try await late
                    return written
                }
                let written = try await group.reduce(into: []) { $0 += $1 }
                let log = try await store.everything()
                #expect(Set(log.map(\.event.id)) == Set(written))
            }
        }
    }

    @Test func `another instance's appends are heard of without waiting for the next look`() async throws {
        try await withLedger { near, owner in
            let pool = PostgresPool(owner.asLedgerService, logger: silent)
            // One that would look by itself only when this test is long over.
            let far = PostgresEventStore(pool: pool, patience: .seconds(3600), logger: silent)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await far.run() }
                var version: Int64 = 0
                _ = try await near.append(SampleEvents.append(to: "a-1"))
                for try await batch in far.follow(after: .start, batchSize: 10) {
                    version = batch.last?.version.value ?? version
                    if version == 12 { break }
                    _ = try await near.append(SampleEvents.append(to: "a-1", after: version))
                }
                group.cancelAll()
            }
            await pool.close()
        }
    }

    /// Follows from the start until `last`; nothing may be missed, repeated or out of order.
    private static func watch(_ store: PostgresEventStore, until last: Int64) async throws -> [Identifier] {
        var seen: [Int64] = []
        for try await batch in store.follow(after: .start, batchSize: 7) {
            seen += batch.map(\.position.value)
            if seen.last ?? 0 >= last { break }
        }
        #expect(seen == Array(1...last))
        return []
    }

    /// Appends `count` events to five streams in turn, each until it is acknowledged; answers their ids.
    private static func write(
        _ count: Int, startingAt first: Int, through store: PostgresEventStore
    ) async throws -> [Identifier] {
        var written: [Identifier] = []
        while written.count < count {
            let stream = SampleEvents.stream("s-\((first + written.count) % 5)")
            guard let version = await version(of: stream, in: store) else { continue }
            let append = SampleEvents.append(to: stream.description, after: version.value)
            if try await isMade(append, through: store) { written += append.events.map(\.id) }
        }
        return written
    }

    /// Appends; an append whose outcome is unknown is sent again as it was, until it is known.
    private static func isMade(_ append: Append, through store: PostgresEventStore) async throws -> Bool {
        var isUnknown = false
        while true {
            switch await attempt(append, through: store) {
            case .success: return true
            case .failure(.outcomeUnknown): isUnknown = true
            case .failure(.unavailable) where isUnknown: continue
            case .failure(.unavailable), .failure(.wrongExpectedVersion): return false
            case .failure(let failure): throw failure
            }
        }
    }

    /// The stream's version; nil while the ledger cannot be read.
    private static func version(of stream: StreamName, in store: PostgresEventStore) async -> StreamVersion? {
        do {
            return try await store.read(stream, after: .none, limit: 1000).last?.version ?? StreamVersion.none
        } catch {
            return nil
        }
    }

    private static func attempt(
        _ append: Append, through store: PostgresEventStore
    ) async -> Result<Appended, EventStoreFailure> {
        do { return .success(try await store.append(append)) } catch { return .failure(error) }
    }

    /// Cuts connections of the database at random.
    private static func cut(_ times: Int, _ owner: PostgresConfiguration) async throws -> [Identifier] {
        let connection = try await PostgresConnection.connect(owner)
        for _ in 0..<times {
            try await connection.query(
                """
                SELECT pg_terminate_backend(pid)
                FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()
                ORDER BY random()
                LIMIT 1
                """)
            try await connection.query("SELECT pg_sleep(0.02)")
        }
        await connection.close()
        return []
    }
}
