public import Logging
import Synchronization

/// A bounded set of connections, lent one at a time in the order of asking.
///
/// There is no background work: connections are opened by callers that need them, checked when they were idle for long,
/// and thrown away when they broke.
public final class PostgresPool: PostgresQueryable {
    typealias Machine = PoolMachine<PostgresConnection, CheckedContinuation<PoolGrant<PostgresConnection>, Never>>

    struct State {
        var machine: Machine
        var nextWaiter: UInt64 = 1
        var closers: [CheckedContinuation<Void, Never>] = []
    }

    /// Where connections go.
    public let configuration: PostgresConfiguration
    /// Limits.
    public let options: PoolOptions
    private let logger: Logger
    private let state: Mutex<State>

    /// Makes a pool; the first connection is opened when one is needed.
    public init(
        _ configuration: PostgresConfiguration, options: PoolOptions = PoolOptions(),
        logger: Logger = Logger(label: "postgres.pool")
    ) {
        self.configuration = configuration
        self.options = options
        self.logger = logger
        state = Mutex(State(machine: Machine(options: options)))
    }

    /// How many connections are lent or being opened, how many lie idle, how many callers wait.
    public var load: (lent: Int, idle: Int, waiting: Int) {
        state.withLock { ($0.machine.lent, $0.machine.idle.count, $0.machine.waiting) }
    }

    /// Lends a connection for the time of `body`.
    ///
    /// A connection that comes back broken or inside a transaction is thrown away.
    ///
    /// - Throws: What `body` throws; ``PostgresError`` `.timeout` when none was free in time, `.connectionFailed`,
    ///   `.poolClosed`, `.cancelled`.
    public func withConnection<Value>(_ body: (PostgresConnection) async throws -> Value) async throws -> Value {
        let pooled = try await acquire()
        do {
            let value = try await body(pooled.connection)
            await giveBack(pooled)
            return value
        } catch {
            await giveBack(pooled)
            throw error
        }
    }

    /// As ``withConnection(_:)``, with all that `body` does on the connection's own thread: no other has to be woken for
    /// each statement and each answer.
    ///
    /// For a body that does one thing after the other; child tasks of it run on that thread too. An actor that calls this
    /// may find itself on that thread until it next waits, so it is not for an actor that much is asked of.
    ///
    /// - Throws: As ``withConnection(_:)``.
    public func onConnection<Value>(_ body: (PostgresConnection) async throws -> Value) async throws -> Value {
        try await withConnection { connection in
            try await withTaskExecutorPreference(connection.taskExecutor) { try await body(connection) }
        }
    }

    /// Runs one statement on any connection.
    ///
    /// - Throws: As ``PostgresConnection/query(_:_:)`` and ``withConnection(_:)``.
    @discardableResult
    public func query(_ sql: SQL, _ options: StatementOptions = .standard) async throws -> PostgresResult {
        try await withConnection { try await $0.query(sql, options) }
    }

    /// Runs `body` in a transaction on any connection.
    ///
    /// - Throws: As ``PostgresConnection/transaction(isolation:readOnly:_:)`` and ``withConnection(_:)``.
    public func transaction<Value>(
        isolation: TransactionIsolation = .readCommitted, readOnly: Bool = false,
        _ body: (PostgresConnection) async throws -> Value
    ) async throws -> Value {
        try await withConnection { try await $0.transaction(isolation: isolation, readOnly: readOnly, body) }
    }

