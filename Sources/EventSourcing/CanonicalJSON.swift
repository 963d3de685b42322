internal import Foundation

/// The one JSON text of a value: keys sorted, no white space, slashes not escaped.
///
/// What is hashed, stored and compared is this text, so the same value always gives the same bytes.
public enum CanonicalJSON {
    /// The text of `value`.
    ///
    /// - Precondition: Every number in `value` is finite; other measurements are kept as text (design.md §6).
    public static func text(_ value: some Encodable) -> String {
        do {
            return String(decoding: try encoder().encode(value), as: UTF8.self)
        } catch {
            preconditionFailure("a value of \(type(of: value)) cannot be written as JSON: \(error)")
        }
    }

    /// Reads a value of `type` from JSON text.
    /// - Throws: `DecodingError`.
    public static func read<Value: Decodable>(_ type: Value.Type = Value.self, from text: String) throws -> Value {
        try JSONReader.read(type, from: text) ?? JSONDecoder().decode(type, from: Data(text.utf8))
    }

    private static func encoder() -> JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }
}
