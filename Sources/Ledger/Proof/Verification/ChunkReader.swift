internal import Postgres
internal import Transparency

/// Reads one chunk and looks at every event in it.
struct ChunkReader {
    private static let columns = 14

    private var chunk: VerifiedChunk
    private let names: NameTables
    /// Stored tiles of level 0, by index.
    private let tiles: [Int64: [MerkleHash]]
    private var next: Int64
    private var nextWanted = 0
    /// Leaves of the tile that is being filled.
    private var leaves: [MerkleHash] = []
    private var roots: [MerkleHash] = []
    private var parts = HashedParts()
    private var hasher = LeafHasher()

    private init(_ task: VerifiedChunk.Task, names: NameTables, tiles: [Int64: [MerkleHash]]) {
        chunk = VerifiedChunk(task)
        self.names = names
        self.tiles = tiles
        next = task.first
        leaves.reserveCapacity(TileAddress.fullWidth)
    }

    static func read(
        _ task: VerifiedChunk.Task, names: NameTables, _ connection: PostgresConnection
    ) async throws -> VerifiedChunk {
        let firstTile = task.index * 256
        let end = min(TileAddress.fullTiles(level: 0, size: task.sealed), (task.last + 255) >> 8)
        let tiles = try await TreeTables.tiles(level: 0, firstTile..<max(firstTile, end), connection)
        var reader = ChunkReader(task, names: names, tiles: tiles)
        let sql = SQL(
            unsafeRaw: """
                COPY (
                    SELECT position, epoch, stream_id, version, recorded_at, occurred_at, event_id, correlation, causation,
                           type_id, actor_id, content_hash, data, metadata
                    FROM ledger.event
                    WHERE position BETWEEN \(task.first) AND \(task.last)
                    ORDER BY position
                ) TO STDOUT (FORMAT binary)
                """)
        try await connection.copyOut(sql) { chunks in
            var copy = BinaryCopy(columns: columns)
            for try await bytes in chunks { try copy.read(bytes) { try reader.take($0) } }
        }
        reader.skip(to: task.last + 1)
        reader.endTile()
        try await reader.compareUpperTile(connection)
        return reader.chunk
    }

    /// Looks at one event.
    private mutating func take(_ row: BinaryCopy.Row) throws {
        let position = try row.int64(0)
        if position < next {
            chunk.report(.init(.missing, at: position, "two events stand at position \(position)"))
            return
        }
        skip(to: position)
        let (epoch, stream, version) = (try row.int32(1), try row.int64(2), try row.int64(3))
        let recordedAt = try row.instant(4)
        chunk.events += 1
        checkOrder(position, epoch: epoch, recordedAt: recordedAt)
        checkVersion(position, stream: stream, version: version)
        checkContent(position, row, type: try row.int32(9), actor: try row.int32(10), occurredAt: try row.instant(5))
        guard let name = names.streams[stream] else {
            chunk.report(.init(.name, at: position, "the event's stream (number \(stream)) has no name"))
            addMissingLeaf()
            return
        }
        let leaf = name.withUnsafeBytes {
            hasher.hash(
                position: position, epoch: Int64(epoch), stream: $0, version: version, eventID: row[6],
                recordedAt: recordedAt, contentHash: row[11])
        }
        compareWithTile(leaf, position)
        add(leaf)
    }

    // MARK: - What an event says

    private mutating func checkOrder(_ position: Int64, epoch: Int32, recordedAt: Int64) {
        if let last = chunk.lastTime, recordedAt < last {
            chunk.report(.init(.time, at: position, "the event was recorded before the one in front of it"))
        }
        if let last = chunk.lastEpoch, epoch < last {
            chunk.report(.init(.epoch, at: position, "the event has epoch \(epoch), the one in front of it \(last)"))
        }
        if chunk.firstTime == nil { (chunk.firstTime, chunk.firstEpoch) = (recordedAt, epoch) }
        chunk.lastTime = recordedAt
        chunk.lastEpoch = epoch
    }

