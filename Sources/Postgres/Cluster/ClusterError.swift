/// Why the private server could not be made, found, started or stopped.
public struct ClusterError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure.
    public enum Code: String, Sendable, Hashable {
        /// No PostgreSQL of a version that will do.
        case noServerFound
        /// The data directory belongs to another major version than any installed one.
        case wrongVersion
        /// A directory could not be made, or is not ours.
        case directory
        /// `initdb`, `pg_ctl` or another tool ended with an error.
        case toolFailed
    }

    /// The kind of failure.
    public let code: Code
    /// What was attempted, what happened and what to do.
    public let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// Kind and message.
    public var description: String { "\(code.rawValue): \(message)" }
}
