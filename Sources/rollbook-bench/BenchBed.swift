import EventSourcing
import Foundation
import Ledger
import Logging
import Postgres

/// A database that something is measured on, with the ledger's schema in place.
struct BenchBed: Sendable {
    /// How to connect with all rights.
    let owner: PostgresConfiguration
    /// What decides durability and speed, as the server has it.
    let settings: [String: String]
    /// When the first event of a filled log was recorded.
    var start = Instant(microseconds: 0)

    /// A logger that says warnings alone.
    static let logger: Logger = {
        var logger = Logger(label: "bench") { label in StreamLogHandler.standardError(label: label) }
        logger.logLevel = .warning
        return logger
    }()

    /// Gives `body` databases on a server; a private one is stopped and removed afterwards.
    static func with(
        database: String?, directory: String?, migrations: String, _ body: (BenchDatabases) async throws -> Void
    ) async throws {
        if let database {
            let databases = BenchDatabases(PostgresConfiguration(database), migrations: migrations)
            let outcome: Result<Void, any Error>
            do { outcome = .success(try await body(databases)) } catch { outcome = .failure(error) }
            // Not cancelled with what ran: what was made is taken away whatever ended it.
            try await Task { try await databases.drop() }.value
            return try outcome.get()
        }
        let path = directory ?? NSTemporaryDirectory() + "rollbook-bench-\(UUID().uuidString.prefix(8).lowercased())"
        guard !FileManager.default.fileExists(atPath: path) else {
            throw BenchFailure("there is a \(path) already: remove it, or give another --data")
        }
        let cluster = EmbeddedCluster(
            directory: path, settings: EmbeddedCluster.Settings(maximumConnections: 600))
        let outcome: Result<Void, any Error>
        do {
            let running = try await cluster.start()
            outcome = .success(try await body(BenchDatabases(running.configuration, migrations: migrations)))
        } catch { outcome = .failure(error) }
        // Not cancelled with what ran.
        try await Task { try await cluster.stop(mode: .immediate) }.value
        try FileManager.default.removeItem(atPath: path)
        try outcome.get()
    }

    static func prepared(_ owner: PostgresConfiguration, _ migrations: String) async throws -> BenchBed {
        _ = try await Migrator(folder: migrations).migrate(owner)
        let connection = try await PostgresConnection.connect(owner)
        var settings = ["cores": "\(ProcessInfo.processInfo.activeProcessorCount)"]
        for name in [
            "server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size",
            "wal_compression", "data_checksums",
        ] {
            settings[name] = try await connection.query("SELECT current_setting(\(name))").single().get(0)
        }
        await connection.close()
        return BenchBed(owner: owner, settings: settings)
    }

    /// Gives `body` a store on connections as the service has them.
    func withStore<Value>(_ body: (PostgresEventStore) async throws -> Value) async throws -> Value {
        let pool = PostgresPool(
            owner.asLedgerService, options: PoolOptions(maximumConnections: 8), logger: Self.logger)
        let outcome: Result<Value, any Error>
        do {
            outcome = .success(try await body(PostgresEventStore(pool: pool, logger: Self.logger)))
        } catch { outcome = .failure(error) }
        await pool.close()
        return try outcome.get()
    }

    /// A checkpoint, and the partitions as `serve` keeps them: a log that has left the one that appends look into first
    /// is half as fast, and that is not what is measured.
    func settle(_ store: PostgresEventStore) async throws {
        try await PartitionKeeper(store: store, logger: Self.logger).keep()
        try await script("CHECKPOINT")
    }

    /// Runs plain statements with all rights.
    func script(_ text: String) async throws {
        let connection = try await PostgresConnection.connect(owner)
        do {
            _ = try await connection.script(text)
        } catch {
            await connection.close()
            throw error
        }
        await connection.close()
    }

    /// One number that a query with all rights gives.
    func number(_ sql: SQL) async throws -> Double {
        let connection = try await PostgresConnection.connect(owner)
        let outcome: Result<Double, any Error>
        do { outcome = .success(try await connection.query(sql).single().get(0)) } catch { outcome = .failure(error) }
        await connection.close()
        return try outcome.get()
    }
}

/// Why nothing was measured.
struct BenchFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