    private mutating func checkVersion(_ position: Int64, stream: Int64, version: Int64) {
        guard let span = chunk.streams[stream] else {
            chunk.streams[stream] = VerifiedChunk.StreamSpan(
                firstVersion: version, firstPosition: position, lastVersion: version, isThinned: isThinned(stream))
            return
        }
        chunk.streams[stream]?.lastVersion = version
        let expected = span.lastVersion + 1
        guard version != expected else { return }
        if let range = chunk.task.archives.range(
            passedOverAt: position, span.isThinned, version: version, expected: expected)
        {
            chunk.archived[range.lowerBound, default: .init()].passedOver += version - expected
        } else {
            chunk.report(
                .init(
                    .version, at: position, "the event has version \(version) of its stream, where \(expected) follows")
            )
        }
    }

    private func isThinned(_ stream: Int64) -> Bool {
        guard !chunk.task.archives.isEmpty, let name = names.streams[stream] else { return false }
        return chunk.task.thinned.contains { name.starts(with: $0) }
    }

    private mutating func checkContent(
        _ position: Int64, _ row: BinaryCopy.Row, type: Int32, actor: Int32, occurredAt: Int64
    ) {
        guard let type = names.types[type], let actor = names.actors[actor] else {
            chunk.report(.init(.name, at: position, "the event's type or actor has no name"))
            return
        }
        let hash = type.withUnsafeBytes { type in
            actor.subject.withUnsafeBytes { subject in
                actor.issuer.withUnsafeBytes { issuer in
                    actor.method.withUnsafeBytes { method in
                        (actor.onBehalfOf ?? []).withUnsafeBytes { onBehalfOf in
                            EventContent(
                                type: type, occurredAt: occurredAt, correlation: row[7],
                                causation: row.isNull(8) ? nil : row[8], subject: subject, issuer: issuer,
                                method: method, onBehalfOf: actor.onBehalfOf == nil ? nil : onBehalfOf, data: row[12],
                                metadata: row[13]
                            ).hash(using: &parts)
                        }
                    }
                }
            }
        }
        guard !hash.withUnsafeBytes({ $0.elementsEqual(row[11]) }) else { return }
        chunk.report(
            .init(
                .content, at: position,
                "the event's content (type, actor, times, causes, data or metadata) does not have the hash beside it"))
    }

    // MARK: - The tree

    /// The hash that was sealed at a position; nil if it is not sealed, or its tile is missing.
    private func sealedLeaf(_ position: Int64) -> MerkleHash? {
        guard position <= chunk.task.sealed else { return nil }
        let place = Int((position - 1) & 255)
        if let tile = tiles[(position - 1) >> 8] { return place < tile.count ? tile[place] : nil }
        guard (position - 1) >> 8 == chunk.task.sealed >> 8, let edge = chunk.task.edges.first else { return nil }
        return place < edge.count ? edge[place] : nil
    }

    private mutating func compareWithTile(_ leaf: MerkleHash, _ position: Int64) {
        guard let sealed = sealedLeaf(position), sealed != leaf else { return }
        chunk.report(
            .init(
                .leaf, at: position,
                "the event (its stream, version, id, epoch, recorded time or content hash) is not the one that was sealed"
            ))
    }

    private mutating func add(_ leaf: MerkleHash) {
        leaves.append(leaf)
        next += 1
        if leaves.count == TileAddress.fullWidth { endTile() } else { noteWanted() }
    }

    private mutating func addMissingLeaf() { add(.empty) }

    /// Notes that events are missing, and goes on as if something stood there.
    private mutating func skip(to position: Int64) {
        while next < position, let range = chunk.task.archives.first(where: { $0.upperBound >= next }) {
            skipMissing(to: min(position, range.lowerBound))
            while next < position, range.contains(next) { addArchivedLeaf(of: range) }
        }
        skipMissing(to: position)
    }

