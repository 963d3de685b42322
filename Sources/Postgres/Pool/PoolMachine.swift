/// What a caller of a pool is given.
enum PoolGrant<Connection> {
    /// A connection with what the pool knows of it.
    struct Pooled {
        let connection: Connection
        let opened: ContinuousClock.Instant
        var idleSince: ContinuousClock.Instant
    }

    /// Use this one, after a check if it was idle for long.
    case use(Pooled)
    /// Open one, but not before that time.
    case open(notBefore: ContinuousClock.Instant?)
    /// The pool is closed.
    case closed
    /// The caller was cancelled or waited too long.
    case gaveUp
}

extension PoolGrant: Sendable where Connection: Sendable {}
extension PoolGrant.Pooled: Sendable where Connection: Sendable {}

/// The rules of a pool as a value: who gets which connection.
///
/// Knows no clock, no sockets, no tasks.
///
/// A slot is in one of three states: idle (in `idle`), lent, or being opened by the caller that was told to open it.
/// `lent` counts the last two.
struct PoolMachine<Connection, Waiter> {
    typealias Instant = ContinuousClock.Instant

    typealias Grant = PoolGrant<Connection>
    typealias Pooled = Grant.Pooled

    /// What is to be done after a change.
    enum Action {
        case resume(Waiter, Grant)
        case discard(Connection)
        case drained
    }

    let options: PoolOptions
    private(set) var idle: [Pooled] = []
    private(set) var lent = 0
    private var waiters: [(id: UInt64, waiter: Waiter)] = []
    private var failures = 0
    private var nextAttempt: Instant?
    private(set) var isClosed = false

    init(options: PoolOptions) { self.options = options }

    var waiting: Int { waiters.count }

    /// Asks for a connection; nil means wait in line.
    mutating func acquire() -> Grant? {
        if isClosed { return .closed }
        guard waiters.isEmpty else { return nil }
        return grantIfPossible()
    }

    /// Stands in line; call only after ``acquire()`` gave nil, under the same lock.
    mutating func wait(_ id: UInt64, _ waiter: Waiter) { waiters.append((id, waiter)) }

    /// Leaves the line; nil when a grant is on its way already.
    mutating func leave(_ id: UInt64) -> Waiter? {
        guard let place = waiters.firstIndex(where: { $0.id == id }) else { return nil }
        return waiters.remove(at: place).waiter
    }

    /// A connection comes back healthy.
    mutating func giveBack(_ pooled: Pooled, at now: Instant) -> [Action] {
        lent -= 1
        if isClosed { return [.discard(pooled.connection)] + drainedIfEmpty() }
        if now - pooled.opened > options.maximumAge { return [.discard(pooled.connection)] + serve() }
        var pooled = pooled
        pooled.idleSince = now
        idle.append(pooled)
        return serve()
    }

    /// A connection was opened: attempts need no pause any more.
    mutating func opened() {
        failures = 0
        nextAttempt = nil
    }

    /// A connection broke, or opening one failed: its slot is free.
    mutating func lost(attemptFailed: Bool, at now: Instant) -> [Action] {
        lent -= 1
        if attemptFailed {
            let pause = min(options.firstBackOff * (1 << min(failures, 16)), options.longestBackOff)
            failures += 1
            nextAttempt = now + pause
        }
        return isClosed ? drainedIfEmpty() : serve()
    }

    /// No grants from here on; says `drained` when the last connection is back.
    mutating func close() -> [Action] {
        guard !isClosed else { return [] }
        isClosed = true
        let actions: [Action] =
            waiters.map { .resume($0.waiter, .closed) } + idle.map { .discard($0.connection) }
        waiters = []
        idle = []
        return actions + drainedIfEmpty()
    }

    private func drainedIfEmpty() -> [Action] { lent == 0 ? [.drained] : [] }

    private mutating func serve() -> [Action] {
        var actions: [Action] = []
        while let first = waiters.first, let grant = grantIfPossible() {
            waiters.removeFirst()
            actions.append(.resume(first.waiter, grant))
        }
        return actions
    }

    private mutating func grantIfPossible() -> Grant? {
        if let pooled = idle.popLast() {
            lent += 1
            return .use(pooled)
        }
        guard lent + idle.count < options.maximumConnections else { return nil }
        lent += 1
        return .open(notBefore: nextAttempt)
    }
}
