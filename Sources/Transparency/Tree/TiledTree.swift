/// A tree that grows at its right end and is kept as tiles: full ones are handed out once, for good; of each level only
/// the last, unfinished one is kept here.
public struct TiledTree: Sendable, Equatable {
    /// How many leaves it has.
    public private(set) var size: Int64 = 0
    /// The unfinished tile of each level, from level 0 on: fewer than 256 hashes each, possibly none.
    public private(set) var edges: [[MerkleHash]] = []

    /// A full tile.
    public struct FullTile: Sendable, Equatable {
        /// From 0.
        public let level: Int
        /// From 0.
        public let index: Int64
        /// 256 of them.
        public let hashes: [MerkleHash]
    }

    /// A tree without leaves.
    public init() {}

    /// Takes up a tree where it was left; `nil` if a level of `edges` has not as many hashes as `size` asks for.
    public init?(size: Int64, edges: [[MerkleHash]]) {
        guard size >= 0 else { return nil }
        var edges = edges
        while edges.last?.isEmpty == true { edges.removeLast() }
        for level in 0...TileAddress.highestLevel {
            let present = level < edges.count ? edges[level].count : 0
            guard present == TileAddress.edgeWidth(level: level, size: size) else { return nil }
        }
        self.size = size
        self.edges = edges
    }

    /// Adds a leaf by its hash; tiles that become full are appended to `completed`, lower levels first.
    public mutating func append(_ leaf: MerkleHash, completed: inout [FullTile]) {
        var carried = leaf
        var level = 0
        size += 1
        while true {
            if level == edges.count { edges.append([]) }
            edges[level].append(carried)
            guard edges[level].count == TileAddress.fullWidth else { break }
            let hashes = edges[level]
            let index = (size >> (8 * Int64(level + 1))) - 1
            completed.append(FullTile(level: level, index: index, hashes: hashes))
            edges[level] = []
            edges[level].reserveCapacity(TileAddress.fullWidth)
            carried = MerkleHash.root(of: hashes)
            level += 1
        }
        while edges.last?.isEmpty == true { edges.removeLast() }
    }

    /// The hash of the whole tree; costs a hash for each hash that ``edges`` holds.
    public var root: MerkleHash {
        var subtrees: [MerkleHash] = []
        for edge in edges.reversed() {
            var frontier = MerkleFrontier()
            for hash in edge { frontier.append(hash) }
            subtrees += frontier.subtrees
        }
        return MerkleHash.root(ofSubtrees: subtrees)
    }
}
