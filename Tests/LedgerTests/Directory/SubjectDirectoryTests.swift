import EventSourcing
import Ledger
import Postgres
import TestKit
import Testing

/// Persons can be forgotten, and the log stays what it was.
@Suite(.timeLimit(.minutes(5))) struct SubjectDirectoryTests {
    private let maria = "01a20b64-2cd8-737d-b266-b34d340dc3be"
    private let details = ["name": "Maria Müller", "mail": "maria@example.com"]

    @Test func `details are kept sealed, read, and changed field by field`() async throws {
        try await withLedger { store, _ in
            let directory = SubjectDirectory(store: store)
            #expect(try await directory.details(of: maria) == nil)
            try await directory.describe(maria, details)
            try await directory.describe(maria, ["mail": "mm@example.com"])
            #expect(try await directory.details(of: maria) == ["name": "Maria Müller", "mail": "mm@example.com"])
            let rows = try await store.pool.query("SELECT sealed FROM ledger.subject_detail").map {
                String(decoding: try $0.get(0, as: [UInt8].self), as: UTF8.self)
            }
            #expect(rows.count == 2)
            #expect(rows.allSatisfy { !$0.contains("Maria") && !$0.contains("example.com") })
        }
    }

    @Test func `after an erasure nothing is left but the event that says so, and every proof holds`() async throws {
        try await withProofs { ledger in
            let directory = SubjectDirectory(store: ledger.store)
            try await directory.describe(maria, details)
            try await directory.describe("other", ["name": "Otto"])
            let by = SampleEvents.event(by: maria)
            _ = try await ledger.store.append(
                Append(stream: SampleEvents.stream("a-1"), expecting: .exactly(.none), events: [by]))
            try await ledger.sealAll()
            let head = try await ledger.head()

            let order = SampleEvents.id()
            func erase(_ order: Identifier) async throws -> Appended {
                try await directory.erase(
                    maria, reason: "asked for it", order: order, at: SampleEvents.noon, by: by.actor)
            }
            let first = try await erase(order)
            #expect(!first.isDuplicate)
            #expect(try await erase(order).position == first.position)
            #expect(try await erase(SampleEvents.id()).position == first.position, "another order changes nothing")
            #expect(try await directory.details(of: maria) == nil)
            #expect(
                try await ledger.value("SELECT count(*) FROM ledger.subject_detail WHERE subject = '\(maria)'") == "0")
            #expect(try await ledger.value("SELECT key IS NULL FROM ledger.subject WHERE name = '\(maria)'") == "true")
            #expect(try await directory.details(of: "other") == ["name": "Otto"])
            await #expect(throws: SubjectDirectory.Failure.erased(subject: maria)) {
                try await directory.describe(maria, details)
            }
            let said = try await ledger.store.read(SampleEvents.stream("ledger"), after: .none, limit: 10)
            #expect(said.map(\.event.type) == [SubjectDirectory.wireName])
            #expect(said.first?.event.data == #"{"reason":"asked for it","subject":"\#(maria)"}"#)
            try await ledger.sealAll()
            #expect(try await ledger.verify(against: [head]).intact)
        }
    }

    @Test func `a key that an older transaction keeps on disk is told of, and is gone once that has ended`()
        async throws
    {
        try await withProofs { ledger in
            let directory = SubjectDirectory(store: ledger.store)
            let owning = PostgresPool(ledger.owner, logger: silent)
            let owners = SubjectDirectory(store: PostgresEventStore(pool: owning, logger: silent))
            try await directory.describe(maria, details)
            let superuser = try await PostgresConnection.connect(ledger.owner)
            let key: [UInt8] = try await superuser.query("SELECT key FROM ledger.subject WHERE name = \(maria)")
                .single()
                .get(0)
            func isOnDisk() async throws -> Bool {
                try await superuser.query("CHECKPOINT")
                return try await superuser.query(
                    "SELECT position(\(key) IN pg_read_binary_file(pg_relation_filepath('ledger.subject'))) > 0"
                ).single().get(0)
            }
            #expect(try await isOnDisk())
            // One that has read nothing of the directory.
            let reader = try await PostgresConnection.connect(ledger.owner)
            try await reader.script("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class")
            let pid: Int32 = try await reader.query("SELECT pg_backend_pid()").single().get(0)
            _ = try await directory.erase(
                maria, reason: "asked for it", order: SampleEvents.id(), at: SampleEvents.noon,
                by: SampleEvents.event().actor)
            let holders = try await owners.purge(patience: .zero)
            #expect(holders.contains { $0.kind == .session && $0.name == "\(pid)" }, "\(holders)")
            #expect(holders.first?.description.contains("pg_terminate_backend") == true)
            #expect(try await isOnDisk(), "which is what is told")
            try await reader.script("COMMIT")
            // One that has the table itself, and no snapshot.
            try await reader.script("BEGIN; SELECT count(*) FROM ledger.subject")
            #expect(try await owners.purge(patience: .zero).map(\.name).contains("\(pid)"))
            #expect(try await isOnDisk())
            await reader.close()
            #expect(try await owners.purge(patience: .seconds(60)) == [])
            #expect(try await !isOnDisk())
            await superuser.close()
            await owning.close()
        }
    }

    @Test func `a prepared transaction that keeps a key is named too`() async throws {
        try await withTemporaryCluster(settings: .init(isDurable: false, extra: ["max_prepared_transactions": "2"])) {
            cluster in
            let configuration = try await cluster.start().configuration
            _ = try await Migrator(folder: migrationsFolder).migrate(configuration)
            let pool = PostgresPool(configuration, logger: silent)
            let directory = SubjectDirectory(store: PostgresEventStore(pool: pool, logger: silent))
            try await directory.describe(maria, details)
            let other = try await PostgresConnection.connect(configuration)
            try await other.script("BEGIN; CREATE TABLE left_behind (); PREPARE TRANSACTION 'left'")
            _ = try await directory.erase(
                maria, reason: "asked for it", order: SampleEvents.id(), at: SampleEvents.noon,
                by: SampleEvents.event().actor)
            let holders = try await directory.purge(patience: .zero)
            #expect(holders.contains { $0.kind == .preparedTransaction && $0.name == "left" }, "\(holders)")
            try await other.query("ROLLBACK PREPARED 'left'")
            await other.close()
            let left = try await directory.purge(patience: .seconds(60))
            #expect(left == [])
            await pool.close()
        }
    }

    @Test func `a transaction of another database that has written keeps a key too`() async throws {
        try await withTemporaryCluster(settings: .init(isDurable: false)) { cluster in
            let configuration = try await cluster.start().configuration
            _ = try await Migrator(folder: migrationsFolder).migrate(configuration)
            let pool = PostgresPool(configuration, logger: silent)
            let directory = SubjectDirectory(store: PostgresEventStore(pool: pool, logger: silent))
            try await directory.describe(maria, details)
            let key: [UInt8] = try await pool.query("SELECT key FROM ledger.subject WHERE name = \(maria)").single()
                .get(0)
            func isOnDisk() async throws -> Bool {
                try await pool.query("CHECKPOINT")
                return try await pool.query(
                    "SELECT position(\(key) IN pg_read_binary_file(pg_relation_filepath('ledger.subject'))) > 0"
                ).single().get(0)
            }
            try await pool.query("CREATE DATABASE elsewhere")
            let other = try await PostgresConnection.connect(configuration.database("elsewhere"))
            try await other.script("BEGIN; CREATE TABLE x ()")
            _ = try await directory.erase(
                maria, reason: "asked for it", order: SampleEvents.id(), at: SampleEvents.noon,
                by: SampleEvents.event().actor)
            let holders = try await directory.purge(patience: .zero)
            #expect(holders.map(\.name) == ["\(other.backendProcessID)"])
            #expect(try await isOnDisk(), "which is what is told")
            try await other.script("COMMIT")
            await other.close()
            #expect(try await directory.purge(patience: .seconds(60)) == [])
            #expect(try await !isOnDisk())
            await pool.close()
        }
    }

    @Test func `a sealed field that was changed, or moved to another subject, is not read`() async throws {
        try await withProofs { ledger in
            let directory = SubjectDirectory(store: ledger.store)
            try await directory.describe(maria, details)
            try await directory.describe("other", details)
            try await ledger.damage(
                "UPDATE ledger.subject SET key = (SELECT key FROM ledger.subject WHERE name = '\(maria)') WHERE name = 'other'; "
                    + "UPDATE ledger.subject_detail d SET sealed = o.sealed FROM ledger.subject_detail o "
                    + "WHERE d.subject = 'other' AND o.subject = '\(maria)' AND o.field = d.field")
            await #expect(throws: SubjectDirectory.Failure.self) { try await directory.details(of: "other") }
            #expect(try await directory.details(of: maria) == details)
        }
    }

    @Test func `a subject that nobody ever was is not erased`() async throws {
        try await withProofs { ledger in
            let directory = SubjectDirectory(store: ledger.store)
            func erase(_ subject: String) async throws {
                try await directory.erase(
                    subject, reason: "asked for it", order: SampleEvents.id(), at: SampleEvents.noon,
                    by: .controller("test"))
            }
            try await ledger.append(2)
            try await directory.describe(maria, details)
            await #expect(throws: SubjectDirectory.Failure.unknown(subject: "mria")) { try await erase("mria") }
            #expect(try await ledger.store.head() == GlobalPosition(2))
            #expect(try await ledger.value("SELECT count(*) FROM ledger.subject") == "1")
            // One of the directory, one that events name, one for whom they were made.
            for subject in [maria, "person-1", "team"] { try await erase(subject) }
            #expect(try await ledger.store.head() == GlobalPosition(5))
        }
    }

    @Test func `what cannot be kept is refused by field`() async throws {
        try await withLedger { store, _ in
            let directory = SubjectDirectory(store: store)
            for (subject, given) in [
                ("", details), (maria, ["": "x"]), (maria, ["name": String(repeating: "x", count: 5000)]),
            ] {
                await #expect(throws: SubjectDirectory.Failure.self) { try await directory.describe(subject, given) }
            }
            await #expect(throws: SubjectDirectory.Failure.self) {
                try await directory.erase(
                    maria, reason: "", order: SampleEvents.id(), at: SampleEvents.noon, by: SampleEvents.event().actor)
            }
            let known = try await directory.details(of: maria)
            #expect(known == nil)
        }
    }
}