    /// Takes the leaf of an event that only an archive has from the tree.
    private mutating func addArchivedLeaf(of range: ClosedRange<Int64>) {
        var part = chunk.archived[range.lowerBound] ?? .init()
        part.missing += 1
        part.firstMissing = part.firstMissing ?? next
        chunk.archived[range.lowerBound] = part
        guard let leaf = sealedLeaf(next) else {
            chunk.report(.init(.tile, at: next, "the event stands in an archive, and its tile is missing"))
            return addMissingLeaf()
        }
        add(leaf)
    }

    private mutating func skipMissing(to position: Int64) {
        guard next < position else { return }
        chunk.report(
            .init(
                .missing, at: next, through: position - 1 > next ? position - 1 : nil,
                position - 1 > next
                    ? "there are no events at positions \(next) to \(position - 1)"
                    : "there is no event at position \(next)"))
        while next < position { addMissingLeaf() }
    }

    /// Puts the filled tile, or what there is of it, into the chunk's tree.
    private mutating func endTile() {
        guard !leaves.isEmpty else { return }
        let index = (next - 2) >> 8
        if index < TileAddress.fullTiles(level: 0, size: chunk.task.sealed), tiles[index] == nil {
            chunk.report(
                .init(.tile, at: (index << 8) + 1, through: (index + 1) << 8, "the tile of these events is missing"))
        }
        if leaves.count == TileAddress.fullWidth {
            let root = MerkleHash.root(of: leaves)
            chunk.frontier.append(subtree: root, height: 8)
            roots.append(root)
        } else {
            for leaf in leaves { chunk.frontier.append(leaf) }
        }
        leaves.removeAll(keepingCapacity: true)
        noteWanted()
    }

    /// Keeps the subtrees if the tree's root is wanted at the size that was just reached.
    private mutating func noteWanted() {
        let wanted = chunk.task.wantedSizes
        guard nextWanted < wanted.count, wanted[nextWanted] == next - 1 else { return }
        nextWanted += 1
        var partial = MerkleFrontier()
        for leaf in leaves { partial.append(leaf) }
        chunk.subtrees[next - 1] = chunk.frontier.subtrees + partial.subtrees
    }

    /// Compares the tile of level 1 that this chunk is, or the unfinished one.
    private mutating func compareUpperTile(_ connection: PostgresConnection) async throws {
        let sealed = chunk.task.sealed
        var stored: [MerkleHash]
        if chunk.task.index < TileAddress.fullTiles(level: 1, size: sealed) {
            stored =
                try await TreeTables.tiles(level: 1, chunk.task.index..<chunk.task.index + 1, connection)[
                    chunk.task.index] ?? []
            guard stored.count == TileAddress.fullWidth else {
                chunk.report(
                    .init(
                        .tile, at: chunk.task.first, through: chunk.task.last,
                        "the upper tile of these events is missing"))
                return
            }
        } else if chunk.task.index == sealed >> 16, chunk.task.edges.count > 1 {
            stored = chunk.task.edges[1]
        } else {
            return
        }
        for (place, (made, stored)) in zip(roots, stored).enumerated() where made != stored {
            let first = chunk.task.first + Int64(place) * 256
            // What is wrong with an event below has been said already.
            guard !chunk.findings.contains(where: { (first..<first + 256).contains($0.position) }) else { continue }
            chunk.report(
                .init(
                    .tile, at: first, through: first + 255, "the upper tile is not made of the hashes of these events"))
        }
    }
}

extension [ClosedRange<Int64>] {
    /// The archived range, of these, that has the versions between `expected` and the one of the event at `position`;
    /// nil if none may have them.
    ///
    /// A range keeps the last event of every stream in it, so whatever an event passes over stands in its own range.
    func range(passedOverAt position: Int64, _ isThinned: Bool, version: Int64, expected: Int64) -> ClosedRange<Int64>?
    {
        guard isThinned, version > expected else { return nil }
        return first { $0.contains(position) }
    }
}
