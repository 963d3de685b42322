/// The name of a stream: a category, a dash, and an identity, such as `rollout-local/default/payments-api`.
///
/// 3…512 bytes of printable ASCII without spaces. `ledger` alone (no identity) is the stream about the log itself.
public struct StreamName: Sendable, Hashable, Comparable, CustomStringConvertible, Codable {
    /// The text of the name.
    public let description: String

    /// Accepts `text` if it is a valid stream name; `nil` otherwise.
    public init?(_ text: String) {
        guard (3...512).contains(text.utf8.count), text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        description = text
    }

    /// Joins a category and an identity that are known to be valid.
    ///
    /// - Precondition: The joined text is a valid stream name.
    public init(category: String, identity: String) {
        guard let name = StreamName("\(category)-\(identity)") else {
            preconditionFailure("not a stream name: \(category)-\(identity)")
        }
        self = name
    }

    /// Whether the name begins with `category` and a dash.
    public func belongs(to category: String) -> Bool {
        description.hasPrefix(category + "-")
    }

    /// Order of the names' bytes.
    public static func < (left: StreamName, right: StreamName) -> Bool {
        left.description.utf8.lexicographicallyPrecedes(right.description.utf8)
    }

    /// Reads a name from its text.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let name = StreamName(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a stream name: \(text)")
        }
        self = name
    }

    /// Writes the name as text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
