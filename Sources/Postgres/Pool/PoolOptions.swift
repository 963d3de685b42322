/// How many connections a pool keeps and how patient it is.
public struct PoolOptions: Sendable, Hashable {
    /// The most connections at any time; at least 1.
    public var maximumConnections: Int
    /// How long a caller waits for a connection before ``PostgresError/Code/timeout``.
    public var acquireTimeout: Duration
    /// An idle connection is asked for a sign of life when it has been idle for longer than this.
    public var validateAfter: Duration
    /// A connection is replaced when it is older than this.
    public var maximumAge: Duration
    /// The first pause after a failed connection attempt; doubles with each further one.
    public var firstBackOff: Duration
    /// The longest pause between connection attempts.
    public var longestBackOff: Duration

    /// Chooses.
    public init(
        maximumConnections: Int = 8, acquireTimeout: Duration = .seconds(30), validateAfter: Duration = .seconds(15),
        maximumAge: Duration = .seconds(3600), firstBackOff: Duration = .milliseconds(50),
        longestBackOff: Duration = .seconds(5)
    ) {
        self.maximumConnections = max(1, maximumConnections)
        self.acquireTimeout = acquireTimeout
        self.validateAfter = validateAfter
        self.maximumAge = maximumAge
        self.firstBackOff = firstBackOff
        self.longestBackOff = longestBackOff
    }
}
