/// Which hashes a proof consists of, before they are fetched: ranges of leaves, each the root of a subtree.
///
/// - Source: RFC 9162 §2.1.3.1 and §2.1.4.1.
public struct ProofPlan: Sendable, Equatable {
    /// The ranges of leaves, in the order of the proof's hashes.
    public let ranges: [Range<Int64>]

    /// The path from leaf `index` to the root of the first `size` leaves.
    ///
    /// - Precondition: `0 <= index < size`.
    public static func inclusion(of index: Int64, in size: Int64) -> ProofPlan {
        precondition((0..<size).contains(index), "leaf \(index) of \(size)")
        var ranges: [Range<Int64>] = []
        var range = 0..<size
        while range.count > 1 {
            let split = range.lowerBound + largestPowerOfTwo(below: Int64(range.count))
            if index < split {
                ranges.append(split..<range.upperBound)
                range = range.lowerBound..<split
            } else {
                ranges.append(range.lowerBound..<split)
                range = split..<range.upperBound
            }
        }
        return ProofPlan(ranges: ranges.reversed())
    }

    /// What shows that the tree of `new` leaves begins with the tree of `old` leaves.
    ///
    /// Empty when `old` is 0 or `new`.
    /// - Precondition: `0 <= old <= new`.
    public static func consistency(from old: Int64, to new: Int64) -> ProofPlan {
        precondition((0...new).contains(old), "from \(old) to \(new)")
        guard old > 0 else { return ProofPlan(ranges: []) }
        var ranges: [Range<Int64>] = []
        var range = 0..<new
        var isWhole = true
        while range.upperBound != old {
            let split = range.lowerBound + largestPowerOfTwo(below: Int64(range.count))
            if old <= split {
                ranges.append(split..<range.upperBound)
                range = range.lowerBound..<split
            } else {
                ranges.append(range.lowerBound..<split)
                range = split..<range.upperBound
                isWhole = false
            }
        }
        if !isWhole { ranges.append(range) }
        return ProofPlan(ranges: ranges.reversed())
    }

    /// The root of the tree of `size` leaves, which is one hash.
    public static func root(of size: Int64) -> ProofPlan { ProofPlan(ranges: [0..<size]) }

    /// The tiles that hold what the hashes are made of, each as wide as is needed.
    public var tiles: Set<TileAddress> {
        var widths: [TilePlace: Int] = [:]
        for subtree in ranges.flatMap(Self.subtrees) {
            widths[subtree.tile] = max(widths[subtree.tile] ?? 0, subtree.hashes.upperBound)
        }
        return Set(
            widths.compactMap { TileAddress(level: $0.key.level, index: $0.key.index, width: $0.value) })
    }

    /// The hashes, from the tiles that ``tiles`` names.
    ///
    /// - Parameter tile: Gives the hashes of a tile, at least as many as its address asks for.
    /// - Throws: What `tile` throws.
    public func hashes<Failure: Error>(
        _ tile: (TileAddress) throws(Failure) -> [MerkleHash]
    ) throws(Failure) -> [MerkleHash] {
        var fetched: [TilePlace: [MerkleHash]] = [:]
        for address in tiles {
            let hashes = try tile(address)
            precondition(hashes.count >= address.width, "\(address.path) has \(hashes.count) hashes")
            fetched[TilePlace(level: address.level, index: address.index)] = hashes
        }
        return ranges.map { range in
            MerkleHash.root(
                ofSubtrees: Self.subtrees(range).map { MerkleHash.root(of: fetched[$0.tile]![$0.hashes]) })
        }
    }

    private struct TilePlace: Hashable {
        var level: Int
        var index: Int64
    }

    /// Takes a range apart into perfect subtrees, the largest first, and says where in which tile each stands.
    private static func subtrees(_ range: Range<Int64>) -> [(tile: TilePlace, hashes: Range<Int>)] {
        var found: [(TilePlace, Range<Int>)] = []
        var start = range.lowerBound
        while start < range.upperBound {
            let height = 63 - (range.upperBound - start).leadingZeroBitCount
            let level = min(height / 8, TileAddress.highestLevel)
            let first = start >> (8 * Int64(level))
            let offset = Int(first & 255)
            found.append(
                (TilePlace(level: level, index: first >> 8), offset..<offset + 1 << (height - 8 * level)))
            start += 1 << Int64(height)
        }
        return found
    }

    private static func largestPowerOfTwo(below count: Int64) -> Int64 {
        1 << Int64(63 - (count - 1).leadingZeroBitCount)
    }
}
