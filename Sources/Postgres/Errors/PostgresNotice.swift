/// A NOTICE, WARNING or other message that came beside a result.
public struct PostgresNotice: Sendable, Hashable {
    /// `WARNING`, `NOTICE`, `INFO`, `LOG` or `DEBUG`, never translated.
    public let severity: String
    /// The server's code.
    public let sqlState: SQLState?
    /// The message.
    public let message: String
    /// More from the server.
    public let detail: String?
    /// The server's advice.
    public let hint: String?

    /// Whether this is a warning.
    public var isWarning: Bool { severity == "WARNING" }

    /// Whether the server committed but stopped waiting for its synchronous replica.
    ///
    /// - Source: PostgreSQL `syncrep.c`, `SyncRepWaitForLSN`: a WARNING with the code of a cancelled query or of an
    ///   administrator's shutdown; no other warning carries them.
    public var saysReplicationWaitCancelled: Bool {
        isWarning && (sqlState == .queryCanceled || sqlState == .adminShutdown)
    }
}
