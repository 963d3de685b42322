/// A tree that grows at its right end and remembers no more than its root needs: at most 63 hashes.
public struct MerkleFrontier: Sendable, Equatable {
    /// How many leaves it has.
    public private(set) var size: Int64 = 0
    /// The roots of the perfect subtrees that make it up, the largest, which is leftmost, first.
    public private(set) var subtrees: [MerkleHash] = []

    /// A tree without leaves.
    public init() {}

    /// Adds a leaf by its hash.
    public mutating func append(_ leaf: MerkleHash) { append(subtree: leaf, height: 0) }

    /// Adds a perfect subtree of 2^`height` leaves by its root.
    ///
    /// - Precondition: ``size`` is a multiple of 2^`height`.
    public mutating func append(subtree: MerkleHash, height: Int) {
        let leaves = Int64(1) << height
        precondition(size % leaves == 0, "a subtree of \(leaves) leaves cannot stand at \(size)")
        var carried = subtree
        var rest = size >> height
        while rest & 1 == 1 {
            carried = .node(subtrees.removeLast(), carried)
            rest >>= 1
        }
        subtrees.append(carried)
        size += leaves
    }

    /// The hash of the whole tree.
    public var root: MerkleHash { MerkleHash.root(ofSubtrees: subtrees) }
}

extension MerkleHash {
    /// The root of the tree that these perfect subtrees make up, the largest first, each smaller than the one before.
    public static func root(ofSubtrees subtrees: some BidirectionalCollection<MerkleHash>) -> MerkleHash {
        guard let last = subtrees.last else { return .empty }
        return subtrees.dropLast().reversed().reduce(last) { .node($1, $0) }
    }

    /// The root over `hashes` as leaves, any number of them.
    public static func root(of hashes: some Sequence<MerkleHash>) -> MerkleHash {
        var frontier = MerkleFrontier()
        for hash in hashes { frontier.append(hash) }
        return frontier.root
    }
}
