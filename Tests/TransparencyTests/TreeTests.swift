import Testing
import Transparency

/// Trees, proofs and tiles against the definitions of RFC 6962, written down a second time and slowly.
@Suite struct TreeTests {
    /// RFC 6962 §2.1, word for word.
    private static func root(_ leaves: ArraySlice<MerkleHash>) -> MerkleHash {
        if leaves.isEmpty { return .empty }
        if leaves.count == 1 { return leaves.first! }
        var split = 1
        while split * 2 < leaves.count { split *= 2 }
        let middle = leaves.startIndex + split
        return .node(root(leaves[..<middle]), root(leaves[middle...]))
    }

    static func leaves(_ count: Int) -> [MerkleHash] { (0..<count).map { .leaf(Array("leaf \($0)".utf8)) } }

    /// A tree of `count` leaves as tiles, full and partial.
    static func tiles(_ leaves: [MerkleHash]) -> (tree: TiledTree, tile: (TileAddress) -> [MerkleHash]) {
        var tree = TiledTree()
        var full: [TiledTree.FullTile] = []
        for leaf in leaves { tree.append(leaf, completed: &full) }
        let found = Dictionary(uniqueKeysWithValues: full.map { ([Int64($0.level), $0.index], $0.hashes) })
        return (tree, { address in found[[Int64(address.level), address.index]] ?? tree.edges[address.level] })
    }

