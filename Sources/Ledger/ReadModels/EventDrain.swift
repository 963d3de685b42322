import EventSourcing
import Foundation
import Postgres

/// Events as `COPY` hands them out in binary, with only the columns that folds need; payloads where they are needed.
///
/// All columns but the last have a fixed width and are never null, so each stands at a fixed offset of its row.
struct EventDrain: Sendable {
    /// More than this is not taken at once.
    static let mostBytes = 64 << 20

    /// The rows, in the order of the statement.
    let bytes: [UInt8]
    /// Where each row begins.
    let rows: [Int]

    /// The statement for the events `e` that fulfil `condition`; payloads of `passedOver` types are left out.
    static func copy(
        from source: SQL = "ledger.event e", where condition: SQL, orderedBy order: SQL, passingOver passedOver: [Int32]
    ) -> SQL {
        let ids = passedOver.map(String.init).joined(separator: ",")
        return """
            COPY (
                SELECT e.position, e.stream_id, e.version, e.type_id, e.actor_id, e.occurred_at, e.recorded_at,
                       CASE WHEN e.type_id = ANY ('{\(unsafeRaw: ids)}') THEN NULL ELSE e.data END
                FROM \(source)
                WHERE \(condition)
                ORDER BY \(order)
            ) TO STDOUT (FORMAT binary)
            """
    }

    /// A payload that is longer is not handed out by a ``query(_:passingOver:)``.
    private static let mostInQuery: Int32 = 1 << 16

    /// As ``copy(from:where:orderedBy:passingOver:)`` of the events in `range`, in their order, for a plain query.
    static func query(_ range: PositionRange, passingOver passedOver: [Int32]) -> SQL {
        """
        SELECT e.position, e.stream_id, e.version, e.type_id, e.actor_id, e.occurred_at, e.recorded_at,
               CASE WHEN n.is_large OR e.type_id = ANY (\(passedOver)) THEN NULL ELSE e.data END,
               n.is_large AND e.type_id <> ALL (\(passedOver))
        FROM ledger.event e
        CROSS JOIN LATERAL (SELECT octet_length(e.data) > \(mostInQuery)) n (is_large)
        WHERE e.position > \(range.after.value) AND e.position <= \(range.through.value)
        ORDER BY e.position
        """
    }

    /// Takes the rows of a ``query(_:passingOver:)``; nil if one has a payload that is too long for it.
    init?(_ result: PostgresResult) throws {
        guard try !result.contains(where: { try $0.get(8, as: Bool.self) }) else { return nil }
        var writer = RowWriter(capacity: result.count)
        for row in result {
            let data = try row.get(7, as: String?.self)
            writer.row(
                (try row.get(0), try row.get(1), try row.get(2)), (try row.get(3), try row.get(4)),
                (try row.get(5), try row.get(6)), data)
        }
        self.init(writer)
    }

    /// The rows of events that need not be read.
    init(_ entries: [RecentAppends.Entry], passingOver passedOver: [Int32]) {
        let passedOver = Set(passedOver)
        var writer = RowWriter(capacity: entries.count)
        for entry in entries {
            let (event, ids) = (entry.event, entry.ids)
            writer.row(
                (entry.position.value, ids.stream, entry.version.value), (ids.type, ids.actor),
                (PostgresInstant(event.occurredAt), PostgresInstant(entry.recordedAt)),
                passedOver.contains(ids.type) ? nil : event.data)
        }
        self.init(writer)
    }

    /// Writes rows as COPY does.
    private struct RowWriter {
        private(set) var copy: ByteWriter
        private(set) var rows: [Int] = []

        /// - Parameter capacity: How many rows are to be expected.
        init(capacity: Int) {
            copy = ByteWriter(capacity: capacity * 512)
            rows.reserveCapacity(capacity)
        }

