internal import Postgres

/// Takes the binary form of COPY apart, row by row, without copying a value.
///
/// - Source: PostgreSQL 15, COPY, "Binary Format".
struct BinaryCopy: ~Copyable {
    private static let signature: [UInt8] = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00]

    private let columns: Int
    private let fields: UnsafeMutableBufferPointer<UnsafeRawBufferPointer>
    private var hasBegun = false

    /// Expects rows of so many columns.
    init(columns: Int) {
        self.columns = columns
        fields = .allocate(capacity: columns)
        fields.initialize(repeating: UnsafeRawBufferPointer(start: nil, count: 0))
    }

    deinit { fields.deallocate() }

    /// Calls `body` with each row of a chunk, which ends at a row's end; the rows are valid only during the call.
    mutating func read(_ chunk: [UInt8], _ body: (Row) throws -> Void) throws {
        try chunk.withUnsafeBytes { memory in
            var place = 0
            func take(_ count: Int) throws -> UnsafeRawBufferPointer {
                guard count >= 0, place + count <= memory.count else { throw Self.broken("a row ends too early") }
                defer { place += count }
                return UnsafeRawBufferPointer(rebasing: memory[place..<place + count])
            }
            func integer<Value: FixedWidthInteger>(_ type: Value.Type) throws -> Value {
                Value(bigEndian: try take(MemoryLayout<Value>.size).loadUnaligned(as: Value.self))
            }
            if !hasBegun {
                guard try take(11).elementsEqual(Self.signature) else { throw Self.broken("the signature is another") }
                _ = try integer(Int32.self)
                _ = try take(Int(try integer(Int32.self)))
                hasBegun = true
            }
            while place < memory.count {
                let count = Int(try integer(Int16.self))
                if count == -1 { return }
                guard count == columns else { throw Self.broken("a row has \(count) columns instead of \(columns)") }
                for column in 0..<columns {
                    let length = Int(try integer(Int32.self))
                    fields[column] =
                        length == -1 ? UnsafeRawBufferPointer(start: nil, count: 0) : try take(length)
                }
                try body(Row(fields: UnsafeBufferPointer(fields)))
            }
        }
    }

    private static func broken(_ reason: String) -> PostgresError {
        PostgresError(.protocolViolation, "the binary data of a COPY cannot be read: \(reason)")
    }

    /// One row; valid only while it is handed over.
    struct Row {
        fileprivate let fields: UnsafeBufferPointer<UnsafeRawBufferPointer>

        /// The bytes of a column; without an address if it is NULL.
        subscript(column: Int) -> UnsafeRawBufferPointer { fields[column] }

        /// Whether the column is NULL.
        func isNull(_ column: Int) -> Bool { fields[column].baseAddress == nil }

        /// A `bigint`.
        func int64(_ column: Int) throws -> Int64 { Int64(bigEndian: try load(column)) }

        /// An `integer`.
        func int32(_ column: Int) throws -> Int32 { Int32(bigEndian: try load(column)) }

        /// A `timestamptz` as microseconds since 1970.
        func instant(_ column: Int) throws -> Int64 {
            // PostgreSQL counts from 2000; what overflows is one of the infinities, which the hash will not fit.
            try int64(column) &+ 946_684_800_000_000
        }

        private func load<Value>(_ column: Int) throws -> Value where Value: FixedWidthInteger {
            guard fields[column].count == MemoryLayout<Value>.size else {
                throw BinaryCopy.broken("column \(column) has \(fields[column].count) bytes")
            }
            return fields[column].loadUnaligned(as: Value.self)
        }
    }
}
