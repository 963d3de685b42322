/// The binary form of one-dimensional arrays.
///
/// - Source: PostgreSQL `arrayfuncs.c`, `array_send`/`array_recv`: dimensions, has-NULL flag, element type, then per
///   dimension its size and lower bound, then each element with a length of -1 for NULL.
enum ArrayForm {
    static func encode(_ elements: [PostgresValue], element: PostgresType, array: PostgresType) -> PostgresValue {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: Int32(elements.isEmpty ? 0 : 1))
        bytes.append(bigEndian: Int32(elements.contains { $0.bytes == nil } ? 1 : 0))
        bytes.append(bigEndian: element.rawValue)
        if !elements.isEmpty {
            bytes.append(bigEndian: Int32(elements.count))
            bytes.append(bigEndian: Int32(1))
        }
        for value in elements {
            if let content = value.bytes {
                bytes.append(bigEndian: Int32(content.count))
                bytes.append(contentsOf: content)
            } else {
                bytes.append(bigEndian: Int32(-1))
            }
        }
        return .binary(array, bytes)
    }

    static func decode<Element>(_ field: PostgresField, _ read: (PostgresField) throws -> Element) throws -> [Element] {
        let wanted = "array"
        let bytes = try field.required(wanted)
        let dimensions = try field.bigEndian(Int32.self, wanted: wanted)
        let type = PostgresType(rawValue: try field.bigEndian(UInt32.self, at: 8, wanted: wanted))
        if dimensions == 0 { return [] }
        guard dimensions == 1 else {
            throw PostgresField.Mismatch(wanted: "one-dimensional array", reason: "it has \(dimensions) dimensions")
        }
        let count = Int(try field.bigEndian(Int32.self, at: 12, wanted: wanted))
        var elements: [Element] = []
        elements.reserveCapacity(min(max(count, 0), bytes.count / 4))
        var offset = 20
        for _ in 0..<max(count, 0) {
            let length = Int(try field.bigEndian(Int32.self, at: offset, wanted: wanted))
            offset += 4
            if length < 0 {
                elements.append(try read(PostgresField(bytes: nil, type: type)))
                continue
            }
            guard offset + length <= bytes.count else {
                throw PostgresField.Mismatch(wanted: wanted, reason: "an element reaches past the end")
            }
            let slice = UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + length)])
            elements.append(try read(PostgresField(bytes: slice, type: type)))
            offset += length
        }
        return elements
    }
}

extension [UInt8] {
    mutating func append(bigEndian value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }

    init(bigEndian value: some FixedWidthInteger) {
        self = Swift.withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
}
