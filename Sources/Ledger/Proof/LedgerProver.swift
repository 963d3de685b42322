public import Delivery
public import EventSourcing
internal import Foundation
internal import Postgres
public import Transparency

/// Proofs from the tree that the sealer keeps.
public struct LedgerProver: Proofs {
    private let store: PostgresEventStore

    /// Makes a prover on a migrated database.
    public init(store: PostgresEventStore) { self.store = store }

    /// The last signed head.
    public func treeHead() async throws(EventStoreFailure) -> String? {
        try await reading { try await TreeTables.head(of: nil, store.pool)?.note }
    }

    /// A tile or a bundle of entries.
    public func tile(_ path: String) async throws(EventStoreFailure) -> [UInt8]? {
        let parts = path.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, let (index, width) = TileAddress.parse(path: parts[1]) else { return nil }
        let isEntries = parts[0] == "entries"
        guard let level = isEntries ? 0 : Int(parts[0]), isEntries || String(level) == parts[0],
            let address = TileAddress(level: level, index: index, width: width)
        else { return nil }
        return try await reading {
            try await store.pool.transaction(isolation: .repeatableRead, readOnly: true) { connection in
                let size = try await connection.query("SELECT size FROM ledger.sealed").single().get(0, as: Int64.self)
                guard address.exists(in: size) else { return nil }
                return isEntries
                    ? try await entries(address, connection) : try await hashes(address, size, connection)
            }
        }
    }

    /// That an event is under the last signed head.
    public func inclusion(of position: GlobalPosition) async throws(EventStoreFailure) -> String? {
        guard position > .start else { return nil }
        let found = try await store.readAll(
            after: GlobalPosition(position.value - 1), before: nil, filter: EventFilter(), backwards: false, limit: 1
        ).whole().first
        guard let found, found.position == position else { return nil }
        return try await reading {
            guard let head = try await TreeTables.head(of: nil, store.pool), head.size >= position.value else {
                return nil
            }
            let path = try await TreeTables.hashes(.inclusion(of: position.value - 1, in: head.size), store.pool)
            let event = found.event
            return ProofDocument.inclusion(
                InclusionDocument(
                    leaf: InclusionDocument.Leaf(
                        position: position.value, epoch: Int64(found.epoch), stream: found.stream.description,
                        version: found.version.value, event: event.id.description,
                        recordedAt: found.recordedAt.microseconds,
                        contentHash: Data(ContentHash.of(event)).base64EncodedString()),
                    content: InclusionDocument.Content(
                        type: event.type, occurredAt: event.occurredAt.microseconds,
                        correlation: event.correlation.description, causation: event.causation?.description,
                        subject: event.actor.subject, issuer: event.actor.issuer, method: event.actor.method.rawValue,
                        onBehalfOf: event.actor.onBehalfOf, data: event.data, metadata: event.metadata),
                    path: path.map(\.base64), treeHead: head.note, announcements: try await announcements())
            ).json
        }
    }

    /// That one signed head extends another.
    public func consistency(from old: Int64, to new: Int64) async throws(EventStoreFailure) -> String? {
        try await reading {
            guard old <= new, let first = try await TreeTables.head(of: old, store.pool),
                let second = try await TreeTables.head(of: new, store.pool)
            else { return nil }
            return try await extends(first.note, old, second.note, new)
        }
    }

    /// A tree head, as who asks for a proof names it.
    public enum NamedHead: Sendable, Equatable {
        /// The one that the ledger signed of so many events.
        case ofSize(Int64)
        /// One that was kept outside, which is what the proof is to be about.
        case held(SignedTreeHead)

        /// How many events it covers.
        public var size: Int64 {
            switch self {
            case .ofSize(let size): size
            case .held(let signed): signed.head.size
            }
        }
    }

    /// The log is another one than that of a head that was kept outside.
    public struct Fork: Error, Sendable, Equatable, CustomStringConvertible {
        /// What differs.
        public let description: String
    }

    /// The proof, as JSON, that one head extends another; `nil` if one of them is not of this ledger's sealed events.
    ///
    /// Heads that were kept outside stand in it as they were given; their signatures are left to who checks the proof.
    /// - Throws: ``Fork`` if the ledger has another root, or another origin, at the size of a head that was kept outside;
    ///   `EventStoreFailure`.
    public func consistency(from old: NamedHead, to new: NamedHead) async throws -> String? {
        guard old.size <= new.size, let first = try await note(of: old), let second = try await note(of: new) else {
            return nil
        }
        return try await reading { try await extends(first, old.size, second, new.size) }
    }

    /// The note of a head; of one that was kept outside only if the ledger has its root.
    private func note(of named: NamedHead) async throws -> String? {
        let stored = try await reading { try await TreeTables.head(of: named.size, store.pool) }
        guard case .held(let signed) = named else { return stored?.note }
        let head = signed.head
        let root: MerkleHash
        if let stored {
            root = stored.root
            let origin = try SignedTreeHead(stored.note).head.origin
            guard origin == head.origin else {
                throw Fork(
                    description:
                        "the ledger's tree head of \(head.size) events is one of \(origin), and the given one of "
                        + "\(head.origin): it is of another log, or of an epoch that was cut short")
            }
        } else {
            // A head can have been signed and not been stored; the tiles have the root of every size.
            let sealed = try await reading {
                try await store.pool.query("SELECT size FROM ledger.sealed").single().get(0, as: Int64.self)
            }
            guard head.size >= 1, head.size <= sealed else { return nil }
            root = try await reading { try await TreeTables.hashes(.root(of: head.size), store.pool)[0] }
        }
        guard root == head.root else {
            throw Fork(
                description:
                    "the ledger's tree head of \(head.size) events has another root, \(root), than the given one, "
                    + "\(head.root): the log was forked, or rewritten. Keep the given tree head, and run `rollbook verify "
                    + "--tree-head` with it")
        }
        return signed.note.description
    }

