extension String: PostgresScalar {
    /// Inferred where it stands, as a quoted literal is; so a string may be bound for `uuid`, `jsonb` or an enum.
    public static var postgresType: PostgresType { .inferred }
    /// The SQL type `text[]`.
    public static var postgresArrayType: PostgresType { .textArray }
    /// The UTF-8 bytes.
    ///
    /// U+0000 is refused when the statement is sent, because PostgreSQL text cannot hold it.
    public var postgresValue: PostgresValue { .text(self) }
    /// The UTF-8 bytes.
    public func encode(to bytes: inout [UInt8]) { bytes += utf8 }

    /// Reads text types, `json`, `jsonb`, `numeric`, `uuid`, `void` (empty) and enums.
    public static func decode(_ field: PostgresField) throws -> String {
        var bytes = try field.required("String")
        switch field.type {
        case .text, .varchar, .bpchar, .name, .char, .json, .xml, .unknown: break
        case .void: return ""
        case .jsonb:
            guard bytes.first == 1 else {
                throw PostgresField.Mismatch(wanted: "String", reason: "unknown jsonb version")
            }
            bytes = UnsafeRawBufferPointer(rebasing: bytes.dropFirst())
        case .numeric: return try NumericForm.text(field)
        case .uuid:
            let digits = bytes.map { ($0 < 16 ? "0" : "") + Swift.String($0, radix: 16) }
            guard digits.count == 16 else { throw PostgresField.Mismatch(wanted: "String") }
            return [digits[0..<4], digits[4..<6], digits[6..<8], digits[8..<10], digits[10..<16]]
                .map { $0.joined() }.joined(separator: "-")
        default:
            // An enum's binary form is its label; a composite's begins with a count and so has a zero byte.
            guard field.type.rawValue >= 16384, !bytes.contains(0) else {
                throw PostgresField.Mismatch(wanted: "String", reason: "cast it to text in the statement")
            }
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw PostgresField.Mismatch(wanted: "String", reason: "it is not UTF-8")
        }
        return text
    }
}

/// JSON text, bound as `jsonb`.
public struct PostgresJSON: PostgresScalar, Hashable {
    /// The JSON document, not checked before the server sees it.
    public let text: String

    /// Wraps a JSON document.
    public init(_ text: String) { self.text = text }

    /// The SQL type `jsonb`.
    public static var postgresType: PostgresType { .jsonb }
    /// The SQL type `jsonb[]`.
    public static var postgresArrayType: PostgresType { .jsonbArray }
    /// The text, read by the server as `jsonb`.
    public func encode(to bytes: inout [UInt8]) {
        bytes.append(1)
        bytes += text.utf8
    }
    /// Reads `json`, `jsonb` or text.
    public static func decode(_ field: PostgresField) throws -> PostgresJSON { PostgresJSON(try String.decode(field)) }
}

/// The binary form of `numeric`, read into decimal text.
///
/// - Source: PostgreSQL `numeric.c`, `numeric_send`: digit count, weight, sign, display scale, base-10000 digits.
enum NumericForm {
    static func text(_ field: PostgresField) throws -> String {
        let wanted = "numeric"
        guard field.type == .numeric else { throw PostgresField.Mismatch(wanted: wanted) }
        let count = Int(try field.bigEndian(Int16.self, at: 0, wanted: wanted))
        let weight = Int(try field.bigEndian(Int16.self, at: 2, wanted: wanted))
        let sign = try field.bigEndian(UInt16.self, at: 4, wanted: wanted)
        let scale = Int(try field.bigEndian(Int16.self, at: 6, wanted: wanted))
        switch sign {
        case 0xC000: return "NaN"
        case 0xD000: return "Infinity"
        case 0xF000: return "-Infinity"
        default: break
        }
        let digits = try (0..<max(count, 0)).map { index in
            Int(try field.bigEndian(Int16.self, at: 8 + 2 * index, wanted: wanted))
        }
        func group(_ index: Int) -> String {
            let value = digits.indices.contains(index) ? digits[index] : 0
            let text = String(value)
            return String(repeating: "0", count: max(0, 4 - text.count)) + text
        }
        var whole = weight < 0 ? "0" : (0...weight).map(group).joined()
        whole = String(whole.drop { $0 == "0" })
        if whole.isEmpty { whole = "0" }
        var result = (sign == 0x4000 ? "-" : "") + whole
        if scale > 0 {
            let first = weight + 1
            let fraction = (0..<((scale + 3) / 4)).map { group(first + $0) }.joined()
            result += "." + fraction.prefix(scale)
        }
        return result
    }
}
