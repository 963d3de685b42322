internal import EventSourcing
internal import Foundation
internal import Logging
internal import Postgres
internal import Transparency

extension LedgerArchive {
    /// Brings the events of a file back into the log.
    ///
    /// The file is verified first: its own sums, and every event against the sealed tree. A partition that was only put
    /// beside is compared with the file and takes its place again; one that was dropped is made anew from the file.
    ///
    /// - Parameter path: The file; its name is the one that the ledger knows.
    /// - Returns: What the file says of itself.
    /// - Throws: ``ArchiveFailure``; `PostgresError`.
    @discardableResult
    public func bringBack(_ path: String) async throws -> ArchiveManifest {
        try await alone { try await bringBackAlone(path) }
    }

    private func bringBackAlone(_ path: String) async throws -> ArchiveManifest {
        let file = (path as NSString).lastPathComponent
        guard let range = try await ArchiveTable.ranges(store.pool).first(where: { $0.file == file }) else {
            throw ArchiveFailure(
                "the ledger knows no archive \(file): it was brought back already, or is one of another ledger")
        }
        guard try ArchiveReader(path: path).sum() == range.sha256 else {
            throw ArchiveFailure("\(path) is not the file that was archived: it has another SHA-256")
        }
        let first = range.positions.lowerBound
        let table: String = try await store.pool.query("SELECT ledger.prepare_return(\(first))").single().get(0)
        let manifest: ArchiveManifest
        if range.isDropped {
            manifest = try await fill(table, path, range)
        } else {
            manifest = try await check(path, range.positions)
            try await compare(table, manifest)
        }
        _ = try await store.pool.query("SELECT ledger.finish_return(\(first))")
        try await swap("SELECT ledger.return_partition(\(first))")
        logger.notice("a partition is back", metadata: ["table": "\(table)", "file": "\(path)"])
        return manifest
    }

    /// Fills an empty table from the file.
    private func fill(_ table: String, _ path: String, _ range: ArchivedRange) async throws -> ArchiveManifest {
        let connection = try await PostgresConnection.connect(store.pool.configuration)
        do {
            let names = try await NameTables.read(connection)
            var rows = ArchivedRows(names)
            // Read twice: once to know that all of it is right, and once to fill the table.
            let manifest = try await check(path, range.positions)
            let copy = SQL(
                unsafeRaw: """
                    COPY ledger.\(SQL.quoted(identifier: table))
                        (position, stream_id, version, recorded_at, occurred_at, event_id, correlation, causation, type_id,
                         actor_id, epoch, content_hash, data, metadata)
                    FROM STDIN (FORMAT binary)
                    """)
            var copied = 0
            _ = try await ArchiveReader(path: path).read({ try rows.add($0) }) {
                copied += try await connection.copyIn(copy, bytes: rows.take()).affectedRows
            }
            guard copied == Int(manifest.events) else {
                throw ArchiveFailure("\(table) was filled with \(copied) events of \(manifest.events)")
            }
            await connection.close()
            return manifest
        } catch {
            await connection.close()
            throw error
        }
    }

    /// Compares a table that was put beside with what the file's manifest says.
    private func compare(_ table: String, _ manifest: ArchiveManifest) async throws {
        var sum = LinesSum()
        let lines = LedgerExport(store: store, table: table)
        _ = try await lines.run(
            after: GlobalPosition(manifest.firstPosition - 1), through: GlobalPosition(manifest.lastPosition)
        ) { sum.add($0) }
        guard sum.text == manifest.sha256 else {
            throw ArchiveFailure("table \(table) does not hold what the file does: somebody has changed it")
        }
    }
}

/// Rows in the binary form of COPY, made from the entries of a file.
struct ArchivedRows {
    private var writer = ByteWriter(capacity: 2 << 20)
    private let streams: [[UInt8]: Int64]
    private let types: [[UInt8]: Int32]
    private let actors: [NameTables.Actor: Int32]

    init(_ names: NameTables) {
        streams = Dictionary(names.streams.map { ($1, $0) }, uniquingKeysWith: min)
        types = Dictionary(names.types.map { ($1, $0) }, uniquingKeysWith: min)
        actors = Dictionary(names.actors.map { ($1, $0) }, uniquingKeysWith: min)
        begin()
    }

    private mutating func begin() {
        writer = ByteWriter(capacity: 2 << 20)
        writer.raw(Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00] + [UInt8](repeating: 0, count: 8))
    }

    /// What one COPY is to be given; the next begins anew.
    mutating func take() -> [UInt8] {
        writer.raw([0xFF, 0xFF])
        defer { begin() }
        return writer.bytes
    }

    mutating func add(_ entry: ArchiveReader.Entry) throws {
        let event = entry.event
        func bytes(_ text: LineText) -> [UInt8] { text.withBytes { Array($0) } }
        let actor = NameTables.Actor(
            subject: bytes(event.actor.subject), issuer: bytes(event.actor.issuer), method: bytes(event.actor.method),
            onBehalfOf: event.actor.onBehalfOf.map(bytes))
        guard let stream = streams[bytes(event.stream)], let type = types[bytes(event.type)], let actor = actors[actor]
        else {
            throw ArchiveFailure("the ledger has lost a stream, a type or an actor of an event", at: entry.position)
        }
        writer.raw([0, 14])
        for number in [entry.position, stream, event.version] { field(number) }
        field(entry.recordedAt - LineClock.postgresEpoch)
        field(event.occurredAt - LineClock.postgresEpoch)
        field(event.id)
        field(event.correlation)
        if let causation = event.causation { field(causation) } else { writer.int32(-1) }
        for number in [type, actor, Int32(clamping: entry.epoch)] {
            writer.int32(4)
            writer.int32(number)
        }
        entry.contentHash.withUnsafeBytes { field($0) }
        event.data.withBytes { field($0) }
        event.metadata.withBytes { field($0) }
    }

    private mutating func field(_ number: Int64) {
        writer.int32(8)
        writer.int64(number)
    }

    private mutating func field(_ id: UUID) {
        writer.int32(16)
        writer.uuid(id)
    }

    private mutating func field(_ bytes: UnsafeRawBufferPointer) {
        writer.int32(Int32(bytes.count))
        writer.raw(bytes)
    }
}
