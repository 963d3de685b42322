/// One value on its way to the server as `$n`.
public struct PostgresValue: Sendable, Hashable {
    /// How the bytes are to be read.
    public enum Format: Int32, Sendable, Hashable {
        /// The type's text form, UTF-8.
        case text = 0
        /// The type's binary form.
        case binary = 1
    }

    /// The declared type; ``PostgresType/inferred`` lets the server decide.
    public var type: PostgresType
    /// How ``bytes`` are to be read.
    public var format: Format
    /// The value; nil is NULL.
    public var bytes: [UInt8]?

    /// Makes a value from its bytes.
    public init(type: PostgresType, format: Format, bytes: [UInt8]?) {
        self.type = type
        self.format = format
        self.bytes = bytes
    }

    /// NULL of a type.
    public static func null(_ type: PostgresType) -> PostgresValue {
        PostgresValue(type: type, format: .binary, bytes: nil)
    }

    /// A value in text form, of a type that the server infers where it stands, as with a quoted literal in SQL.
    public static func text(_ text: String, type: PostgresType = .inferred) -> PostgresValue {
        PostgresValue(type: type, format: .text, bytes: Array(text.utf8))
    }

    static func binary(_ type: PostgresType, _ bytes: [UInt8]) -> PostgresValue {
        PostgresValue(type: type, format: .binary, bytes: bytes)
    }
}

/// What may be bound in an ``SQL`` literal.
public protocol PostgresEncodable: Sendable {
    /// The type that a NULL of this kind is declared as.
    static var postgresType: PostgresType { get }
    /// The value as the server wants it.
    var postgresValue: PostgresValue { get }
}

/// What may be the element of a bound or decoded array.
///
/// `UInt8` is one too: `[UInt8]` is `bytea`, not an array.
public protocol PostgresArrayElement: Sendable {
    /// The type of an array of these.
    static var postgresArrayType: PostgresType { get }
    /// The array as the server wants it.
    static func postgresValue(ofArray elements: [Self]) -> PostgresValue
    /// Reads an array of these.
    static func decodeArray(_ field: PostgresField) throws -> [Self]
}

/// What can be read from a column.
public protocol PostgresDecodable {
    /// Reads one value.
    ///
    /// - Throws: ``PostgresField/Mismatch`` when the column does not hold such a value.
    static func decode(_ field: PostgresField) throws -> Self
}

/// A single value, bound, decoded, or the element of an array.
public protocol PostgresScalar: PostgresEncodable, PostgresDecodable, PostgresArrayElement {
    /// Adds the binary form to `bytes`.
    func encode(to bytes: inout [UInt8])
}

extension PostgresScalar {
    /// The value in binary form.
    public var postgresValue: PostgresValue {
        var bytes: [UInt8] = []
        encode(to: &bytes)
        return .binary(Self.postgresType, bytes)
    }

    /// A one-dimensional array in binary form.
    public static func postgresValue(ofArray elements: [Self]) -> PostgresValue {
        ArrayForm.encode(elements, element: arrayElementType, array: postgresArrayType) { element, bytes in
            element.encode(to: &bytes)
            return true
        }
    }

    /// Reads a one-dimensional array without NULLs.
    public static func decodeArray(_ field: PostgresField) throws -> [Self] {
        try ArrayForm.decode(field) { try Self.decode($0) }
    }

    /// The element type inside an array: strings are `text` there, although a lone one is inferred.
    static var arrayElementType: PostgresType { postgresType == .inferred ? .text : postgresType }
}

extension Optional: PostgresEncodable where Wrapped: PostgresEncodable {
    /// The wrapped kind's type.
    public static var postgresType: PostgresType { Wrapped.postgresType }
    /// The wrapped value, or NULL.
    public var postgresValue: PostgresValue { self?.postgresValue ?? .null(Wrapped.postgresType) }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    /// Reads NULL as nil.
    public static func decode(_ field: PostgresField) throws -> Wrapped? {
        field.isNull ? nil : try Wrapped.decode(field)
    }
}

extension Optional: PostgresArrayElement where Wrapped: PostgresScalar {
    /// The wrapped kind's array type.
    public static var postgresArrayType: PostgresType { Wrapped.postgresArrayType }
    /// A one-dimensional array that may hold NULLs.
    public static func postgresValue(ofArray elements: [Wrapped?]) -> PostgresValue {
        ArrayForm.encode(
            elements, element: Wrapped.arrayElementType, array: Wrapped.postgresArrayType
        ) { element, bytes in
            guard let element else { return false }
            element.encode(to: &bytes)
            return true
        }
    }
    /// Reads a one-dimensional array that may hold NULLs.
    public static func decodeArray(_ field: PostgresField) throws -> [Wrapped?] {
        try ArrayForm.decode(field) { try Wrapped?.decode($0) }
    }
}

extension Array: PostgresEncodable where Element: PostgresArrayElement {
    /// The array type, or `bytea` for bytes.
    public static var postgresType: PostgresType { Element.postgresArrayType }
    /// The array, or `bytea` for bytes.
    public var postgresValue: PostgresValue { Element.postgresValue(ofArray: self) }
}

extension Array: PostgresDecodable where Element: PostgresArrayElement {
    /// Reads an array, or `bytea` for bytes.
    public static func decode(_ field: PostgresField) throws -> [Element] { try Element.decodeArray(field) }
}
