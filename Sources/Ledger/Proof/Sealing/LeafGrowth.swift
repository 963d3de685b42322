internal import EventSourcing
internal import Foundation
internal import Postgres
internal import Transparency

/// Adds the leaves of events to a tree.
struct LeafGrowth {
    private(set) var tree: TiledTree
    private(set) var lastLeaf: MerkleHash?
    private(set) var epoch: Int
    /// The tiles that have become full.
    private(set) var full: [TiledTree.FullTile] = []

    /// Leaves that are made at once, before appends may go first: less than a millisecond of work.
    private static let atOnce = 500

    /// Goes on from a tree whose last leaf is that of an event of the `epoch`.
    init(tree: TiledTree, lastLeaf: MerkleHash?, epoch: Int) {
        (self.tree, self.lastLeaf, self.epoch) = (tree, lastLeaf, epoch)
    }

    /// The tree with the leaves of the events that come next and are in memory.
    func adding(_ row: [RecentAppends.Entry], _ courtesy: Courtesy?) async -> LeafGrowth {
        var grown = self
        var hasher = LeafHasher()
        for part in row.parts(of: Self.atOnce) {
            for entry in part { grown.add(entry.leaf(&hasher), entry.epoch) }
            await courtesy?.giveWay()
        }
        return grown
    }

    /// Whether the log has as many events since `old`, and has the last one and the last one of `old` as they are in the
    /// tree; what becomes of the others shows when the log is verified.
    func isInLog(since old: LeafGrowth, _ connection: some PostgresQueryable) async throws -> Bool {
        let (before, end) = (old.tree.size, tree.size)
        let stored = try await connection.query(
            """
            SELECT e.position, e.epoch, s.name, e.version, e.event_id, e.recorded_at, e.content_hash,
                   (SELECT count(*) FROM ledger.event n WHERE n.position > \(before) AND n.position <= \(end))
            FROM ledger.event e
            JOIN ledger.stream s USING (stream_id)
            WHERE e.position = \(before) OR e.position = \(end)
            ORDER BY e.position
            """)
        do {
            return try stored.map { try LeafEntry($0)?.hash } == [old.lastLeaf, lastLeaf].compactMap(\.self)
                && stored.allSatisfy { try $0.get(7, as: Int64.self) == end - before }
        } catch let error as PostgresError where error.code == .decoding {
            return false  // Such as a time that is infinite: nothing that was ever appended.
        }
    }

    /// Goes on up to position `through`, or as far as the log goes, with what it says: the narrow columns only.
    ///
    /// The last event that is in the tree is read once more: a log that was put back shows there at once.
    /// - Throws: ``SealHalt``.
    mutating func read(through: Int64, _ connection: PostgresConnection, _ courtesy: Courtesy?) async throws {
        let first = max(tree.size, 1)
        let sql = SQL(
            unsafeRaw: """
                COPY (
                    SELECT e.position, e.epoch, e.version, e.event_id, e.recorded_at, e.content_hash, s.name
                    FROM ledger.event e
                    LEFT JOIN ledger.stream s USING (stream_id)
                    WHERE e.position BETWEEN \(first) AND \(through)
                    ORDER BY e.position
                ) TO STDOUT (FORMAT binary)
                """)
        var work = self
        var next = first
        try await connection.copyOut(sql) { chunks in
            var copy = BinaryCopy(columns: 7)
            var hasher = LeafHasher()
            for try await chunk in chunks {
                try copy.read(chunk) { row in
                    try work.add(row, expecting: next, &hasher)
                    next += 1
                }
                await courtesy?.giveWay()
            }
        }
        guard tree.size == 0 || next > tree.size else {
            throw SealHalt("the event at position \(tree.size), which is sealed, is gone; run `rollbook verify`")
        }
        self = work
    }

    private mutating func add(_ row: BinaryCopy.Row, expecting next: Int64, _ hasher: inout LeafHasher) throws {
        let position = try row.int64(0)
        guard position == next else {
            throw SealHalt("the log has no event at position \(next), and one at \(position); run `rollbook verify`")
        }
        guard !row.isNull(6) else { throw SealHalt("the stream of the event at position \(position) has no name") }
        let leaf = hasher.hash(
            position: position, epoch: Int64(try row.int32(1)), stream: row[6], version: try row.int64(2),
            eventID: row[3], recordedAt: try row.instant(4), contentHash: row[5])
        if position == tree.size {
            guard leaf == lastLeaf else {
                throw SealHalt(
                    "the event at position \(position) is not the one that was sealed; run `rollbook verify`")
            }
            return
        }
        add(leaf, Int(try row.int32(1)))
    }

    private mutating func add(_ leaf: MerkleHash, _ epoch: Int) {
        tree.append(leaf, completed: &full)
        (lastLeaf, self.epoch) = (leaf, epoch)
    }
}

extension RecentAppends.Entry {
    /// The leaf of the event.
    fileprivate func leaf(_ hasher: inout LeafHasher) -> MerkleHash {
        var name = stream.description
        return name.withUTF8 { name in
            withUnsafeBytes(of: id.uuid.uuid) { id in
                contentHash.withUnsafeBytes { hash in
                    hasher.hash(
                        position: position.value, epoch: Int64(epoch), stream: UnsafeRawBufferPointer(name),
                        version: version.value, eventID: id, recordedAt: recordedAt.microseconds, contentHash: hash)
                }
            }
        }
    }
}

extension LeafEntry {
    /// What the tree says of the event of a row: its position, epoch, stream's name, version, id, recorded time and content
    /// hash, in this order; nil if the hash has not 32 bytes.
    init?(_ row: PostgresRow) throws {
        guard let hash = MerkleHash(try row.get(6, as: [UInt8].self)) else { return nil }
        self.init(
            position: try row.get(0), epoch: Int64(try row.get(1, as: Int.self)), stream: try row.get(2),
            version: try row.get(3), eventID: withUnsafeBytes(of: try row.get(4, as: UUID.self).uuid) { Array($0) },
            recordedAt: Instant(try row.get(5, as: PostgresInstant.self)).microseconds, contentHash: hash)
    }
}
