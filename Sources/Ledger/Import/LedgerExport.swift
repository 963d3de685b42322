public import EventSourcing
internal import Foundation
internal import Postgres
internal import Transparency

/// Writes events as lines of JSON, one event in each, which ``LedgerImport`` reads.
///
/// ```json
/// {"position":8,"epoch":1,"stream":"rollout-local/default/shop","version":8,"id":"…","type":"rollout.weight-applied.v1",
///  "occurredAt":"2026-11-24T09:30:00.000000Z","recordedAt":"2026-11-24T09:30:00.000412Z",
///  "actor":{"subject":"rollbook/host-1","issuer":"rollbook","method":"controller"},"causation":"…","correlation":"…",
///  "data":{"canary":5},"metadata":{},"contentHash":"<base64>"}
/// ```
///
/// (without these line breaks). `data` and `metadata` stand there byte for byte as they were hashed; where they hold line
/// breaks, they stand as text in `dataText` and `metadataText`. `causation` and `actor.onBehalfOf` are left out when absent.
public struct LedgerExport: Sendable {
    private let store: PostgresEventStore
    /// The log, or a table of its form.
    private let table: String
    /// The most events that are read at once.
    private static let stride: Int64 = 16_384
    /// The most bytes of lines that are held at once, but for the last event of them.
    static let mostBytes = 4 << 20

    /// Reads through a store.
    public init(store: PostgresEventStore) { self.init(store: store, table: "event") }

    /// Reads a table of the log's form.
    init(store: PostgresEventStore, table: String) {
        self.store = store
        self.table = table
    }

    /// Gives the lines of the events after `after`, up to `through` or the head as it is now, to `write`; whole lines at a
    /// time.
    ///
    /// - Returns: How many events were written.
    /// - Throws: What `write` throws; `EventStoreFailure` when the log cannot be read or lies in an archive; `PostgresError`.
    public func run(
        after: GlobalPosition = .start, through: GlobalPosition? = nil, write: ([UInt8]) async throws -> Void
    ) async throws -> Int64 {
        let head = try await store.head()
        let last = min(through ?? head, head).value
        guard after.value < last else { return 0 }
        let connection = try await PostgresConnection.connect(store.pool.configuration)
        do {
            let names = try await NameTables.read(connection)
            var (first, size) = (after.value + 1, Self.stride)
            while first <= last {
                let (lines, next) = try await lines(first, min(last, first + size - 1), names, connection)
                try await write(lines)
                // A few less than there is room for, so that hardly a COPY is broken off.
                let fitting = (next - first) * Int64(Self.mostBytes) / Int64(max(1, lines.count)) * 7 / 8
                size = min(Self.stride, max(1, fitting))
                first = next
            }
        } catch {
            await connection.close()
            throw error
        }
        await connection.close()
        return last - after.value
    }

    /// The lines of events, and the position after the last of them, which is sooner if they are many bytes.
    private func lines(
        _ first: Int64, _ last: Int64, _ names: NameTables, _ connection: PostgresConnection
    ) async throws -> (lines: [UInt8], next: Int64) {
        let found = try await linesThere(first, last, names, connection)
        if found.isWhole { return (found.lines, found.next) }
        try await ArchiveTable.check(found.next...found.next, connection)
        // What an archive lacked may have been brought back just then.
        let again = try await linesThere(first, last, names, connection)
        if again.isWhole { return (again.lines, again.next) }
        try await ArchiveTable.check(again.next...again.next, connection)
        throw EventStoreFailure.damaged("there is no event at position \(again.next); run `rollbook verify`")
    }

