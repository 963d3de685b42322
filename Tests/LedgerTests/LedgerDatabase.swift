import EventSourcing
import Foundation
import Ledger
import Logging
import Postgres
import TestKit

/// A migrated database of its own, and a store on it in the role that the service has.
func withLedger<Value>(
    _ body: (PostgresEventStore, PostgresConfiguration) async throws -> Value
) async throws -> Value {
    try await withTemporaryDatabase { owner in
        _ = try await Migrator(folder: migrationsFolder).migrate(owner)
        let pool = PostgresPool(owner.asLedgerService)
        let store = PostgresEventStore(pool: pool, logger: silent)
        do {
            let value = try await body(store, owner)
            await pool.close()
            return value
        } catch {
            await pool.close()
            throw error
        }
    }
}

/// A store on a private server that survives its own crash, with a superuser's connection to it.
func withDurableLedger(
    _ body: (PostgresEventStore, PostgresConnection, EmbeddedCluster) async throws -> Void
) async throws {
    try await withTemporaryCluster(settings: .init()) { cluster in
        let configuration = try await cluster.start().configuration
        _ = try await Migrator(folder: migrationsFolder).migrate(configuration)
        let owner = try await PostgresConnection.connect(configuration)
        let pool = PostgresPool(configuration.asLedgerService, logger: silent)
        do {
            try await body(PostgresEventStore(pool: pool, logger: silent), owner, cluster)
        } catch {
            await owner.close()
            await pool.close()
            throw error
        }
        await owner.close()
        await pool.close()
    }
}

/// Removes all events after a position, as if they had never been.
func cutShort(
    after last: Int64, _ owner: PostgresConfiguration, disconnecting: Bool = false
) async throws {
    let superuser = try await PostgresConnection.connect(owner)
    try await superuser.script(
        """
        SET session_replication_role = replica;
        DELETE FROM ledger.event WHERE position > \(last);
        DELETE FROM ledger.append_batch WHERE last_position > \(last);
        INSERT INTO ledger.append_batch VALUES (\(last), 1, clock_timestamp(), 1) ON CONFLICT DO NOTHING
        """)
    if disconnecting {
        try await superuser.query(
            """
            SELECT count(pg_terminate_backend(a.pid, 60000))
            FROM pg_stat_activity a
            WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
            """)
    }
    await superuser.close()
}

/// A logger that says nothing.
let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// The repository's migrations.
let migrationsFolder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("migrations").path
