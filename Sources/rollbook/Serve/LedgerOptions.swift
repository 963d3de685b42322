import ArgumentParser
import Logging
import Postgres

/// Where the ledger is.
struct LedgerOptions: ParsableArguments {
    @Flag(help: "Start a private PostgreSQL under the data directory, and use it.")
    var embedded = false

    @Option(help: "How to reach PostgreSQL: any libpq connection string or URI (or ROLLBOOK_DATABASE).")
    var database: String?

    @Option(help: "The folder that holds what this instance keeps on this machine.")
    var data = ".rollbook"

    @Option(help: "The folder of the SQL migrations; found beside the program if not given.")
    var migrations: String?

    func validate() throws {
        if embedded, database != nil {
            throw ValidationError("--embedded and --database exclude each other: give one of them")
        }
    }

    /// Opens the way to the ledger's database: starts the private server if that is wanted, and makes the database.
    func open(_ logger: Logger) async throws -> (configuration: PostgresConfiguration, cluster: EmbeddedCluster?) {
        guard embedded else {
            guard let given = database ?? Environment.value("ROLLBOOK_DATABASE") else {
                throw ServeFailure(
                    "no database: give --database URI (or ROLLBOOK_DATABASE), or --embedded for a private PostgreSQL",
                    Exit.badInput)
            }
            let configuration = PostgresConfiguration(given, applicationName: "rollbook")
            try configuration.validate()
            return (configuration, nil)
        }
        let cluster = EmbeddedCluster(directory: DataDirectory(data).postgres)
        let running = try await cluster.start()
        logger.info(
            "postgresql runs",
            metadata: [
                "process.pid": "\(running.processID)", "found": "\(running.wasRunning)", "log": "\(running.logFile)",
                "note": "\(running.note ?? "-")",
            ])
        let server = try await PostgresConnection.connect(running.configuration)
        let exists = try await server.query("SELECT EXISTS (SELECT FROM pg_database WHERE datname = 'rollbook')")
        if try exists.single().get(0, as: Bool.self) == false {
            _ = try await server.query("CREATE DATABASE rollbook")
        }
        await server.close()
        return (running.configuration.database("rollbook"), cluster)
    }

    /// Opens the way to a ledger for who only looks at it, of whichever version.
    ///
    /// - Throws: ``ServeFailure`` if there is none.
    func openMade(_ logger: Logger) async throws -> PostgresConfiguration {
        let (configuration, _) = try await open(logger)
        let connection = try await PostgresConnection.connect(configuration)
        let isMade: Bool
        do {
            isMade = try await connection.query("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'ledger')")
                .single().get(0)
        } catch {
            await connection.close()
            throw error
        }
        await connection.close()
        guard isMade else {
            let place = embedded ? "--embedded --data \(data)" : "--database …"
            throw ServeFailure(
                "there is no ledger there yet: look whether you meant another place, or make one with "
                    + "`rollbook migrate \(place)` or `rollbook serve`")
        }
        return configuration
    }

    /// Opens the way to a ledger whose schema is the one that this program knows.
    ///
    /// Nothing is changed: an instance of another version may be at work there.
    /// - Throws: ``ServeFailure`` if the schema is behind; `MigrationRefusal` if it is ahead, or another one.
    func openMigrated(_ logger: Logger) async throws -> PostgresConfiguration {
        let configuration = try await openMade(logger)
        let pending = try await Migrator(folder: DataDirectory.migrations(migrations)).status(configuration).pending
        if let first = pending.first {
            throw ServeFailure(
                "the ledger's schema lacks \(first.file)\(pending.count > 1 ? " and \(pending.count - 1) more" : ""): end "
                    + "every older `rollbook serve` of it, and run `rollbook migrate`")
        }
        return configuration
    }

    /// Brings the schema up to date, and says what was done.
    func migrate(_ configuration: PostgresConfiguration) async throws -> [Migration] {
        try await Migrator(folder: DataDirectory.migrations(migrations)).migrate(configuration)
    }
}
