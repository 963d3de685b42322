import Foundation

/// Decodes values straight from JSON text, as `JSONDecoder` does, in a fraction of its time.
///
/// What the log holds is read at every fold, and `JSONDecoder` takes most of it: it maps the whole text first, and each guess
/// that a `JSONValue` makes wrong costs it an error with words. This reader gives up on whatever is not plain (numbers that
/// do not fit, repeated members, types that `JSONDecoder` treats in a way of its own, values that do not fit their type), and
/// then `JSONDecoder` has the last word. So it never decides that a text is wrong.
struct JSONReader: Decoder {
    /// The text is not as expected; `JSONDecoder` is to read it.
    struct GivenUp: Error {}

    let source: Source
    /// Where the value begins.
    let start: Int
    // Errors have no words here, so nobody asks for the way to them.
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    /// Reads a value of `type`; `nil` if that is for `JSONDecoder` to do.
    static func read<Value: Decodable>(_ type: Value.Type, from text: String) -> Value? {
        var text = text
        return text.withUTF8 { bytes in
            // Whether it is JSON is settled once, so that nothing below has to look. What is wrong with it is not lost:
            // JSONDecoder reads the text again, and says it.
            guard let end = try? JSONText.end(ofValueIn: bytes, from: 0), end == bytes.count else { return nil }
            let source = Source(bytes)
            // Likewise here: whatever this reader gives up on is read again.
            let value = try? source.value(type, at: source.afterSpace(0))
            return source.isOdd ? nil : value
        }
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(JSONMembers<Key>(members: try source.members(at: start), source: source))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer { try JSONElements(source, at: start) }

    func singleValueContainer() throws -> any SingleValueDecodingContainer { self }
}

extension JSONReader: SingleValueDecodingContainer {
    func decodeNil() -> Bool { source.isNull(at: start) }
    func decode(_ type: Bool.Type) throws -> Bool { try source.bool(at: start) }
    func decode(_ type: String.Type) throws -> String { try source.string(at: start) }
    func decode(_ type: Double.Type) throws -> Double { try source.double(at: start) }
    func decode(_ type: Float.Type) throws -> Float { throw source.odd() }
    func decode(_ type: Int.Type) throws -> Int { try source.integer(at: start) }
    func decode(_ type: Int8.Type) throws -> Int8 { try source.integer(at: start) }
    func decode(_ type: Int16.Type) throws -> Int16 { try source.integer(at: start) }
    func decode(_ type: Int32.Type) throws -> Int32 { try source.integer(at: start) }
    func decode(_ type: Int64.Type) throws -> Int64 { try source.integer(at: start) }
    func decode(_ type: UInt.Type) throws -> UInt { try source.integer(at: start) }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try source.integer(at: start) }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try source.integer(at: start) }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try source.integer(at: start) }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try source.integer(at: start) }
    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try source.value(type, at: start) }
}
