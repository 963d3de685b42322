import CLibpq

/// One connection to a server, run by a thread of its own.
///
/// Its calls suspend the caller and block nobody but that thread. Statements of several tasks on one connection run one
/// after the other; a transaction belongs to whoever holds the connection, so share a ``PostgresPool``, not this.
public actor PostgresConnection: PostgresQueryable {
    let wire: Wire
    private let thread: ConnectionThread
    nonisolated let interrupter: Interrupter
    /// The server's process id for this connection, as in `pg_stat_activity.pid`.
    public nonisolated let backendProcessID: Int32
    /// The server's version, such as 150018 for 15.18.
    public nonisolated let serverVersion: Int
    /// Runs what is no call of this actor on its thread too.
    nonisolated var taskExecutor: any TaskExecutor { thread.forTasks }
    /// The thread that this actor runs on.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    init(wire: sending Wire, thread: ConnectionThread) {
        backendProcessID = PQbackendPID(wire.connection)
        serverVersion = Int(PQserverVersion(wire.connection))
        interrupter = wire.interrupter
        self.thread = thread
        self.wire = wire
    }

    /// Runs one statement and gives all its rows.
    ///
    /// - Throws: ``PostgresError``: `.server` with its SQLSTATE, `.connectionLost` (the outcome is unknown once the
    ///   statement was sent), `.timeout`, `.cancelled`, `.durabilityUnknown`, `.invalidParameter`, `.invalidUse`.
    @discardableResult
    public func query(_ sql: SQL, _ options: StatementOptions = .standard) async throws -> PostgresResult {
        let id = interrupter.mint()
        return try await interruptible(id, options) { wire in try wire.query(sql, options, id: id) }
    }

    /// Runs several statements without parameters, separated by semicolons; one transaction unless they say otherwise.
    ///
    /// - Returns: The last statement's result; its values are in text form and cannot be decoded.
    /// - Throws: As ``query(_:_:)``.
    @discardableResult
    public func script(_ text: String, _ options: StatementOptions = .standard) async throws -> PostgresResult {
        let id = interrupter.mint()
        return try await interruptible(id, options) { wire in try wire.script(text, options, id: id) }
    }

    /// Whether the connection is open and outside any transaction, after a look at the socket.
    public func isUsable() -> Bool {
        wire.occupation == nil && wire.isIdle && wire.isAliveAfterLook()
    }

    /// Closes the connection; statements after this are refused.
    public func close() {
        wire.abandoned = wire.abandoned ?? "the connection was closed"
        wire.hangUp()
    }

    var isAlive: Bool { wire.isAlive }
    var isInTransaction: Bool { !wire.isIdle }

    /// Runs blocking work on this thread; a cancelled task cancels statement `id` if its options allow.
    func interruptible<Value: Sendable>(
        _ id: UInt64, _ options: StatementOptions, _ body: (Wire) throws -> Value
    ) async throws -> Value {
        guard options.isCancellable else { return try body(wire) }
        let interrupter = interrupter
        return try await withTaskCancellationHandler {
            try body(wire)
        } onCancel: {
            interrupter.cancel(id, .cancelled)
        }
    }
}

/// What can run a statement: a connection, or a pool that lends one for it.
public protocol PostgresQueryable: Sendable {
    /// Runs one statement and gives all its rows.
    @discardableResult
    func query(_ sql: SQL, _ options: StatementOptions) async throws -> PostgresResult
}

extension PostgresQueryable {
    /// Runs one statement with the usual options and gives all its rows.
    @discardableResult
    public func query(_ sql: SQL) async throws -> PostgresResult { try await query(sql, .standard) }
}
