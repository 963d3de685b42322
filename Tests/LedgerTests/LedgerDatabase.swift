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

/// A logger that says nothing.
let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// The repository's migrations.
let migrationsFolder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("migrations").path
