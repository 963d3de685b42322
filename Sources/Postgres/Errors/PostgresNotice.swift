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

    /// The function of the server's source that said it; the same in every language.
    public let function: String?

    /// Whether the server committed but stopped waiting for its synchronous replica.
    ///
    /// - Source: PostgreSQL `syncrep.c`, `SyncRepWaitForLSN`, whose only warnings these are; they have no SQLSTATE of
    ///   their own and their text is translated.
    public var saysReplicationWaitCancelled: Bool { isWarning && function == "SyncRepWaitForLSN" }

    /// Whether it is the server's farewell.
    var endsConnection: Bool { severity == "FATAL" || severity == "PANIC" }
}
