/// Why a call to the database did not give what was asked.
///
/// Two questions matter to a caller: may I try again (``retryCanHelp``), and may it have happened all the same
/// (``outcomeUnknown``)? The rest is for people.
public struct PostgresError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// No connection could be made: refused, unknown host, wrong password, server starting up.
        case connectionFailed
        /// A connection that was open is gone.
        case connectionLost
        /// The server refused the statement; see ``PostgresError/sqlState``.
        case server
        /// The deadline of the statement, or of the wait for a pooled connection, has passed.
        case timeout
        /// The calling task was cancelled.
        case cancelled
        /// The pool is closed or closing.
        case poolClosed
        /// The server committed, but the wait for its synchronous replica was cancelled.
        case durabilityUnknown
        /// The connection string or a setting is wrong.
        case invalidConfiguration
        /// A parameter cannot be sent, such as text with U+0000.
        case invalidParameter
        /// The call does not fit the state of the connection, such as a transaction inside a transaction.
        case invalidUse
        /// A value did not have the type or range that was asked for, or the row count was another.
        case decoding
        /// The server, or libpq, did what its protocol does not allow.
        case protocolViolation
    }

    /// The kind of failure.
    public var code: Code
    /// One line for people, from the server when it said something.
    public var message: String
    /// The server's code; nil when the failure is not the server's.
    public var sqlState: SQLState?
    /// More from the server.
    public var detail: String?
    /// The server's advice.
    public var hint: String?
    /// Schema of the object concerned.
    public var schema: String?
    /// Table concerned.
    public var table: String?
    /// Column concerned: of the table, or of the result when decoding failed.
    public var column: String?
    /// Name of the constraint that was violated.
    public var constraint: String?
    /// Where in functions and triggers it happened.
    public var context: String?
    /// The statement's text, with `$1` for each bound value; values are never shown here.
    public var statement: String?
    /// Character position in ``statement``, from 1.
    public var position: Int?
    /// Whether the same call may succeed later without a change by the caller.
    public var retryCanHelp: Bool
    /// Whether the work may have been committed although this error was thrown.
    ///
    /// When true, send the same bytes with the same ids again before deciding anew.
    public var outcomeUnknown: Bool
    /// Notices that the statement left before it failed.
    public var notices: [PostgresNotice] = []

    /// Makes an error; most callers only read them.
    public init(
        _ code: Code, _ message: String, sqlState: SQLState? = nil, statement: String? = nil,
        retryCanHelp: Bool = false, outcomeUnknown: Bool = false
    ) {
        self.code = code
        self.message = message
        self.sqlState = sqlState
        self.statement = statement
        self.retryCanHelp = retryCanHelp
        self.outcomeUnknown = outcomeUnknown
    }

    /// One paragraph with everything that is known, without parameter values.
    public var description: String {
        var text = sqlState.map { "\(code.rawValue) [\($0)]: \(message)" } ?? "\(code.rawValue): \(message)"
        for (label, value) in [
            ("detail", detail), ("hint", hint), ("schema", schema), ("table", table), ("column", column),
            ("constraint", constraint), ("context", context), ("statement", statement),
        ] {
            if let value { text += "; \(label): \(value)" }
        }
        if let position { text += "; at character \(position)" }
        if outcomeUnknown { text += "; the outcome is unknown" }
        return text
    }
}
