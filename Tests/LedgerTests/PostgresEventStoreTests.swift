import EventSourcing
import Foundation
import Ledger
import Postgres
import TestKit
import Testing

@Suite(.timeLimit(.minutes(5))) struct PostgresEventStoreTests {
    @Test(arguments: EventStoreContract.clauses)
    func `the PostgreSQL store keeps the contract`(_ clause: EventStoreContract) async throws {
        try await withLedger { store, _ in try await clause.check(store) }
    }

    @Test(arguments: ["event", "stream", "append_batch", "receipt"])
    func `nobody changes or removes what was appended`(_ table: String) async throws {
        try await withLedger { store, owner in
            _ = try await store.append(SampleEvents.append(to: "a-1", after: 0))
            let superuser = try await PostgresConnection.connect(owner)
            let service = try await PostgresConnection.connect(owner.asLedgerService)
            for connection in [superuser, service] {
                for statement in ["DELETE FROM ledger.\(table)", "TRUNCATE ledger.\(table)"] {
                    #expect(await Self.isRefused(statement, by: connection), "\(statement)")
                }
                #expect(await Self.isRefused("UPDATE ledger.event SET data = '{}'", by: connection))
            }
            #expect(try await store.head() == GlobalPosition(1))
            await superuser.close()
            await service.close()
        }
    }

    @Test func `no gap, no repeat and nothing acknowledged is lost while connections are cut`() async throws {
        try await withLedger { store, owner in
            let streams = (0..<5).map { "s-\($0)" }
            let acknowledged = try await Self.writeWhileCut(to: streams, through: store, owner)
            let log = try await store.readAll(
                after: .start, before: nil, filter: EventFilter(), backwards: false, limit: 10_000
            ).whole()
            #expect(acknowledged.count == 160)
            #expect(Set(log.map(\.event.id)) == Set(acknowledged))
            #expect(log.map(\.position.value) == Array(1...Int64(log.count)))
            for stream in streams {
                let versions = log.filter { $0.stream.description == stream }.map(\.version.value)
                #expect(versions == Array(1...Int64(max(1, versions.count))).prefix(versions.count).map { $0 })
            }
            #expect(zip(log, log.dropFirst()).allSatisfy { $0.recordedAt <= $1.recordedAt })
        }
    }

    private static func isRefused(_ statement: String, by connection: PostgresConnection) async -> Bool {
        do {
            _ = try await connection.query(SQL(unsafeRaw: statement))
            return false
        } catch {
            return (error as? PostgresError)?.code == .server
        }
    }

    /// Eight writers, and one who cuts their connections; answers the ids that were acknowledged.
    private static func writeWhileCut(
        to streams: [String], through store: PostgresEventStore, _ owner: PostgresConfiguration
    ) async throws -> [Identifier] {
        try await withThrowingTaskGroup(of: [Identifier].self) { group in
            for writer in 0..<8 {
                group.addTask { try await write(20, to: streams, as: writer, through: store) }
            }
            group.addTask {
                try await cutConnections(owner)
                return []
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }

    private static func cutConnections(_ owner: PostgresConfiguration) async throws {
        let connection = try await PostgresConnection.connect(owner)
        for _ in 0..<15 {
            _ = try await connection.query(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()
                ORDER BY random() LIMIT 1
                """)
            _ = try await connection.query("SELECT pg_sleep(0.02)")
        }
        await connection.close()
    }

    /// Appends `count` events, each until it is acknowledged; answers their ids.
    private static func write(
        _ count: Int, to streams: [String], as writer: Int, through store: PostgresEventStore
    ) async throws -> [Identifier] {
        var written: [Identifier] = []
        for index in 0..<count {
            let stream = streams[(writer + index) % streams.count]
            while true {
                if let ids = try await appended(to: stream, through: store) {
                    written += ids
                    break
                }
            }
        }
        return written
    }

    /// One event after the stream's present end; `nil` if somebody else was first or the ledger was out of reach.
    private static func appended(to stream: String, through store: PostgresEventStore) async throws -> [Identifier]? {
        do {
            let last = try await store.read(StreamName(stream)!, after: .none, limit: 10_000).last?.version ?? .none
            let append = SampleEvents.append(to: stream, after: last.value)
            try await settle(append, through: store)
            return append.events.map(\.id)
        } catch EventStoreFailure.wrongExpectedVersion {
            return nil
        } catch EventStoreFailure.unavailable {
            return nil
        }
    }

    /// An append whose outcome is unknown is sent again, unchanged, until it is known.
    private static func settle(_ append: Append, through store: PostgresEventStore) async throws {
        var isUnknown = false
        while true {
            switch await attempt(append, through: store) {
            case nil: return
            case .outcomeUnknown: isUnknown = true
            case .unavailable where isUnknown: continue
            case .some(let failure): throw failure
            }
        }
    }

    private static func attempt(_ append: Append, through store: PostgresEventStore) async -> EventStoreFailure? {
        do {
            _ = try await store.append(append)
            return nil
        } catch {
            return error
        }
    }
}
