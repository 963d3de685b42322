public import EventSourcing
internal import Foundation
internal import Postgres

/// The log in bulk: what a page by page read is too slow for.
extension PostgresEventStore {
    /// Gives `body` the events above `after` up to `through`, in order, each once, as fast as the server hands them out.
    ///
    /// They come in batches of a few thousand, which are read while `body` works on the last one. Memory is bounded.
    /// - Throws: `EventStoreFailure`, also if an event is missing; what `body` throws.
    public func drain(
        after: GlobalPosition, through: GlobalPosition, _ body: ([RecordedEvent]) async throws -> Void
    ) async throws {
        do {
            try await pool.withConnection { connection in
                try await BulkReader(connection: connection).run(PositionRange(after: after, through: through), body)
            }
        } catch let error as PostgresError {
            throw EventStoreFailure(reading: error)
        }
    }
}

/// Reads ranges of the log by binary COPY, the next one while the last one is decoded.
private struct BulkReader {
    /// Bytes that are drained at once, about.
    private static let drainBytes = 4 << 20
    private static let mostBytes = 64 << 20

    let connection: PostgresConnection

    func run(_ range: PositionRange, _ body: ([RecordedEvent]) async throws -> Void) async throws {
        var names = RecordedNames()
        var rest = range
        var size = 1024
        var next = try await rows(rest.prefix(size))
        while let (read, rows) = next {
            rest.after = read.through
            try await names.learn(rows, through: connection)
            size = min(2 * size, max(256, read.count * Self.drainBytes / max(1, rows.bytes.count)))
            let (known, wanted) = (names, rest.prefix(size))
            async let following = self.rows(wanted)
            try await body(try await rows.events(known))
            next = try await following
        }
    }

    /// The rows of `range`, or of its beginning if they are too many bytes; nil if it is empty.
    private func rows(_ range: PositionRange) async throws -> (PositionRange, RecordedRows)? {
        guard range.count > 0 else { return nil }
        var range = range
        while true {
            let bytes = try await connection.drain(
                RecordedRows.copy(range), atMost: Self.mostBytes, reserving: Self.drainBytes * 3 / 2)
            if let bytes {
                let rows = try RecordedRows(bytes)
                try range.check(rows: rows.places.count)
                return (range, rows)
            }
            guard range.count > 1 else {
                throw PostgresError(.decoding, "the event at position \(range.through) has more than 64 MiB")
            }
            range = range.prefix(range.count / 2)
        }
    }
}

/// Whole events as `COPY` hands them out in binary; all columns but the last three have a fixed width and are never null.
private struct RecordedRows: Sendable {
    let bytes: [UInt8]
    /// Where each row begins.
    let places: [Int]

    private static let causationAt = 130
    private static let columns: Int16 = 13

    static func copy(_ range: PositionRange) -> SQL {
        """
        COPY (
            SELECT e.position, e.epoch, e.stream_id, e.version, e.recorded_at, e.occurred_at, e.event_id, e.correlation,
                   e.type_id, e.actor_id, e.causation, e.data, e.metadata
            FROM ledger.event e
            WHERE e.position > \(unsafeRaw: "\(range.after)") AND e.position <= \(unsafeRaw: "\(range.through)")
            ORDER BY e.position
        ) TO STDOUT (FORMAT binary)
        """
    }

    init(_ bytes: [UInt8]) throws {
        var places: [Int] = []
        places.reserveCapacity(bytes.count / 300)
        let isWhole = bytes.withUnsafeBytes { buffer -> Bool in
            // Signature, flags, length of the header's extension.
            guard buffer.count >= 21 else { return false }
            var at = 19 + Int(buffer.int32(15))
            while at + 2 <= buffer.count {
                let columns = buffer.int16(at)
                if columns == -1 { return at + 2 == buffer.count }
                guard columns == Self.columns else { return false }
                places.append(at)
                at += Self.causationAt - 4
                for _ in 0..<3 {
                    guard at + 4 <= buffer.count else { return false }
                    at += 4 + max(0, Int(buffer.int32(at)))
                }
            }
            return false
        }
        guard isWhole else { throw PostgresError(.decoding, "COPY gave \(bytes.count) bytes that are not whole rows") }
        self.bytes = bytes
        self.places = places
    }

