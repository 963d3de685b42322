public import Foundation

extension Bool: PostgresScalar {
    /// The SQL type `boolean`.
    public static var postgresType: PostgresType { .bool }
    /// The SQL type `boolean[]`.
    public static var postgresArrayType: PostgresType { .boolArray }
    /// One byte.
    public func encode(to bytes: inout [UInt8]) { bytes.append(self ? 1 : 0) }
    /// Reads `boolean`.
    public static func decode(_ field: PostgresField) throws -> Bool {
        let bytes = try field.required("Bool")
        guard field.type == .bool, bytes.count == 1 else { throw PostgresField.Mismatch(wanted: "Bool") }
        return bytes[0] != 0
    }
}

extension PostgresField {
    /// Reads any integer type, and a `numeric` without a fraction, into the wanted width.
    func integer<Value: FixedWidthInteger>(_ wanted: Value.Type) throws -> Value {
        let name = "\(Value.self)"
        let wide: Int64
        switch type {
        case .int8: wide = try bigEndian(Int64.self, wanted: name)
        case .int4: wide = Int64(try bigEndian(Int32.self, wanted: name))
        case .int2: wide = Int64(try bigEndian(Int16.self, wanted: name))
        case .oid: wide = Int64(try bigEndian(UInt32.self, wanted: name))
        case .xid8:
            let raw = try bigEndian(UInt64.self, wanted: name)
            guard let exact = Int64(exactly: raw) else { throw Mismatch(wanted: name, reason: "out of range") }
            wide = exact
        case .numeric:
            let text = try NumericForm.text(self)
            guard let exact = Int64(text) else { throw Mismatch(wanted: name, reason: "\(text) does not fit") }
            wide = exact
        default:
            _ = try required(name)
            throw Mismatch(wanted: name)
        }
        guard let value = Value(exactly: wide) else { throw Mismatch(wanted: name, reason: "\(wide) does not fit") }
        return value
    }
}

extension Int64: PostgresScalar {
    /// The SQL type `bigint`.
    public static var postgresType: PostgresType { .int8 }
    /// The SQL type `bigint[]`.
    public static var postgresArrayType: PostgresType { .int8Array }
    /// Eight bytes.
    public func encode(to bytes: inout [UInt8]) { bytes.append(bigEndian: self) }
    /// Reads any integer type that fits.
    public static func decode(_ field: PostgresField) throws -> Int64 { try field.integer(Int64.self) }
}

extension Int: PostgresScalar {
    /// The SQL type `bigint`.
    public static var postgresType: PostgresType { .int8 }
    /// The SQL type `bigint[]`.
    public static var postgresArrayType: PostgresType { .int8Array }
    /// Eight bytes.
    public func encode(to bytes: inout [UInt8]) { bytes.append(bigEndian: Int64(self)) }
    /// Reads any integer type that fits.
    public static func decode(_ field: PostgresField) throws -> Int { try field.integer(Int.self) }
}

extension Int32: PostgresScalar {
    /// The SQL type `integer`.
    public static var postgresType: PostgresType { .int4 }
    /// The SQL type `integer[]`.
    public static var postgresArrayType: PostgresType { .int4Array }
    /// Four bytes.
    public func encode(to bytes: inout [UInt8]) { bytes.append(bigEndian: self) }
    /// Reads any integer type that fits.
    public static func decode(_ field: PostgresField) throws -> Int32 { try field.integer(Int32.self) }
}

extension Int16: PostgresScalar {
    /// The SQL type `smallint`.
    public static var postgresType: PostgresType { .int2 }
    /// The SQL type `smallint[]`.
    public static var postgresArrayType: PostgresType { .int2Array }
    /// Two bytes.
    public func encode(to bytes: inout [UInt8]) { bytes.append(bigEndian: self) }
    /// Reads any integer type that fits.
    public static func decode(_ field: PostgresField) throws -> Int16 { try field.integer(Int16.self) }
}

extension Double: PostgresScalar {
    /// The SQL type `double precision`.
    public static var postgresType: PostgresType { .float8 }
    /// The SQL type `double precision[]`.
    public static var postgresArrayType: PostgresType { .float8Array }
    /// Eight bytes; NaN and infinities pass unharmed.
    public func encode(to bytes: inout [UInt8]) { bytes.append(bigEndian: bitPattern) }
    /// Reads `double precision`, `real`, `numeric` (rounded to the nearest) and integers that are exact.
    public static func decode(_ field: PostgresField) throws -> Double {
        switch field.type {
        case .float8: return Double(bitPattern: try field.bigEndian(UInt64.self, wanted: "Double"))
        case .float4: return Double(Float(bitPattern: try field.bigEndian(UInt32.self, wanted: "Double")))
        case .numeric:
            let text = try NumericForm.text(field)
            guard let value = Double(text) else { throw PostgresField.Mismatch(wanted: "Double", reason: text) }
            return value
        default:
            let whole = try field.integer(Int64.self)
            guard let value = Double(exactly: whole) else {
                throw PostgresField.Mismatch(wanted: "Double", reason: "\(whole) is not exact")
            }
            return value
        }
    }
}

extension UUID: PostgresScalar {
    /// The SQL type `uuid`.
    public static var postgresType: PostgresType { .uuid }
    /// The SQL type `uuid[]`.
    public static var postgresArrayType: PostgresType { .uuidArray }
    /// Sixteen bytes.
    public func encode(to bytes: inout [UInt8]) { withUnsafeBytes(of: uuid) { bytes.append(contentsOf: $0) } }
    /// Reads `uuid`.
    public static func decode(_ field: PostgresField) throws -> UUID {
        let bytes = try field.required("UUID")
        guard field.type == .uuid, bytes.count == 16 else { throw PostgresField.Mismatch(wanted: "UUID") }
        return UUID(uuid: bytes.loadUnaligned(as: uuid_t.self))
    }
}

extension UInt8: PostgresArrayElement {
    /// The SQL type `bytea`.
    public static var postgresArrayType: PostgresType { .bytea }
    /// The bytes themselves.
    public static func postgresValue(ofArray elements: [UInt8]) -> PostgresValue { .binary(.bytea, elements) }
    /// Reads `bytea`.
    public static func decodeArray(_ field: PostgresField) throws -> [UInt8] {
        let bytes = try field.required("bytes")
        guard field.type == .bytea else { throw PostgresField.Mismatch(wanted: "bytes") }
        return Array(bytes)
    }
}

extension [UInt8]: PostgresArrayElement {
    /// The SQL type `bytea[]`.
    public static var postgresArrayType: PostgresType { .byteaArray }
    /// A one-dimensional array of `bytea`.
    public static func postgresValue(ofArray elements: [[UInt8]]) -> PostgresValue {
        ArrayForm.encode(elements, element: .bytea, array: .byteaArray) { element, bytes in
            bytes += element
            return true
        }
    }
    /// Reads `bytea[]`.
    public static func decodeArray(_ field: PostgresField) throws -> [[UInt8]] {
        try ArrayForm.decode(field) { try [UInt8].decode($0) }
    }
}

extension Data: PostgresScalar {
    /// The SQL type `bytea`.
    public static var postgresType: PostgresType { .bytea }
    /// The SQL type `bytea[]`.
    public static var postgresArrayType: PostgresType { .byteaArray }
    /// The bytes themselves.
    public func encode(to bytes: inout [UInt8]) { bytes += self }
    /// Reads `bytea`.
    public static func decode(_ field: PostgresField) throws -> Data { Data(try UInt8.decodeArray(field)) }
}
