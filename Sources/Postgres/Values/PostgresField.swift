/// The bytes of one value that came from the server, valid only during the decoding call.
public struct PostgresField {
    /// The bytes in binary form; nil is NULL.
    public let bytes: UnsafeRawBufferPointer?
    /// The type that the server says it is.
    public let type: PostgresType

    /// Whether the value is NULL.
    public var isNull: Bool { bytes == nil }

    /// Why a value could not be read; becomes a ``PostgresError`` with column, type and value.
    public struct Mismatch: Error {
        /// What was wanted, in a few words.
        public let wanted: String
        /// Why the value does not fit; nil when its type alone says so.
        public let reason: String?

        /// Says what was wanted and why it did not fit.
        public init(wanted: String, reason: String? = nil) {
            self.wanted = wanted
            self.reason = reason
        }
    }

    /// The bytes.
    ///
    /// - Throws: ``Mismatch`` when the value is NULL.
    public func required(_ wanted: String) throws -> UnsafeRawBufferPointer {
        guard let bytes else { throw Mismatch(wanted: wanted, reason: "the value is NULL") }
        return bytes
    }

    func bigEndian<Value: FixedWidthInteger>(
        _ type: Value.Type, at offset: Int = 0, wanted: String
    ) throws -> Value {
        let bytes = try required(wanted)
        guard offset >= 0, bytes.count >= offset + MemoryLayout<Value>.size else {
            throw Mismatch(wanted: wanted, reason: "it has \(bytes.count) bytes")
        }
        return Value(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Value.self))
    }

    /// A short rendering for error messages; long and binary values are cut.
    var preview: String {
        guard let bytes else { return "NULL" }
        switch type {
        case .int2, .int4, .int8, .oid, .xid8:
            if let number = try? Int64.decode(self) { return String(number) }
        case .bool:
            return bytes.first == 1 ? "true" : "false"
        case .float4, .float8, .numeric:
            if let number = try? Double.decode(self) { return String(number) }
        default:
            if let text = try? String.decode(self) {
                return text.count > 60 ? "\"\(text.prefix(60))…\"" : "\"\(text)\""
            }
        }
        let shown = bytes.prefix(24).map { byte in
            let hex = String(byte, radix: 16)
            return hex.count == 1 ? "0" + hex : hex
        }
        return "\\x" + shown.joined() + (bytes.count > 24 ? "… (\(bytes.count) bytes)" : "")
    }
}