        mutating func row(
            _ places: (position: Int64, stream: Int64, version: Int64), _ names: (type: Int32, actor: Int32),
            _ times: (occurred: PostgresInstant, recorded: PostgresInstant), _ data: String?
        ) {
            rows.append(copy.bytes.count)
            copy.int16(8)
            for value in [places.position, places.stream, places.version] { put(value) }
            for value in [names.type, names.actor] {
                copy.int32(4)
                copy.int32(value)
            }
            for time in [times.occurred, times.recorded] { put(time.microsecondsSince2000) }
            if let data {
                copy.counted { $0.utf8(data) }
            } else {
                copy.int32(-1)
            }
        }

        private mutating func put(_ value: Int64) {
            copy.int32(8)
            copy.int64(value)
        }
    }

    private init(_ writer: RowWriter) { self.init(writer.copy.bytes, writer.rows) }

    private init(_ bytes: [UInt8], _ rows: [Int]) { (self.bytes, self.rows) = (bytes, rows) }

    /// The same rows in their order, at most `size` at a time.
    func parts(of size: Int) -> [EventDrain] { rows.parts(of: size).map { EventDrain(bytes, $0) } }

    /// Finds the rows in what COPY gave.
    init(_ bytes: [UInt8]) throws {
        var rows: [Int] = []
        rows.reserveCapacity(bytes.count / 200)
        let isWhole = bytes.withUnsafeBytes { buffer -> Bool in
            // Signature, flags, length of the header's extension.
            guard buffer.count >= 21 else { return false }
            var at = 19 + Int(buffer.int32(15))
            while at + 2 <= buffer.count {
                let columns = buffer.int16(at)
                if columns == -1 { return at + 2 == buffer.count }
                guard columns == 8, at + DrainedEvent.payloadAt <= buffer.count else { return false }
                rows.append(at)
                at += DrainedEvent.payloadAt + max(0, Int(buffer.int32(at + DrainedEvent.payloadAt - 4)))
            }
            return false
        }
        guard isWhole else { throw PostgresError(.decoding, "COPY gave \(bytes.count) bytes that are not whole rows") }
        self.bytes = bytes
        self.rows = rows
    }
}

/// One row of a drain.
struct DrainedEvent {
    fileprivate static let payloadAt = 82
    let buffer: UnsafeRawBufferPointer
    let at: Int

    var position: Int64 { buffer.int64(at + 6) }
    var stream: Int64 { buffer.int64(at + 18) }
    var version: Int64 { buffer.int64(at + 30) }
    var type: Int32 { buffer.int32(at + 42) }
    var actor: Int32 { buffer.int32(at + 50) }
    var occurredAt: Instant { buffer.instant(at + 58) }
    var recordedAt: Instant { buffer.instant(at + 70) }

    /// The payload; empty if it was left out.
    var payload: UnsafeRawBufferPointer {
        let length = Int(buffer.int32(at + Self.payloadAt - 4))
        guard length > 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(rebasing: buffer[at + Self.payloadAt..<at + Self.payloadAt + length])
    }
}

/// Numbers as PostgreSQL's binary format has them, the most significant byte first.
extension UnsafeRawBufferPointer {
    func int16(_ at: Int) -> Int16 { Int16(bigEndian: loadUnaligned(fromByteOffset: at, as: Int16.self)) }
    func int32(_ at: Int) -> Int32 { Int32(bigEndian: loadUnaligned(fromByteOffset: at, as: Int32.self)) }
    func int64(_ at: Int) -> Int64 { Int64(bigEndian: loadUnaligned(fromByteOffset: at, as: Int64.self)) }

    /// A `timestamptz`: PostgreSQL counts from 2000.
    func instant(_ at: Int) -> Instant { Instant(microseconds: int64(at) &+ 946_684_800_000_000) }
}

/// There are more bytes in a range than are taken at once; a shorter one will do.
struct RangeTooLarge: Error {}

extension PostgresConnection {
    /// Drains the events of a statement.
    /// - Throws: ``RangeTooLarge``; `PostgresError`.
    nonisolated func events(
        _ statement: SQL, atMost limit: Int = EventDrain.mostBytes, reserving capacity: Int = 0
    ) async throws -> EventDrain {
        guard let bytes = try await drain(statement, atMost: limit, reserving: capacity) else {
            throw RangeTooLarge()
        }
        return try EventDrain(bytes)
    }
}