    private func extends(_ first: String, _ old: Int64, _ second: String, _ new: Int64) async throws -> String {
        let path = try await TreeTables.hashes(.consistency(from: old, to: new), store.pool)
        return ProofDocument.consistency(
            ConsistencyDocument(
                oldTreeHead: first, newTreeHead: second, path: path.map(\.base64),
                announcements: try await announcements())
        ).json
    }

    /// The position of an event; nil if there is none.
    ///
    /// Reads the whole log where the audit index and the log do not both have the event: an unknown id, an event that only
    /// an archive has, an index that is behind or was reset.
    /// - Throws: `EventStoreFailure`: `.archived` if it may be an event that only a file has.
    public func position(of event: Identifier) async throws(EventStoreFailure) -> GlobalPosition? {
        try await reading {
            if let found = try await Self.position(of: event, store.pool) { return found }
            let archives = try await ArchiveTable.ranges(store.pool)
            guard let first = archives.first else { return nil }
            let more = archives.count == 1 ? "" : " or one of \(archives.count - 1) more"
            throw EventStoreFailure.archived(
                "event \(event) does not stand in the ledger, and may stand in the archive \(first.file)\(more): give its "
                    + "position, which says in which, or bring that back (rollbook archive --bring-back \(first.file))")
        }
    }

    /// The position of an event that stands in the log; nil if none does.
    ///
    /// What the audit index says counts only if the log says the same.
    static func position(of event: Identifier, _ connection: some PostgresQueryable) async throws -> GlobalPosition? {
        let indexed: SQL = """
            SELECT e.position
            FROM views.audit_entry a
            JOIN ledger.event e ON (e.position, e.event_id) = (a.position, a.event_id)
            WHERE a.event_id = \(event.uuid)
            LIMIT 1
            """
        let anywhere: SQL = "SELECT position FROM ledger.event WHERE event_id = \(event.uuid) LIMIT 1"
        for question in [indexed, anywhere] {
            if let found = try await connection.query(question).optional() { return GlobalPosition(try found.get(0)) }
        }
        return nil
    }

    /// The sizes of signed heads nearest to `size`, at most one below and one above.
    ///
    /// - Throws: `EventStoreFailure`.
    public func headSizes(near size: Int64) async throws(EventStoreFailure) -> [Int64] {
        try await reading {
            let row = try await store.pool.query(
                """
                SELECT (SELECT max(size) FROM ledger.tree_head WHERE size <= \(size)),
                       (SELECT min(size) FROM ledger.tree_head WHERE size > \(size))
                """
            ).single()
            return [try row.get(0, as: Int64?.self), try row.get(1, as: Int64?.self)].compactMap(\.self)
        }
    }

    private func announcements() async throws -> [String] {
        // One that is damaged leads nowhere; what needs it is refused by who checks the proof.
        try await KeyHistory.readWhatIsThere(store).entries.map(\.announcement.note.description)
    }

    private func hashes(
        _ address: TileAddress, _ size: Int64, _ connection: PostgresConnection
    ) async throws -> [UInt8] {
        let stored: [MerkleHash]?
        if address.index < TileAddress.fullTiles(level: address.level, size: size) {
            stored = try await TreeTables.tiles(
                level: address.level, address.index..<address.index + 1, connection)[address.index]
        } else {
            let edges = try await TreeTables.edges(connection)
            stored = address.level < edges.count ? edges[address.level] : nil
        }
        guard let stored, stored.count >= address.width else {
            throw SealHalt("\(address.path) is missing; run `rollbook verify`")
        }
        return Array(stored.prefix(address.width)).concatenated
    }

    private func entries(_ address: TileAddress, _ connection: PostgresConnection) async throws -> [UInt8] {
        let first = address.index * Int64(TileAddress.fullWidth) + 1
        let rows = try await connection.query(
            """
            SELECT e.position, e.epoch, s.name, e.version, e.event_id, e.recorded_at, e.content_hash
            FROM ledger.event e
            JOIN ledger.stream s USING (stream_id)
            WHERE e.position BETWEEN \(first) AND \(first + Int64(address.width) - 1)
            ORDER BY e.position
            """)
        guard rows.count == address.width else {
            try await ArchiveTable.check(first...first + Int64(address.width) - 1, connection)
            throw SealHalt("events from position \(first) on are missing; run `rollbook verify`")
        }
        var bundle: [UInt8] = []
        for row in rows {
            guard let entry = try LeafEntry(row)?.bytes else {
                throw SealHalt("position \(try row.get(0, as: Int64.self)) has no content hash of 32 bytes")
            }
            bundle += [UInt8(entry.count >> 8), UInt8(entry.count & 255)] + entry
        }
        return bundle
    }

    private func reading<Value>(_ body: () async throws -> Value) async throws(EventStoreFailure) -> Value {
        do { return try await body() } catch { throw EventStoreFailure(reading: error) }
    }
}