    @Test func `the published vectors of RFC 6962's authors hold`() {
        // From certificate-transparency's merkletree tests: eight entries and the roots of each beginning.
        let entries = [
            "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
        ].map(Self.bytes)
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ].map { MerkleHash(Self.bytes($0))! }
        #expect(
            MerkleHash.empty
                == MerkleHash(Self.bytes("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")))
        var frontier = MerkleFrontier()
        var tree = TiledTree()
        var full: [TiledTree.FullTile] = []
        for (entry, root) in zip(entries, roots) {
            frontier.append(.leaf(entry))
            tree.append(.leaf(entry), completed: &full)
            #expect(frontier.root == root)
            #expect(tree.root == root)
        }
        // The published path of leaf 0 in the tree of eight.
        let path = [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ].map { MerkleHash(Self.bytes($0))! }
        let made = ProofPlan.inclusion(of: 0, in: 8).hashes(Self.tiles(entries.map { .leaf($0) }).tile)
        #expect(made == path)
        #expect(ProofCheck.isIncluded(.leaf(entries[0]), at: 0, size: 8, path: path, root: roots[7]))
    }

    @Test func `frontier, tiles and plans give the root that the definition gives, for every size up to 600`() {
        let leaves = Self.leaves(600)
        var frontier = MerkleFrontier()
        var tree = TiledTree()
        var full: [TiledTree.FullTile] = []
        for size in 0...600 {
            let expected = Self.root(leaves[..<size])
            #expect(frontier.root == expected)
            #expect(tree.root == expected)
            #expect(TiledTree(size: Int64(size), edges: tree.edges) == tree)
            if size < 600 {
                frontier.append(leaves[size])
                tree.append(leaves[size], completed: &full)
            }
        }
        #expect(frontier.subtrees.count <= 10)
        let tile = Self.tiles(leaves).tile
        for size in [1, 2, 255, 256, 257, 511, 512, 513, 600] {
            #expect(ProofPlan.root(of: Int64(size)).hashes(tile) == [Self.root(leaves[..<size])])
        }
    }

    @Test func `a tree grows by perfect subtrees as by leaves`() {
        let leaves = Self.leaves(300)
        var byLeaves = MerkleFrontier()
        for leaf in leaves { byLeaves.append(leaf) }
        var bySubtrees = MerkleFrontier()
        bySubtrees.append(subtree: Self.root(leaves[0..<256]), height: 8)
        bySubtrees.append(subtree: Self.root(leaves[256..<288]), height: 5)
        for leaf in leaves[288...] { bySubtrees.append(leaf) }
        #expect(bySubtrees == byLeaves)
    }

    @Test func `every inclusion proof up to 64 leaves holds, and none that was changed`() {
        let leaves = Self.leaves(65)
        let tile = Self.tiles(Array(leaves[..<64])).tile
        for size in 1...64 {
            let root = Self.root(leaves[..<size])
            for index in 0..<size {
                let path = ProofPlan.inclusion(of: Int64(index), in: Int64(size)).hashes(tile)
                func holds(_ leaf: Int, _ index: Int, _ size: Int, _ path: [MerkleHash], _ root: MerkleHash) -> Bool {
                    ProofCheck.isIncluded(leaves[leaf], at: Int64(index), size: Int64(size), path: path, root: root)
                }
                #expect(holds(index, index, size, path, root))
                #expect(!holds(index + 1, index, size, path, root))
                for other in 0..<size where other != index { #expect(!holds(index, other, size, path, root)) }
                #expect(!holds(index, index, size, path, .empty))
                #expect(!holds(index, index, size, path + [root], root))
                for place in path.indices {
                    var changed = path
                    changed[place] = leaves[64]
                    #expect(!holds(index, index, size, changed, root))
                    changed = path
                    changed.remove(at: place)
                    #expect(!holds(index, index, size, changed, root))
                }
                #expect(!holds(index, -1, size, path, root))
                #expect(!holds(index, size, size, path, root))
            }
        }
    }

    @Test func `every consistency proof up to 64 leaves holds, and none that was changed`() {
        let leaves = Self.leaves(65)
        let tile = Self.tiles(Array(leaves[..<64])).tile
        let roots = (0...64).map { Self.root(leaves[..<$0]) }
        for new in 0...64 {
            for old in 0...new {
                let path = ProofPlan.consistency(from: Int64(old), to: Int64(new)).hashes(tile)
                func holds(_ oldRoot: MerkleHash, _ newRoot: MerkleHash, _ path: [MerkleHash], old: Int = old) -> Bool {
                    ProofCheck.isConsistent(
                        oldSize: Int64(old), oldRoot: oldRoot, newSize: Int64(new), newRoot: newRoot, path: path)
                }
                #expect(holds(roots[old], roots[new], path), "\(old) to \(new)")
                #expect(!holds(leaves[64], roots[new], path))
                if old > 0 { #expect(!holds(roots[old], leaves[64], path)) }
                #expect(!holds(roots[old], roots[new], path + [leaves[64]]))
                for other in 1..<max(new, 1) where other != old {
                    #expect(!holds(roots[old], roots[new], path, old: other), "\(old) as \(other) to \(new)")
                }
                for place in path.indices {
                    var changed = path
                    changed[place] = leaves[64]
                    #expect(!holds(roots[old], roots[new], changed))
                    changed = path
                    changed.remove(at: place)
                    #expect(!holds(roots[old], roots[new], changed))
                }
            }
        }
    }

    @Test func `proofs over several levels of tiles hold`() {
        let leaves = Self.leaves(66_000)
        let (tree, tile) = Self.tiles(leaves)
        #expect(tree.edges.map(\.count) == [66_000 % 256, 66_000 / 256 % 256, 1])
        var random = Seeded(seed: 7)
        for _ in 0..<300 {
            let size = Int64.random(in: 1...66_000, using: &random)
            let old = Int64.random(in: 1...size, using: &random)
            let index = Int64.random(in: 0..<size, using: &random)
            let root = ProofPlan.root(of: size).hashes(tile)[0]
            let oldRoot = ProofPlan.root(of: old).hashes(tile)[0]
            #expect(
                ProofCheck.isIncluded(
                    leaves[Int(index)], at: index, size: size,
                    path: ProofPlan.inclusion(of: index, in: size).hashes(tile), root: root))
            let consistency = ProofPlan.consistency(from: old, to: size)
            #expect(
                ProofCheck.isConsistent(
                    oldSize: old, oldRoot: oldRoot, newSize: size, newRoot: root, path: consistency.hashes(tile)))
            #expect(consistency.tiles.allSatisfy { $0.exists(in: size) })
        }
        #expect(ProofPlan.root(of: 66_000).hashes(tile) == [Self.root(leaves[...])])
    }

    @Test func `a tree is not taken up with levels that do not fit its size`() {
        let leaves = Self.leaves(3)
        #expect(TiledTree(size: 3, edges: [leaves]) != nil)
        #expect(TiledTree(size: 2, edges: [leaves]) == nil)
        #expect(TiledTree(size: 256, edges: [[], [leaves[0]]]) != nil)
        #expect(TiledTree(size: 256, edges: [leaves]) == nil)
        #expect(TiledTree(size: -1, edges: []) == nil)
    }

    @Test func `the addresses of tiles are those of the specification`() {
        #expect(TileAddress.path(index: 1_234_067) == "x001/x234/067")
        #expect(TileAddress.path(index: 0, width: 3) == "000.p/3")
        #expect(TileAddress(level: 1, index: 273, width: 112)?.path == "tile/1/273.p/112")
        for index: Int64 in [0, 1, 999, 1000, 1_234_067, 999_999_999] {
            for width in [1, 17, 255, 256] {
                let read = TileAddress.parse(path: TileAddress.path(index: index, width: width))
                #expect(read?.index == index && read?.width == width)
            }
        }
        for wrong in [
            "", "1", "01", "0001", "x001", "001/002", "x01/002", "000.p", "000.p/", "000.p/0", "000.p/256", "000.p/01",
            "x000/001", "000/", "/000", "+01", "000.p/-1", "x999/x999/x999/x999/x999/x999/999",
        ] { #expect(TileAddress.parse(path: wrong) == nil, "\(wrong)") }
        // The example of the specification: 70,000 leaves.
        #expect(TileAddress.fullTiles(level: 0, size: 70_000) == 273)
        #expect((0...3).map { TileAddress.edgeWidth(level: $0, size: 70_000) } == [112, 17, 1, 0])
        #expect(TileAddress.fullTiles(level: 1, size: 70_000) == 1)
        #expect(TileAddress(level: 0, index: 273, width: 112)!.exists(in: 70_000))
        #expect(!TileAddress(level: 0, index: 273, width: 113)!.exists(in: 70_000))
        #expect(!TileAddress(level: 3, index: 0, width: 1)!.exists(in: 70_000))
    }

    static func bytes(_ hexadecimal: String) -> [UInt8] {
        stride(from: 0, to: hexadecimal.count, by: 2).map { offset in
            let start = hexadecimal.index(hexadecimal.startIndex, offsetBy: offset)
            return UInt8(hexadecimal[start..<hexadecimal.index(start, offsetBy: 2)], radix: 16)!
        }
    }
}

/// Repeatable randomness (SplitMix64).
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
