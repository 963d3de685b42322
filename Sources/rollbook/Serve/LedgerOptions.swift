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
                    "no database: give --database URI (or ROLLBOOK_DATABASE), or --embedded for a private PostgreSQL")
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

    /// Brings the schema up to date, and says what was done.
    func migrate(_ configuration: PostgresConfiguration) async throws -> [Migration] {
        try await Migrator(folder: DataDirectory.migrations(migrations)).migrate(configuration)
    }
}
