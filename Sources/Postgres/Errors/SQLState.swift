/// A five-character PostgreSQL error code, such as `23505` for a unique violation.
///
/// - Source: PostgreSQL documentation, appendix A (error codes).
public struct SQLState: RawRepresentable, Hashable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
    /// The five characters.
    public let rawValue: String

    /// Takes the five characters as the server sent them.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// Takes the five characters from a literal.
    public init(stringLiteral value: String) { self.rawValue = value }

    /// The five characters.
    public var description: String { rawValue }

    /// The first two characters: the class of the code, such as `23` for integrity violations.
    public var classCode: Substring { rawValue.prefix(2) }

    /// 08000: a connection exception of no particular kind.
    public static let connectionException: SQLState = "08000"
    /// 08006: the connection failed.
    public static let connectionFailure: SQLState = "08006"
    /// 0A000: the server does not support this; also "cached plan must not change result type".
    public static let featureNotSupported: SQLState = "0A000"
    /// 22001: a string is longer than its column allows.
    public static let stringDataRightTruncation: SQLState = "22001"
    /// 22003: a number does not fit its type.
    public static let numericValueOutOfRange: SQLState = "22003"
    /// 22012: division by zero.
    public static let divisionByZero: SQLState = "22012"
    /// 22P02: text that is not of the wanted type.
    public static let invalidTextRepresentation: SQLState = "22P02"
    /// 23502: NULL in a NOT NULL column.
    public static let notNullViolation: SQLState = "23502"
    /// 23503: a foreign key points at nothing.
    public static let foreignKeyViolation: SQLState = "23503"
    /// 23505: a unique key exists already.
    public static let uniqueViolation: SQLState = "23505"
    /// 23514: a CHECK constraint says no.
    public static let checkViolation: SQLState = "23514"
    /// 25P02: an earlier statement of this transaction failed.
    public static let inFailedSQLTransaction: SQLState = "25P02"
    /// 25006: a write in a read-only transaction, or on a replica.
    public static let readOnlySQLTransaction: SQLState = "25006"
    /// 25P03: the session was idle in a transaction for too long, and was ended.
    public static let idleInTransactionSessionTimeout: SQLState = "25P03"
    /// 26000: no prepared statement of that name.
    public static let invalidSQLStatementName: SQLState = "26000"
    /// 28P01: wrong password.
    public static let invalidPassword: SQLState = "28P01"
    /// 3D000: no such database.
    public static let invalidCatalogName: SQLState = "3D000"
    /// 40001: a serializable or repeatable-read transaction lost to another; do it again.
    public static let serializationFailure: SQLState = "40001"
    /// 40P01: this transaction was chosen to end a deadlock; do it again.
    public static let deadlockDetected: SQLState = "40P01"
    /// 42501: the role may not do this.
    public static let insufficientPrivilege: SQLState = "42501"
    /// 42601: the statement does not parse.
    public static let syntaxError: SQLState = "42601"
    /// 42703: no such column.
    public static let undefinedColumn: SQLState = "42703"
    /// 42883: no such function.
    public static let undefinedFunction: SQLState = "42883"
    /// 42P01: no such table.
    public static let undefinedTable: SQLState = "42P01"
    /// 42P04: the database exists already.
    public static let duplicateDatabase: SQLState = "42P04"
    /// 53300: the server has no connection slot left.
    public static let tooManyConnections: SQLState = "53300"
    /// 55P03: a lock was not to be had (`NOWAIT`, `lock_timeout`).
    public static let lockNotAvailable: SQLState = "55P03"
    /// 57014: the statement was cancelled, by request or by `statement_timeout`.
    public static let queryCanceled: SQLState = "57014"
    /// 57P01: the server, or an administrator, ended the connection.
    public static let adminShutdown: SQLState = "57P01"
    /// 57P02: another backend crashed and the server ended all connections.
    public static let crashShutdown: SQLState = "57P02"
    /// 57P03: the server is starting up or shutting down.
    public static let cannotConnectNow: SQLState = "57P03"
    /// P0001: `RAISE EXCEPTION` without a code of its own.
    public static let raiseException: SQLState = "P0001"

    /// Whether the code says that the connection is gone or going.
    var endsConnection: Bool {
        classCode == "08" || ["25P03", "57P01", "57P02", "57P05"].contains(rawValue)
    }

    /// Whether the same statement may succeed when it is sent again unchanged.
    var retryCanHelp: Bool {
        if classCode == "08" || classCode == "53" || classCode == "40" { return true }
        return ["25P03", "55P03", "57P01", "57P02", "57P03", "57P05"].contains(rawValue)
    }
}

/// Lets a thrown error be matched by its state: `catch SQLState.uniqueViolation`.
public func ~= (state: SQLState, error: any Error) -> Bool {
    (error as? PostgresError)?.sqlState == state
}
