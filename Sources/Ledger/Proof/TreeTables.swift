internal import EventSourcing
internal import Foundation
internal import Postgres
internal import Transparency

/// The tables of the tree: what is asked of them, and the one call that writes them.
enum TreeTables {
    /// A stored head.
    struct StoredHead: Sendable, Equatable {
        var size: Int64
        var root: MerkleHash
        var epoch: Int
        var signer: String
        var note: String
    }

    /// The tree as it was sealed last.
    struct State: Sendable {
        var tree: TiledTree
        var head: StoredHead?
        /// The hash of the last leaf; nil of an empty tree.
        var lastLeaf: MerkleHash?
    }

    /// What a seal writes.
    struct Seal {
        var from: Int64
        var tree: TiledTree
        var full: [TiledTree.FullTile]
        var head: TreeHead
        var epoch: Int
        var signer: VerifierKey
        var note: SignedNote
    }

    private static let headColumns: SQL = "size, root, epoch, signer, note"

    /// Reads what was sealed last, all as of one moment.
    ///
    /// - Throws: ``SealHalt`` if the parts do not fit each other.
    static func state(_ pool: PostgresPool) async throws -> State {
        try await pool.transaction(isolation: .repeatableRead, readOnly: true) { connection in
            let size = try await connection.query("SELECT size FROM ledger.sealed").single().get(0, as: Int64.self)
            let edges = try await Self.edges(connection)
            guard let tree = TiledTree(size: size, edges: edges) else {
                throw SealHalt("the unfinished tiles are not those of a tree of \(size) events; run `rollbook verify`")
            }
            let head = try await connection.query(
                "SELECT \(headColumns) FROM ledger.tree_head ORDER BY size DESC LIMIT 1"
            ).optional().map(Self.head)
            guard head?.size ?? 0 == size, head.map({ $0.root == tree.root }) ?? true else {
                throw SealHalt(
                    "the tiles cover \(size) events and do not give the root of the last tree head, which has "
                        + "\(head?.size ?? 0); run `rollbook verify`")
            }
            var lastLeaf = edges.first?.last
            if lastLeaf == nil, size > 0 {
                let tile = try await tiles(level: 0, (size >> 8) - 1..<size >> 8, connection)
                lastLeaf = tile[(size >> 8) - 1]?.last
                if lastLeaf == nil { throw SealHalt("the tile of the last events is missing; run `rollbook verify`") }
            }
            return State(tree: tree, head: head, lastLeaf: lastLeaf)
        }
    }

    /// The unfinished tile of each level.
    static func edges(_ connection: some PostgresQueryable) async throws -> [[MerkleHash]] {
        var edges: [[MerkleHash]] = []
        for row in try await connection.query("SELECT level, hashes FROM ledger.tile_edge ORDER BY level") {
            let level = try row.get(0, as: Int.self)
            while edges.count < level { edges.append([]) }
            edges.append([MerkleHash](concatenated: try row.get(1, as: [UInt8].self)) ?? [])
        }
        return edges
    }

    /// Full tiles of a level by index; those that are not there are left out.
    static func tiles(
        level: Int, _ indices: Range<Int64>, _ connection: some PostgresQueryable
    ) async throws -> [Int64: [MerkleHash]] {
        let rows = try await connection.query(
            """
            SELECT index, hashes
            FROM ledger.tile
            WHERE level = \(Int32(level)) AND index >= \(indices.lowerBound) AND index < \(indices.upperBound)
            """)
        var tiles: [Int64: [MerkleHash]] = [:]
        for row in rows {
            tiles[try row.get(0)] = [MerkleHash](concatenated: try row.get(1, as: [UInt8].self)) ?? []
        }
        return tiles
    }

    /// The hashes that `plan` names, from a tree of at least that size.
    ///
    /// - Throws: ``SealHalt`` if a tile is missing.
    static func hashes(_ plan: ProofPlan, _ connection: some PostgresQueryable) async throws -> [MerkleHash] {
        let addresses = plan.tiles
        let edges = try await edges(connection)
        var full: [TileAddress: [MerkleHash]] = [:]
        for address in addresses {
            full[address] = try await tiles(level: address.level, address.index..<address.index + 1, connection)[
                address.index]
        }
        return try plan.hashes { address throws in
            let edge = address.level < edges.count ? edges[address.level] : []
            guard let hashes = full[address] ?? (edge.count >= address.width ? edge : nil),
                hashes.count >= address.width
            else { throw SealHalt("\(address.path) is missing; run `rollbook verify`") }
            return hashes
        }
    }

    /// The signed head of exactly `size` events; without a size the last one.
    static func head(of size: Int64?, _ connection: some PostgresQueryable) async throws -> StoredHead? {
        let condition: SQL = size.map { "WHERE size = \($0)" } ?? ""
        return try await connection.query(
            "SELECT \(headColumns) FROM ledger.tree_head \(condition) ORDER BY size DESC LIMIT 1"
        ).optional().map(head)
    }

    /// The signed heads up to `size` events, the smallest first.
    static func heads(upTo size: Int64, _ connection: some PostgresQueryable) async throws -> [StoredHead] {
        try await connection.query("SELECT \(headColumns) FROM ledger.tree_head WHERE size <= \(size) ORDER BY size")
            .map(head)
    }

    /// Writes a seal; false if somebody else has sealed meanwhile.
    static func write(_ seal: Seal, _ connection: some PostgresQueryable) async throws -> Bool {
        let edges = seal.tree.edges.enumerated().filter { !$0.element.isEmpty }
        return try await connection.query(
            """
            SELECT ledger.seal(
                \(seal.from), \(seal.tree.size),
                \(seal.full.map { Int32($0.level) }), \(seal.full.map(\.index)), \(seal.full.map(\.hashes.concatenated)),
                \(edges.map { Int32($0.offset) }), \(edges.map(\.element.concatenated)),
                \(seal.head.root.bytes), \(Int32(seal.epoch)), \(seal.signer.description), \(seal.note.description))
            """
        ).single().get(0)
    }

    private static func head(_ row: PostgresRow) throws -> StoredHead {
        guard let root = MerkleHash(try row.get(1, as: [UInt8].self)) else {
            throw SealHalt("a stored tree head has no root of 32 bytes")
        }
        return StoredHead(
            size: try row.get(0), root: root, epoch: try row.get(2), signer: try row.get(3), note: try row.get(4))
    }
}
