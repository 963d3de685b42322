/// The binary form of one-dimensional arrays.
///
/// - Source: PostgreSQL `arrayfuncs.c`, `array_send`/`array_recv`: dimensions, has-NULL flag, element type, then per
///   dimension its size and lower bound, then each element with a length of -1 for NULL.
enum ArrayForm {
    /// - Parameter write: Adds an element's binary form; false for NULL, without adding anything.
    static func encode<Element>(
        _ elements: [Element], element: PostgresType, array: PostgresType,
        _ write: (Element, inout [UInt8]) -> Bool
    ) -> PostgresValue {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(20 + 12 * elements.count)
        bytes.append(bigEndian: Int32(elements.isEmpty ? 0 : 1))
        bytes.append(bigEndian: Int32(0))
        bytes.append(bigEndian: element.rawValue)
        if !elements.isEmpty {
            bytes.append(bigEndian: Int32(elements.count))
            bytes.append(bigEndian: Int32(1))
        }
        var hasNulls = false
        for value in elements {
            let place = bytes.count
            bytes.append(bigEndian: Int32(-1))
            if write(value, &bytes) {
                bytes.replace(bigEndian: Int32(bytes.count - place - 4), at: place)
            } else {
                hasNulls = true
            }
        }
        if hasNulls { bytes.replace(bigEndian: Int32(1), at: 4) }
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

    /// Puts another number in the place of one that was added before.
    mutating func replace(bigEndian value: some FixedWidthInteger, at place: Int) {
        Swift.withUnsafeBytes(of: value.bigEndian) { source in
            for offset in source.indices { self[place + offset] = source[offset] }
        }
    }
}
