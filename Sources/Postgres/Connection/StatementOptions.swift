/// How one statement is sent and how long its caller waits.
public struct StatementOptions: Sendable, Hashable {
    /// How long the statement may run before it is cancelled and ``PostgresError/Code/timeout`` is thrown.
    ///
    /// nil waits as long as the connection lives. On an uncancellable statement no cancel request is sent: at the
    /// deadline the connection is given up and the outcome is unknown.
    public var timeout: Duration?
    /// Whether cancelling the calling task sends a cancel request to the server.
    public var isCancellable: Bool
    /// Whether the statement is prepared once it has been seen twice on a connection.
    public var isPrepared: Bool
    /// How long the connection's thread looks for the answer before it sleeps.
    ///
    /// To be woken takes longer than to look, for the server too. It sleeps as soon as anybody else had that core meanwhile.
    public var attention: Duration

    /// Chooses.
    public init(
        timeout: Duration? = nil, isCancellable: Bool = true, isPrepared: Bool = true, attention: Duration = .zero
    ) {
        self.timeout = timeout
        self.isCancellable = isCancellable
        self.isPrepared = isPrepared
        self.attention = attention
    }

    /// Cancellable, prepared when repeated, without a deadline.
    public static let standard = StatementOptions()
    /// Runs to its end although the calling task is cancelled.
    public static let uncancellable = StatementOptions(isCancellable: false)
    /// Cancelled after `timeout`.
    public static func timeout(_ timeout: Duration) -> StatementOptions { StatementOptions(timeout: timeout) }
}
