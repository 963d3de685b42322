import EventSourcing
import Foundation
import Ledger
import Postgres
import TestKit
import Testing
import Transparency

/// What the ledger promises while its synchronous replica is away: commits are made, and their replies wait.
@Suite(.timeLimit(.minutes(5))) struct StandbyFaultTests {
    @Test(arguments: ["pg_terminate_backend", "pg_cancel_backend"], [true, false])
    func `an append cut between commit and reply is unknown, also when it is repeated, until it is durable`(
        _ cut: String, isExpecting: Bool
    ) async throws {
        try await withDurableLedger { store, owner, _ in
            _ = try await store.append(SampleEvents.append(to: "a-1"))
            try await Self.missStandby(owner)
            let command = SampleEvents.id()
            let append = SampleEvents.append(
                2, to: "a-1", after: isExpecting ? 1 : nil, command: isExpecting ? nil : command)
            // The first one is made. The repeats find it, but no standby has it: they must not answer for it either.
            for _ in 0..<3 {
                async let answer = Self.attempt(append, through: store)
                try await Self.cut("ledger.append", owner, by: cut)
                let answered = await answer
                guard case .failure(.outcomeUnknown) = answered else {
                    Issue.record("\(answered)")
                    return
                }
            }
            if !isExpecting {
                async let receipt = Self.receipt(for: command, through: store)
                try await Self.cut("ledger.receipt", owner, by: cut)
                let found = await receipt
                guard case .failure(.unavailable) = found else {
                    Issue.record("\(found)")
                    return
                }
            }
            try await Self.needNoStandby(owner)
            let again = try await store.append(append)
            #expect(again.isDuplicate)
            #expect(again.version.value == 3)
            #expect(again.position.value == 3)
            #expect(try await store.everything().count == 3)
        }
    }

    @Test func `an append that is not answered for is heard of here without waiting for the next look`() async throws {
        try await withDurableLedger { other, owner, _ in
            // One that would look by itself only when this test is long over.
            let store = PostgresEventStore(pool: other.pool, patience: .seconds(3600), logger: silent)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await store.run() }
                _ = try await store.append(SampleEvents.append(to: "a-1"))
                var followed = store.follow(after: .start, batchSize: 10).makeAsyncIterator()
                #expect(try await followed.next()?.map(\.position.value) == [1])
                try await Self.appendUnanswered(SampleEvents.append(to: "a-1", after: 1), through: store, owner)
                #expect(try await followed.next()?.map(\.position.value) == [2])
                try await Self.needNoStandby(owner)
                group.cancelAll()
            }
        }
    }

    @Test func `an import answers for nothing that no replica has, also when a batch is repeated`() async throws {
        try await withDurableLedger { store, owner, _ in
            let file = try await withLedger { source, _ in
                _ = try await source.append(SampleEvents.append(5, to: "a-1"))
                return try await LineFile(exporting: source)
            }
            // So that the names are known.
            let begin = try file.cut(lines: 2)
            #expect(try await LedgerImport(store: store, logger: silent).run(begin.path).appended == 2)
            // And that there is room, for which an import would see first.
            try await owner.query("SELECT ledger.prepare_partitions()")
            try await Self.missStandby(owner)
            // The first attempt is made, and the others find it; then the file has nothing that is not there.
            for _ in 0..<2 {
                let outcome = try await Self.cuttingEach(owner) {
                    try await LedgerImport(store: store, logger: silent).run(file.path)
                }
                guard case .failure(let error as PostgresError) = outcome else {
                    Issue.record("\(outcome)")
                    return
                }
                #expect(error.code == .durabilityUnknown)
                #expect(try await store.everything().count == 5)
            }
            try await Self.needNoStandby(owner)
            let report = try await LedgerImport(store: store, logger: silent).run(file.path)
            #expect(report.known == 5)
            #expect(report.appended == 0)
        }
    }

    @Test func `a sealer signs nothing that no replica has`() async throws {
        try await withDurableLedger { store, owner, _ in
            let file = NSTemporaryDirectory() + "last-tree-head-\(UUID().uuidString)"
            let sealer = Sealer(
                store: store, signer: SigningKey(generatedFor: "example.com/log")!,
                settings: .init(interval: .milliseconds(1), lastHeadFile: file), logger: silent)
            _ = try await store.append(SampleEvents.append(to: "a-1"))
            #expect(try await sealer.seal() == 1)
            let last = FileManager.default.contents(atPath: file)
            try await Self.appendUnanswered(SampleEvents.append(to: "a-1", after: 1), through: store, owner)
            // Everybody sees the event now, and no replica has it.
            #expect(try await store.everything().count == 2)
            async let sealed = sealer.seal()
            try await Self.cut("pg_logical_emit_message", owner, by: "pg_cancel_backend")
            do {
                let count = try await sealed
                Issue.record("\(count) events were sealed")
            } catch let error as PostgresError {
                #expect(error.code == .durabilityUnknown)
            }
            #expect(FileManager.default.contents(atPath: file) == last)
            try await Self.needNoStandby(owner)
            #expect(try await sealer.seal() == 1)
            try FileManager.default.removeItem(atPath: file)
        }
    }

    /// Makes an append that no replica has and that is not answered for; from here on a standby is missing.
    private static func appendUnanswered(
        _ append: Append, through store: PostgresEventStore, _ owner: PostgresConnection
    ) async throws {
        try await missStandby(owner)
        async let answer = attempt(append, through: store)
        try await cut("ledger.append", owner, by: "pg_cancel_backend")
        let isUnknown = if case .failure(.outcomeUnknown) = await answer { true } else { false }
        try #require(isUnknown, "the append was acknowledged")
    }

    /// Runs `body`, and cuts each of its waits for a standby.
    private static func cuttingEach<Value: Sendable>(
        _ owner: PostgresConnection, _ body: @Sendable @escaping () async throws -> Value
    ) async throws -> Result<Value, any Error> {
        let over = Over()
        async let outcome: Result<Value, any Error> = {
            let outcome: Result<Value, any Error>
            do { outcome = .success(try await body()) } catch { outcome = .failure(error) }
            await over.say()
            return outcome
        }()
        let isOver = try await eventually {
            try await owner.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
            return await over.isSaid
        }
        #expect(isOver)
        if !isOver { try await needNoStandby(owner) }
        return await outcome
    }

    private actor Over {
        private(set) var isSaid = false
        func say() { isSaid = true }
    }

    /// Makes commits wait for a standby that does not exist.
    private static func missStandby(_ owner: PostgresConnection) async throws {
        try await owner.query("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        try await owner.query("SELECT pg_reload_conf()")
        // The checkpointer tells the sessions, in its own time.
        let isWaiting = try await eventually { try await waitsForStandby(owner) }
        #expect(isWaiting)
    }

    private static func needNoStandby(_ owner: PostgresConnection) async throws {
        try await owner.query("ALTER SYSTEM RESET synchronous_standby_names")
        try await owner.query("SELECT pg_reload_conf()")
    }

    private static func attempt(
        _ append: Append, through store: PostgresEventStore
    ) async -> Result<Appended, EventStoreFailure> {
        do { return .success(try await store.append(append)) } catch { return .failure(error) }
    }

    private static func receipt(
        for command: Identifier, through store: PostgresEventStore
    ) async -> Result<Appended?, EventStoreFailure> {
        do {
            return .success(try await store.receipt(for: command, fingerprint: nil, on: SampleEvents.stream("a-1")))
        } catch {
            return .failure(error)
        }
    }

    /// Cuts the one session that waits for a standby with such a statement, once there is one.
    private static func cut(_ words: String, _ owner: PostgresConnection, by cut: String) async throws {
        let isCut = try await eventually {
            try await owner.query(
                """
                SELECT \(unsafeRaw: cut)(pid)
                FROM pg_stat_activity
                WHERE wait_event = 'SyncRep' AND query LIKE \("%\(words)%")
                """
            ).count == 1
        }
        #expect(isCut, "no \(words) waits for a standby")
        // Whoever is waited for would wait without end.
        if !isCut { try await needNoStandby(owner) }
    }

    /// Whether a commit waits for a standby: a small one that is not given long.
    private static func waitsForStandby(_ connection: PostgresConnection) async throws -> Bool {
        do {
            try await connection.query(
                "SELECT pg_logical_emit_message(true, 'probe', '')", .timeout(.milliseconds(100)))
            return false
        } catch let error as PostgresError where error.code == .durabilityUnknown {
            return true
        } catch let error as PostgresError where error.code == .timeout {
            return false  // It had not come to its commit yet: the caller asks again.
        }
    }
}
