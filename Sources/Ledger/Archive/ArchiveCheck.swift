internal import Crypto
internal import Foundation
internal import Postgres
internal import Transparency

/// Compares a file with the tree that was sealed.
struct ArchiveCheck {
    private let store: PostgresEventStore
    /// So many tiles are fetched at once, of 256 events each.
    private static let window: Int64 = 4096

    init(_ store: PostgresEventStore) { self.store = store }

    /// Reads the file; `body` is given every event that is right.
    ///
    /// - Throws: ``ArchiveFailure``, which names the first position that is wrong; `PostgresError`.
    func run(
        _ path: String, _ positions: ClosedRange<Int64>, _ body: (ArchiveReader.Entry) throws -> Void
    ) async throws -> ArchiveManifest {
        let leaves = try await leaves(positions)
        let manifest = try await ArchiveReader(path: path).read { entry in
            guard positions.contains(entry.position) else {
                throw ArchiveFailure(
                    "\(path) holds position \(entry.position), which is not its own", at: entry.position)
            }
            guard leaves[Int(entry.position - positions.lowerBound)] == entry.leaf else {
                throw ArchiveFailure("\(path): the event is not the one that was sealed", at: entry.position)
            }
            try body(entry)
        }
        guard manifest.firstPosition == positions.lowerBound, manifest.lastPosition == positions.upperBound else {
            throw ArchiveFailure("\(path) ends early", at: manifest.lastPosition + 1)
        }
        guard try await TreeTables.root(of: positions.upperBound, store.pool).base64 == manifest.root else {
            throw ArchiveFailure("\(path): its root is not that of the sealed tree", at: positions.lowerBound)
        }
        return manifest
    }

    /// The sealed leaves of a range: 32 bytes for each of its events.
    private func leaves(_ positions: ClosedRange<Int64>) async throws -> [MerkleHash] {
        var leaves: [MerkleHash] = []
        leaves.reserveCapacity(positions.count)
        let edge = try await TreeTables.edges(store.pool).first ?? []
        let (first, end) = ((positions.lowerBound - 1) >> 8, ((positions.upperBound - 1) >> 8) + 1)
        var at = first
        while at < end {
            let some = at..<min(end, at + Self.window)
            let tiles = try await TreeTables.tiles(level: 0, some, store.pool)
            for index in some {
                let tile = tiles[index] ?? edge
                let low = max(positions.lowerBound, index << 8 + 1) - (index << 8 + 1)
                let high = min(positions.upperBound, (index + 1) << 8) - (index << 8 + 1)
                guard high < tile.count else {
                    throw ArchiveFailure(
                        "the tile of positions \(index << 8 + 1) to \((index + 1) << 8) is missing; run `rollbook verify`",
                        at: index << 8 + 1)
                }
                leaves += tile[Int(low)...Int(high)]
            }
            at = some.upperBound
        }
        return leaves
    }
}

/// SHA-256 over lines as they come.
struct LinesSum {
    private var hasher = SHA256()

    mutating func add(_ lines: [UInt8]) { lines.withUnsafeBytes { hasher.update(bufferPointer: $0) } }

    /// Hexadecimal.
    var text: String { Data(hasher.finalize()).hexadecimal }
}

extension TreeTables {
    /// The root of the tree over the first `size` events, from the tiles.
    ///
    /// - Throws: ``SealHalt`` if a tile is missing.
    static func root(of size: Int64, _ connection: some PostgresQueryable) async throws -> MerkleHash {
        var frontier = MerkleFrontier()
        let edges = try await edges(connection)
        // As far as subtrees of 256 events go, and the events behind them.
        for (level, range) in [(1, 0..<size >> 8), (0, (size >> 8) << 8..<size)] where !range.isEmpty {
            let tiles = try await tiles(
                level: level, range.lowerBound >> 8..<((range.upperBound - 1) >> 8) + 1, connection)
            for index in range {
                let tile = tiles[index >> 8] ?? (level < edges.count ? edges[level] : [])
                guard Int(index & 255) < tile.count else {
                    throw SealHalt("a tile of level \(level) is missing; run `rollbook verify`")
                }
                frontier.append(subtree: tile[Int(index & 255)], height: 8 * level)
            }
        }
        return frontier.root
    }
}
