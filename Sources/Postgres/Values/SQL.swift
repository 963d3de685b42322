/// A statement whose interpolated values are always bound, never pasted.
///
/// ```swift
/// try await pool.query("SELECT name FROM person WHERE id = \(id)")   // … WHERE id = $1
/// ```
///
/// Another `SQL` may be interpolated as a fragment; its values keep their places. Names are quoted with
/// `\(identifier: name)`; text that must stand as it is needs `\(unsafeRaw: text)`, where the caller vouches for it.
public struct SQL: Sendable, Hashable, ExpressibleByStringInterpolation {
    enum Part: Sendable, Hashable {
        case text(String)
        case value(PostgresValue)
    }

    var parts: [Part]

    /// A statement without values.
    public init(stringLiteral value: String) { parts = [.text(value)] }

    /// A statement with bound values.
    public init(stringInterpolation: StringInterpolation) { parts = stringInterpolation.parts }

    /// Takes text as it is; the caller vouches for every character.
    public init(unsafeRaw text: String) { parts = [.text(text)] }

    init(parts: [Part]) { self.parts = parts }

    /// Two pieces, one after the other.
    public static func + (a: SQL, b: SQL) -> SQL { SQL(parts: a.parts + b.parts) }

    /// The text with `$1`, `$2`, … and the values in that order.
    public var rendered: (text: String, values: [PostgresValue]) {
        var text = ""
        var values: [PostgresValue] = []
        for part in parts {
            switch part {
            case .text(let piece): text += piece
            case .value(let value):
                values.append(value)
                text += "$\(values.count)"
            }
        }
        return (text, values)
    }

    /// A name in double quotes, safe in any place where SQL wants an identifier.
    public static func quoted(identifier: String) -> String {
        "\"" + identifier.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    /// Collects text and bound values.
    public struct StringInterpolation: StringInterpolationProtocol {
        var parts: [Part] = []

        /// Starts empty.
        public init(literalCapacity: Int, interpolationCount: Int) { parts.reserveCapacity(2 * interpolationCount + 1) }

        /// Adds text of the program itself.
        public mutating func appendLiteral(_ literal: String) {
            if !literal.isEmpty { parts.append(.text(literal)) }
        }

        /// Binds a value.
        public mutating func appendInterpolation(_ value: some PostgresEncodable) {
            parts.append(.value(value.postgresValue))
        }

        /// Binds a value, or NULL for nil.
        public mutating func appendInterpolation<Value: PostgresEncodable>(_ value: Value?) {
            parts.append(.value(value?.postgresValue ?? .null(Value.postgresType)))
        }

        /// Binds a value that was made by hand.
        public mutating func appendInterpolation(_ value: PostgresValue) { parts.append(.value(value)) }

        /// Inserts a fragment with its own bound values.
        public mutating func appendInterpolation(_ fragment: SQL) { parts.append(contentsOf: fragment.parts) }

        /// Inserts a name in double quotes.
        public mutating func appendInterpolation(identifier: String) {
            parts.append(.text(SQL.quoted(identifier: identifier)))
        }

        /// Inserts text as it is; the caller vouches for every character.
        public mutating func appendInterpolation(unsafeRaw text: String) { parts.append(.text(text)) }
    }
}
