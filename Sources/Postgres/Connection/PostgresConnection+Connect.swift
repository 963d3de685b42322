import CLibpq
import Foundation
import Synchronization

extension PostgresConnection {
    /// Opens a connection.
    ///
    /// libpq tries several hosts and addresses in turn, each for `connect_timeout` (10 s unless set). A cancelled caller
    /// returns at once; the attempt then ends by itself on its thread.
    ///
    /// - Throws: ``PostgresError``: `.connectionFailed`, `.invalidConfiguration`, `.cancelled`.
    public static func connect(_ configuration: PostgresConfiguration) async throws -> PostgresConnection {
        let keywords = try ConnectKeywords(configuration)
        let thread = ConnectionThread(name: "pg-connection", attention: configuration.attention)
        let attempt = Attempt()
        let connection = try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                attempt.start(continuation)
                thread.submit {
                    guard attempt.isWanted else { return }
                    attempt.finish(
                        Result {
                            let wire = try Wire.open(keywords, preparedLimit: configuration.preparedStatementLimit)
                            return PostgresConnection(wire: wire, thread: thread)
                        })
                }
            }
        } onCancel: {
            attempt.finish(.failure(PostgresError(.cancelled, "the task was cancelled while connecting")))
        }
        for (name, value) in configuration.sessionSettings.sorted(by: { $0.key < $1.key }) {
            do {
                try await connection.query("SELECT set_config(\(name), \(value), false)")
            } catch var error as PostgresError where error.code == .server {
                error.code = .invalidConfiguration
                error.message = "session setting \"\(name)\" = \"\(value)\": \(error.message)"
                throw error
            }
        }
        return connection
    }
}

/// The outcome of a connection attempt, decided once: by the thread that connects or by cancellation.
private final class Attempt: Sendable {
    private struct State {
        var continuation: CheckedContinuation<PostgresConnection, any Error>?
        var early: Result<PostgresConnection, any Error>?
        var isDecided = false
    }

    private let state = Mutex(State())

    var isWanted: Bool { state.withLock { !$0.isDecided } }

    func start(_ continuation: CheckedContinuation<PostgresConnection, any Error>) {
        let early = state.withLock { state -> Result<PostgresConnection, any Error>? in
            if state.early == nil { state.continuation = continuation }
            return state.early
        }
        if let early { continuation.resume(with: early) }
    }

    func finish(_ outcome: Result<PostgresConnection, any Error>) {
        let waiting = state.withLock { state -> CheckedContinuation<PostgresConnection, any Error>? in
            guard !state.isDecided else { return nil }
            state.isDecided = true
            if state.continuation == nil { state.early = outcome }
            defer { state.continuation = nil }
            return state.continuation
        }
        waiting?.resume(with: outcome)
    }
}

/// The keyword list for libpq: our defaults, then the connection string, then what must win.
struct ConnectKeywords: Sendable {
    let pairs: [(key: String, value: String)]

    init(_ configuration: PostgresConfiguration) throws {
        let given = try configuration.parsed()
        var pairs: [(key: String, value: String)] = []
        let environment = ProcessInfo.processInfo.environment
        // A service file only fills what is not set, so beside one we set no defaults of our own.
        if given["service"] == nil, environment["PGSERVICE"] == nil {
            if environment["PGCONNECT_TIMEOUT"] == nil { pairs.append(("connect_timeout", "10")) }
            // A peer that vanished is noticed within about half a minute.
            pairs += [
                ("keepalives_idle", "15"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
                ("tcp_user_timeout", "30000"),
            ]
        }
        pairs.append(("fallback_application_name", configuration.applicationName))
        pairs.append(("dbname", configuration.connectionString))
        pairs += configuration.overrides.map { ($0.key, $0.value) }.sorted { $0.0 < $1.0 }
        pairs.append(("client_encoding", "UTF8"))
        // In the first "dbname", libpq expands a connection string; ours must look like one even when it is empty.
        self.pairs = pairs.filter { $0.key != "dbname" || !$0.value.isEmpty }
    }
}

extension Wire {
    /// Connects, blocking this thread.
    static func open(_ keywords: ConnectKeywords, preparedLimit: Int) throws -> sending Wire {
        let keys = keywords.pairs.map { strdup($0.key) } + [nil]
        let values = keywords.pairs.map { strdup($0.value) } + [nil]
        defer { for pointer in keys + values { free(pointer) } }
        guard
            let connection = PQconnectdbParams(
                keys.map { $0.map { UnsafePointer($0) } }, values.map { $0.map { UnsafePointer($0) } }, 1)
        else { throw PostgresError(.connectionFailed, "out of memory") }
        guard PQstatus(connection) == CONNECTION_OK else {
            let words = PQerrorMessage(connection).map { String(cString: $0).trimmed } ?? ""
            PQfinish(connection)
            throw PostgresError(.connectionFailed, words, retryCanHelp: true)
        }
        let wake = clibpq_wake_create()
        guard wake >= 0, PQsetnonblocking(connection, 1) == 0 else {
            PQfinish(connection)
            throw PostgresError(.connectionFailed, "cannot set the connection up: errno \(errno)", retryCanHelp: true)
        }
        let notices = NoticeBox()
        notices.receive(from: connection)
        return Wire(connection: connection, wake: wake, notices: notices, preparedLimit: preparedLimit)
    }

    /// Ends the conversation; libpq frees its memory when this object goes.
    func hangUp() {
        let socket = PQsocket(connection)
        if socket >= 0 {
            _ = PQflush(connection)
            shutdown(socket, Int32(SHUT_RDWR))
        }
    }
}
