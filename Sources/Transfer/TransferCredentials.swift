/// A user name and password for HTTP Basic authentication (RFC 7617).
///
/// Prints as redacted.
public struct TransferCredentials: Sendable, Hashable {
    /// Must not contain a colon.
    public var user: String
    /// May be empty.
    public var password: String

    /// Pairs a name with its password.
    public init(user: String, password: String) {
        self.user = user
        self.password = password
    }
}

extension TransferCredentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Never the secret.
    public var description: String { "<redacted>" }
    /// Never the secret.
    public var debugDescription: String { "<redacted>" }
    /// Shows no children, so that `dump` and string interpolation of a request do not leak.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
