internal import Foundation

/// Bytes that are put together in network order, as PostgreSQL's binary formats want them.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    mutating func int16(_ value: Int16) { integer(value) }

    mutating func int32(_ value: Int32) { integer(value) }

    mutating func int64(_ value: Int64) { integer(value) }

    mutating func utf8(_ text: String) { bytes.append(contentsOf: text.utf8) }

    mutating func raw(_ more: [UInt8]) { bytes.append(contentsOf: more) }

    mutating func raw(_ more: UnsafeRawBufferPointer) { bytes.append(contentsOf: more) }

    mutating func uuid(_ uuid: UUID) { withUnsafeBytes(of: uuid.uuid) { bytes.append(contentsOf: $0) } }

    /// What `write` adds, with the number of its bytes before it.
    mutating func counted(_ write: (inout ByteWriter) -> Void) {
        let place = bytes.count
        int32(0)
        write(&self)
        replace(int32: Int32(bytes.count - place - 4), at: place)
    }

    /// Puts another number in the place of one that was written before.
    mutating func replace(int32 value: Int32, at place: Int) {
        withUnsafeBytes(of: value.bigEndian) { source in
            for offset in 0..<4 { bytes[place + offset] = source[offset] }
        }
    }

    private mutating func integer(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }
}
