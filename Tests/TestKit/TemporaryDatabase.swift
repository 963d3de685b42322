import Foundation
public import Postgres

/// Gives `body` an empty database of its own on a private server, and removes the database afterwards.
///
/// The server is started at the first call in a test process, shared by all tests of it, not durable, and removed when
/// the process ends.
public func withTemporaryDatabase<Value>(
    _ body: (PostgresConfiguration) async throws -> Value
) async throws -> Value {
    let server = try await TemporaryServer.shared.configuration()
    let name = "test_\(UUID().uuidString.lowercased().filter { $0 != "-" })"
    try await administer(server, "CREATE DATABASE \(identifier: name)")
    let outcome: Result<Value, any Error>
    do {
        outcome = .success(try await body(server.database(name)))
    } catch {
        outcome = .failure(error)
    }
    try await administer(server, "DROP DATABASE IF EXISTS \(identifier: name) WITH (FORCE)")
    return try outcome.get()
}

/// Gives `body` a pool on an empty database of its own.
public func withTemporaryPool<Value>(
    connections: Int = 8, _ body: (PostgresPool) async throws -> Value
) async throws -> Value {
    try await withTemporaryDatabase { configuration in
        let pool = PostgresPool(configuration, options: PoolOptions(maximumConnections: connections))
        do {
            let value = try await body(pool)
            await pool.close()
            return value
        } catch {
            await pool.close()
            throw error
        }
    }
}

/// Gives `body` a private cluster of its own, stopped, with its directory removed afterwards.
public func withTemporaryCluster<Value>(
    settings: EmbeddedCluster.Settings = .init(isDurable: false),
    _ body: (EmbeddedCluster) async throws -> Value
) async throws -> Value {
    let directory = "/tmp/rbt-\(UUID().uuidString.prefix(8).lowercased())"
    let cluster = EmbeddedCluster(directory: directory, settings: settings)
    let outcome: Result<Value, any Error>
    do {
        outcome = .success(try await body(cluster))
    } catch {
        outcome = .failure(error)
    }
    try await cluster.stop(mode: .immediate)
    if FileManager.default.fileExists(atPath: directory) { try FileManager.default.removeItem(atPath: directory) }
    return try outcome.get()
}

/// Uses one connection for one statement that databases are made and dropped with.
private func administer(_ server: PostgresConfiguration, _ statement: SQL) async throws {
    let connection = try await PostgresConnection.connect(server)
    try await connection.query(statement, StatementOptions(isCancellable: false, isPrepared: false))
    await connection.close()
}

/// The server of this test process.
private actor TemporaryServer {
    static let shared = TemporaryServer()

    private var starting: Task<PostgresConfiguration, any Error>?

    func configuration() async throws -> PostgresConfiguration {
        if let starting { return try await starting.value }
        // Awaited here by everyone who asks, so that a cancelled first test does not take the server from the others.
        let task = Task {
            let directory = "/tmp/rbt-\(UUID().uuidString.prefix(8).lowercased())"
            let cluster = EmbeddedCluster(
                directory: directory, settings: .init(isDurable: false, maximumConnections: 400))
            let running = try await cluster.start()
            try ServerToStop.note(processID: running.processID, directory: directory)
            return running.configuration
        }
        starting = task
        return try await task.value
    }
}

/// Stops the shared server when the test process ends, however it ends: a watcher shell waits for that.
private enum ServerToStop {
    static func note(processID: Int32, directory: String) throws {
        let watcher = Process()
        watcher.executableURL = URL(fileURLWithPath: "/bin/sh")
        watcher.arguments = [
            "-c",
            "trap '' INT TERM HUP; tail --pid=\(getpid()) -f /dev/null; kill -QUIT \(processID); "
                + "tail --pid=\(processID) -f /dev/null; rm -rf '\(directory)'",
        ]
        watcher.standardInput = FileHandle.nullDevice
        watcher.standardOutput = FileHandle.nullDevice
        watcher.standardError = FileHandle.nullDevice
        try watcher.run()
    }
}