    /// The events; `names` knows every id in them.
    @concurrent func events(_ names: RecordedNames) async throws -> [RecordedEvent] {
        try bytes.withUnsafeBytes { buffer in try places.map { try Self.event(buffer, $0, names) } }
    }

    /// Calls `body` with the ids of stream, type and actor in each row.
    func forEachID(_ body: (Int64, Int32, Int32) -> Void) {
        bytes.withUnsafeBytes { buffer in
            for at in places { body(buffer.int64(at + 26), buffer.int32(at + 114), buffer.int32(at + 122)) }
        }
    }

    private static func event(
        _ buffer: UnsafeRawBufferPointer, _ at: Int, _ names: RecordedNames
    ) throws -> RecordedEvent {
        let position = buffer.int64(at + 6)
        guard let stream = names.streams[buffer.int64(at + 26)], let type = names.types[buffer.int32(at + 114)],
            let actor = names.actors[buffer.int32(at + 122)]
        else { throw PostgresError(.decoding, "position \(position): its stream, type or actor has no name") }
        var place = at + causationAt
        let causation = buffer.int32(place - 4) == -1 ? nil : identifier(buffer, place)
        place += causation == nil ? 0 : 16
        let data = text(buffer, &place)
        let metadata = text(buffer, &place)
        return RecordedEvent(
            position: GlobalPosition(position), epoch: Int(buffer.int32(at + 18)), stream: stream,
            version: StreamVersion(buffer.int64(at + 38)), recordedAt: buffer.instant(at + 50),
            event: NewEvent(
                id: identifier(buffer, at + 74), type: type, occurredAt: buffer.instant(at + 62), actor: actor,
                causation: causation, correlation: identifier(buffer, at + 94), data: data, metadata: metadata))
    }

    private static func identifier(_ buffer: UnsafeRawBufferPointer, _ at: Int) -> Identifier {
        Identifier(UUID(uuid: buffer.loadUnaligned(fromByteOffset: at, as: uuid_t.self)))
    }

    private static func text(_ buffer: UnsafeRawBufferPointer, _ place: inout Int) -> String {
        let length = max(0, Int(buffer.int32(place)))
        defer { place += 4 + length }
        return String(decoding: UnsafeRawBufferPointer(rebasing: buffer[place + 4..<place + 4 + length]), as: UTF8.self)
    }
}

/// What ids of streams, types and actors stand for.
private struct RecordedNames: Sendable {
    private static let mostStreams = 100_000

    var streams: [Int64: StreamName] = [:]
    var types: [Int32: String] = [:]
    var actors: [Int32: EventActor] = [:]

    /// Looks up those of `rows` that are not known yet.
    mutating func learn(_ rows: RecordedRows, through connection: PostgresConnection) async throws {
        if streams.count > Self.mostStreams { streams = [:] }
        var (newStreams, newTypes, newActors) = (Set<Int64>(), Set<Int32>(), Set<Int32>())
        rows.forEachID { stream, type, actor in
            if streams[stream] == nil { newStreams.insert(stream) }
            if types[type] == nil { newTypes.insert(type) }
            if actors[actor] == nil { newActors.insert(actor) }
        }
        if !newStreams.isEmpty {
            for row in try await connection.query(
                "SELECT stream_id, name FROM ledger.stream WHERE stream_id = ANY (\(newStreams.sorted()))")
            {
                streams[try row.get(0)] = StreamName(try row.get(1, as: String.self))
            }
        }
        if !newTypes.isEmpty {
            for row in try await connection.query(
                "SELECT type_id, name FROM ledger.event_type WHERE type_id = ANY (\(newTypes.sorted()))")
            {
                types[try row.get(0)] = try row.get(1)
            }
        }
        guard !newActors.isEmpty else { return }
        for row in try await connection.query(
            "SELECT actor_id, subject, issuer, method, on_behalf_of FROM ledger.actor "
                + "WHERE actor_id = ANY (\(newActors.sorted()))")
        {
            guard let method = EventActor.Method(rawValue: try row.get(3)) else { continue }
            actors[try row.get(0)] = EventActor(
                subject: try row.get(1), issuer: try row.get(2), method: method, onBehalfOf: try row.get(4))
        }
    }
}
