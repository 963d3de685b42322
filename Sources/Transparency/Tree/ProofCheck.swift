/// Whether proofs hold; needs nothing but hashes.
public enum ProofCheck {
    /// Whether `path` leads from `leaf`, the hash of leaf `index`, to `root`, that of a tree of `size` leaves.
    ///
    /// - Source: RFC 9162 §2.1.3.2.
    public static func isIncluded(
        _ leaf: MerkleHash, at index: Int64, size: Int64, path: [MerkleHash], root: MerkleHash
    ) -> Bool {
        guard index >= 0, index < size else { return false }
        var node = index
        var last = size - 1
        var hash = leaf
        for step in path {
            guard last > 0 else { return false }
            if node & 1 == 1 || node == last {
                hash = .node(step, hash)
                while node & 1 == 0, node != 0 {
                    node >>= 1
                    last >>= 1
                }
            } else {
                hash = .node(hash, step)
            }
            node >>= 1
            last >>= 1
        }
        return last == 0 && hash == root
    }

    /// Whether `path` shows that the tree of `newSize` leaves with `newRoot` begins with that of `oldSize` and `oldRoot`.
    ///
    /// Every tree begins with the empty one; two of one size must have one root; for both the path is empty.
    /// - Source: RFC 9162 §2.1.4.2.
    public static func isConsistent(
        oldSize: Int64, oldRoot: MerkleHash, newSize: Int64, newRoot: MerkleHash, path: [MerkleHash]
    ) -> Bool {
        guard oldSize >= 0, oldSize <= newSize else { return false }
        if oldSize == 0 { return path.isEmpty && oldRoot == .empty && (newSize > 0 || newRoot == .empty) }
        if oldSize == newSize { return path.isEmpty && oldRoot == newRoot }
        var path = path[...]
        if oldSize & (oldSize - 1) == 0 { path.insert(oldRoot, at: path.startIndex) }
        guard let first = path.popFirst() else { return false }
        var node = oldSize - 1
        var last = newSize - 1
        while node & 1 == 1 {
            node >>= 1
            last >>= 1
        }
        var old = first
        var new = first
        for step in path {
            guard last > 0 else { return false }
            if node & 1 == 1 || node == last {
                old = .node(step, old)
                new = .node(step, new)
                while node & 1 == 0, node != 0 {
                    node >>= 1
                    last >>= 1
                }
            } else {
                new = .node(new, step)
            }
            node >>= 1
            last >>= 1
        }
        return last == 0 && old == oldRoot && new == newRoot
    }
}