    /// Refuses new callers, and returns when every lent connection is back and closed.
    public func close() async {
        perform(state.withLock { $0.machine.close() })
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state -> Bool in
                if state.machine.lent == 0 { return true }
                state.closers.append(continuation)
                return false
            }
            if isDone { continuation.resume() }
        }
    }

    private func acquire() async throws -> Machine.Pooled {
        let deadline = ContinuousClock.now + options.acquireTimeout
        while true {
            switch try await grant(before: deadline) {
            case .use(let pooled):
                let idle = ContinuousClock.now - pooled.idleSince
                if await pooled.connection.isUsable(), await answers(pooled.connection, idleFor: idle) { return pooled }
                await pooled.connection.close()
                logger.debug("connection replaced", metadata: ["db.backend": "\(pooled.connection.backendProcessID)"])
                perform(state.withLock { $0.machine.lost(attemptFailed: false, at: .now) })
            case .open(let notBefore):
                return try await open(notBefore: notBefore, deadline: deadline)
            case .closed:
                throw PostgresError(.poolClosed, "the connection pool is closed")
            case .gaveUp:
                guard !Task.isCancelled else {
                    throw PostgresError(.cancelled, "the task was cancelled while waiting for a connection")
                }
                throw PostgresError(
                    .timeout,
                    "no connection became free within \(options.acquireTimeout); "
                        + "all \(options.maximumConnections) are in use",
                    retryCanHelp: true)
            }
        }
    }

    /// Waits in line for a grant, until the deadline or cancellation.
    private func grant(before deadline: ContinuousClock.Instant) async throws -> Machine.Grant {
        guard !Task.isCancelled else { return .gaveUp }
        if let grant = state.withLock({ $0.machine.acquire() }) { return grant }
        let id = state.withLock { state -> UInt64 in
            defer { state.nextWaiter += 1 }
            return state.nextWaiter
        }
        return await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await Task.sleep(until: deadline, clock: .continuous)
                } catch {
                    return  // The grant came first.
                }
                self.leave(id)
            }
            let grant = await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let early = state.withLock { state -> Machine.Grant? in
                        // Whoever calls `leave` too early for the line has left one of these two signs.
                        if Task.isCancelled || ContinuousClock.now >= deadline { return .gaveUp }
                        if let grant = state.machine.acquire() { return grant }
                        state.machine.wait(id, continuation)
                        return nil
                    }
                    if let early { continuation.resume(returning: early) }
                }
            } onCancel: {
                leave(id)
            }
            group.cancelAll()
            return grant
        }
    }

    private func leave(_ id: UInt64) {
        state.withLock { $0.machine.leave(id) }?.resume(returning: .gaveUp)
    }

    /// Opens a connection for a slot that is ours, once, after the pause that earlier failures ask for.
    ///
    /// A failure goes to the caller at once: whoever must act while the database is away has to know.
    private func open(
        notBefore: ContinuousClock.Instant?, deadline: ContinuousClock.Instant
    ) async throws -> Machine.Pooled {
        do {
            if let notBefore { try await Task.sleep(until: min(notBefore, deadline), clock: .continuous) }
            let connection = try await PostgresConnection.connect(configuration)
            state.withLock { $0.machine.opened() }
            return Machine.Pooled(connection: connection, opened: .now, idleSince: .now)
        } catch {
            let isFailure = (error as? PostgresError)?.code == .connectionFailed
            perform(state.withLock { $0.machine.lost(attemptFailed: isFailure, at: .now) })
            if error is CancellationError {
                throw PostgresError(.cancelled, "the task was cancelled while waiting to connect")
            }
            logger.debug("connection attempt failed", metadata: ["error": "\(error)"])
            throw error
        }
    }

    private func answers(_ connection: PostgresConnection, idleFor idle: Duration) async -> Bool {
        guard idle > options.validateAfter else { return true }
        do {
            try await connection.script("", .init(timeout: .seconds(5)))
            return true
        } catch {
            logger.debug("idle connection gave no sign of life", metadata: ["error": "\(error)"])
            return false
        }
    }

    private func giveBack(_ pooled: Machine.Pooled) async {
        if await pooled.connection.isUsable() {
            perform(state.withLock { $0.machine.giveBack(pooled, at: .now) })
        } else {
            await pooled.connection.close()
            perform(state.withLock { $0.machine.lost(attemptFailed: false, at: .now) })
        }
    }

    private func perform(_ actions: [Machine.Action]) {
        for action in actions {
            switch action {
            case .resume(let waiter, let grant): waiter.resume(returning: grant)
            case .discard: continue  // Nobody holds it any more, so it closes itself.
            case .drained:
                for closer in state.withLock({ state -> [CheckedContinuation<Void, Never>] in
                    defer { state.closers = [] }
                    return state.closers
                }) { closer.resume() }
            }
        }
    }
}