    /// The lines of events that stand there; not whole if one is missing at `next`.
    private func linesThere(
        _ first: Int64, _ last: Int64, _ names: NameTables, _ connection: PostgresConnection
    ) async throws -> (lines: [UInt8], next: Int64, isWhole: Bool) {
        let sql = SQL(
            unsafeRaw: """
                COPY (
                    SELECT position, epoch, stream_id, version, recorded_at, occurred_at, event_id, correlation, causation,
                           type_id, actor_id, content_hash, data, metadata
                    FROM ledger.\(SQL.quoted(identifier: table))
                    WHERE position BETWEEN \(first) AND \(last)
                    ORDER BY position
                ) TO STDOUT (FORMAT binary)
                """)
        var writer = EventLineWriter(names)
        var next = first
        try await connection.copyOut(sql) { chunks in
            var copy = BinaryCopy(columns: 14)
            for try await bytes in chunks {
                try copy.read(bytes) { row in
                    guard try row.int64(0) == next else { return }
                    next += 1
                    try writer.add(row)
                }
                if writer.bytes.count >= Self.mostBytes { break }
            }
        }
        return (writer.bytes, next, next == last + 1 || writer.bytes.count >= Self.mostBytes)
    }
}

/// Puts lines together.
struct EventLineWriter {
    private(set) var bytes: [UInt8] = []
    private let names: NameTables

    init(_ names: NameTables) {
        self.names = names
        bytes.reserveCapacity(LedgerExport.mostBytes * 5 / 4)
    }

    /// Adds one row of the columns that ``LedgerExport`` reads.
    mutating func add(_ row: BinaryCopy.Row) throws {
        let position = try row.int64(0)
        guard let stream = names.streams[try row.int64(2)], let type = names.types[try row.int32(9)],
            let actor = names.actors[try row.int32(10)], let hash = MerkleHash(row[11])
        else {
            throw EventStoreFailure.unavailable(
                "the event at position \(position) has no stream, type, actor or hash; run `rollbook verify`")
        }
        put(#"{"position":\#(position),"epoch":\#(try row.int32(1)),"stream":"#)
        quote(stream)
        put(#","version":\#(try row.int64(3)),"id":""#)
        put(try Self.uuid(row[6], position))
        put(#"","type":"#)
        quote(type)
        put(#","occurredAt":"\#(Instant(microseconds: try row.instant(5)))""#)
        put(#","recordedAt":"\#(Instant(microseconds: try row.instant(4)))","actor":"#)
        put(actor)
        if !row.isNull(8) { put(#","causation":"\#(try Self.uuid(row[8], position))""#) }
        put(#","correlation":"\#(try Self.uuid(row[7], position))""#)
        payload("data", row[12])
        payload("metadata", row[13])
        put(#","contentHash":"\#(hash.base64)"}"#)
        bytes.append(0x0A)
    }

    private mutating func put(_ text: String) { bytes.append(contentsOf: text.utf8) }

    private mutating func put(_ actor: NameTables.Actor) {
        put(#"{"subject":"#)
        quote(actor.subject)
        put(#","issuer":"#)
        quote(actor.issuer)
        put(#","method":"#)
        quote(actor.method)
        if let onBehalfOf = actor.onBehalfOf {
            put(#","onBehalfOf":"#)
            quote(onBehalfOf)
        }
        put("}")
    }

    private mutating func payload(_ name: String, _ text: UnsafeRawBufferPointer) {
        if text.contains(0x0A) {
            put(#","\#(name)Text":"#)
            quote(text)
        } else {
            put(#","\#(name)":"#)
            bytes.append(contentsOf: text)
        }
    }

    private mutating func quote(_ text: some Sequence<UInt8>) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0x0A: put(#"\n"#)
            case 0x0D: put(#"\r"#)
            case 0x09: put(#"\t"#)
            case 0..<0x20: put(#"\u00\#(byte < 16 ? "0" : "")\#(String(byte, radix: 16))"#)
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static func uuid(_ bytes: UnsafeRawBufferPointer, _ position: Int64) throws -> String {
        guard bytes.count == 16 else {
            throw EventStoreFailure.unavailable("position \(position) has an id of \(bytes.count) bytes")
        }
        return Identifier(UUID(uuid: bytes.loadUnaligned(as: uuid_t.self))).description
    }
}
