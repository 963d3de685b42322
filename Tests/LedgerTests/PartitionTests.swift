import EventSourcing
import Logging
import Postgres
import TestKit
import Testing

@testable import Ledger

/// The log in pieces: nobody who appends or reads notices where one ends and the next begins.
@Suite(.timeLimit(.minutes(5))) struct PartitionTests {
    @Test func `appends cross partitions without a gap, rolled over in time or late`() async throws {
        try await withSmallPartitions { store, _ in
            let keeper = PartitionKeeper(store: store, logger: silent)
            var versions: [StreamName: Int64] = [:]
            for round in 0..<60 {
                // Every stream is last seen in another partition: the newest, the one before, or long ago.
                for name in ["often", "seldom", "once"]
                where name == "often" || (name == "seldom" && round % 9 == 0) || round == 0 || round == 59 {
                    let stream = SampleEvents.stream("\(name)-1")
                    let append = SampleEvents.append(
                        1 + round % 3, to: stream.description, after: versions[stream] ?? 0)
                    let appended = try await store.append(append)
                    #expect(appended.version.value == (versions[stream] ?? 0) + Int64(append.events.count))
                    let repeated = try await store.append(append)
                    #expect(repeated.isDuplicate)
                    #expect(repeated.position == appended.position)
                    versions[stream] = appended.version.value
                }
                if round % 4 == 3 { try await keeper.keep() }
            }
            let log = try await store.everything()
            #expect(log.map(\.position.value) == Array(1...Int64(log.count)))
            for (stream, version) in versions {
                #expect(log.filter { $0.stream == stream }.map(\.version.value) == Array(1...version))
                #expect(try await store.read(stream, after: .none, limit: 1000) == log.filter { $0.stream == stream })
                let stale = Append(
                    stream: stream, expecting: .exactly(StreamVersion(version - 1)),
                    events: [SampleEvents.event()])
                await #expect(
                    throws: EventStoreFailure.wrongExpectedVersion(
                        stream: stream, expected: StreamVersion(version - 1), actual: StreamVersion(version))
                ) { try await store.append(stale) }
            }
        }
    }

    @Test func `partitions are vacuumed slowly, and frozen by that`() async throws {
        try await withSmallPartitions { store, owner in
            try await PartitionKeeper(store: store, logger: silent).keep()
            let connection = try await PostgresConnection.connect(owner)
            #expect(try await connection.query(Self.vacuumedOtherwise).single().get(0, as: Int64.self) == 0)
            await connection.close()
        }
    }

    /// How many partitions autovacuum treats like other tables.
    static let vacuumedOtherwise: SQL = """
        SELECT count(*)
        FROM ledger.event_partition p
        JOIN pg_class c ON c.oid = ('ledger.' || p.table_name)::regclass
        LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
        WHERE c.reloptions IS NULL OR t.reloptions IS DISTINCT FROM c.reloptions
            OR NOT c.reloptions @> '{autovacuum_vacuum_cost_delay=20,autovacuum_freeze_min_age=0}'
        """

    @Test func `partitions are made while a reader keeps a transaction open, and appends do not wait for him`()
        async throws
    {
        try await withSmallPartitions { store, owner in
            _ = try await store.append(SampleEvents.append(3, to: "a-1"))
            let reader = try await PostgresConnection.connect(owner)
            try await reader.script("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM ledger.event")
            let keeper = PartitionKeeper(store: store, logger: silent)
            var (made, rolled) = (0, 0)
            for version in 0..<12 {
                _ = try await store.append(SampleEvents.append(7, to: "b-1", after: Int64(version) * 7))
                let done = try await keeper.keep()
                made += done.made
                rolled += done.hasRolledOver ? 1 : 0
            }
            #expect(made >= 4)
            #expect(rolled >= 4)
            // The reader still sees what stood there when he began, and his transaction never ended.
            let seen = try await reader.query("SELECT count(*) FROM ledger.event").single().get(0, as: Int.self)
            #expect(seen == 3)
            await reader.close()
            #expect(try await store.head().value == 87)
        }
    }

    @Test func `appends do not wait while somebody keeps open what they are to leave behind`() async throws {
        try await withSmallPartitions { store, owner in
            let keeper = PartitionKeeper(store: store, logger: silent)
            _ = try await store.append(SampleEvents.append(16, to: "a-1"))
            let reader = try await PostgresConnection.connect(owner)
            try await reader.script("BEGIN; SELECT count(*) FROM ledger.current_event")
            let late = try await keeper.keep()
            #expect(late.isLate && !late.hasRolledOver)
            async let kept = keeper.keep()
            let appended = try await store.append(SampleEvents.append(to: "a-1", after: 16))
            #expect(appended.position.value == 17)
            #expect(try await kept.isLate)
            #expect(store.appendLoad.stalls == 0)
            try await reader.script("COMMIT")
            #expect(try await keeper.keep().hasRolledOver)
            await reader.close()
        }
    }

    @Test func `an append without room says so, changes nothing, and goes on once there is some`() async throws {
        try await withSmallPartitions { store, _ in
            let keeper = PartitionKeeper(store: store, logger: silent)
            var version: Int64 = 0
            var failure: EventStoreFailure?
            while failure == nil, version < 200 {
                do throws(EventStoreFailure) {
                    version = try await store.append(SampleEvents.append(5, to: "a-1", after: version)).version.value
                } catch { failure = error }
            }
            // It passes by itself.
            guard case .unavailable? = failure else {
                Issue.record("\(String(describing: failure))")
                return
            }
            #expect(try await store.head().value == version)
            try await keeper.keep()
            let next = try await store.append(SampleEvents.append(5, to: "a-1", after: version))
            #expect(next.version.value == version + 5)
        }
    }

    @Test func `a partition refuses changes as the log does`() async throws {
        try await withSmallPartitions { store, owner in
            _ = try await store.append(SampleEvents.append(3, to: "a-1"))
            let superuser = try await PostgresConnection.connect(owner)
            let tables = try await superuser.query("SELECT table_name FROM ledger.event_partition").map {
                try $0.get(0, as: String.self)
            }
            #expect(tables.count >= 2)
            for table in tables {
                for verb in [
                    "UPDATE ledger.\(table) SET epoch = 9", "DELETE FROM ledger.\(table)", "TRUNCATE ledger.\(table)",
                ] {
                    await #expect(throws: PostgresError.self) { try await superuser.query(SQL(unsafeRaw: verb)) }
                }
            }
            await superuser.close()
        }
    }
}

/// A ledger whose next partitions hold sixteen events each.
func withSmallPartitions(
    _ body: (PostgresEventStore, PostgresConfiguration) async throws -> Void
) async throws {
    try await withLedger { store, owner in
        let connection = try await PostgresConnection.connect(owner)
        try await connection.script(smallPartitions)
        await connection.close()
        try await body(store, owner)
    }
}
