/// Which tile: a level, an index in it, and how many hashes are meant.
///
/// A tile of level l and index n holds the hashes of the subtrees of 256^l leaves that begin at leaf n·256^(l+1).
/// - Source: C2SP tlog-tiles.
public struct TileAddress: Sendable, Hashable {
    /// How many hashes a full tile has.
    public static let fullWidth = 256
    /// The highest level that a tree of 2^63 leaves has.
    public static let highestLevel = 7

    /// From 0, where the hashes are those of leaves.
    public let level: Int
    /// From 0.
    public let index: Int64
    /// From 1 to 256; less than 256 is a partial tile, the beginning of a full one.
    public let width: Int

    /// Makes an address; `nil` if something is out of range.
    public init?(level: Int, index: Int64, width: Int = TileAddress.fullWidth) {
        guard (0...Self.highestLevel).contains(level), index >= 0, (1...Self.fullWidth).contains(width) else {
            return nil
        }
        self.level = level
        self.index = index
        self.width = width
    }

    /// How many hashes the last tile of `level` has in a tree of `size` leaves; 0 if all are full.
    public static func edgeWidth(level: Int, size: Int64) -> Int { Int((size >> (8 * Int64(level))) & 255) }

    /// How many full tiles `level` has in a tree of `size` leaves.
    public static func fullTiles(level: Int, size: Int64) -> Int64 {
        level < highestLevel ? size >> (8 * Int64(level + 1)) : 0
    }

    /// Whether a tree of `size` leaves has this tile, at least as wide.
    public func exists(in size: Int64) -> Bool {
        let full = Self.fullTiles(level: level, size: size)
        return index < full || (index == full && width <= Self.edgeWidth(level: level, size: size))
    }

    /// The path below the log's prefix, such as `tile/0/x001/x234/067.p/12`.
    public var path: String { "tile/\(level)/\(Self.path(index: index, width: width))" }

    /// The part of a path that names index and width, such as `x001/x234/067.p/12`.
    public static func path(index: Int64, width: Int = fullWidth) -> String {
        var groups: [String] = []
        var rest = index
        repeat {
            let digits = String(rest % 1000)
            groups.append(String(repeating: "0", count: 3 - digits.count) + digits)
            rest /= 1000
        } while rest > 0
        let path = groups.reversed().enumerated()
            .map { $0 == groups.count - 1 ? $1 : "x" + $1 }.joined(separator: "/")
        return width == fullWidth ? path : path + ".p/\(width)"
    }

    /// Reads what ``path(index:width:)`` writes, and nothing else.
    public static func parse(path: String) -> (index: Int64, width: Int)? {
        var segments = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        var width = fullWidth
        if segments.count >= 2, segments[segments.count - 2].hasSuffix(".p") {
            guard let partial = Int(segments.removeLast()) else { return nil }
            width = partial
            segments[segments.count - 1].removeLast(2)
        }
        var index: Int64 = 0
        for (place, segment) in segments.enumerated() {
            let digits = place == segments.count - 1 ? segment[...] : segment.dropFirst()
            guard digits.utf8.count == 3, let group = Int64(digits), group >= 0,
                case (let shifted, false) = index.multipliedReportingOverflow(by: 1000),
                case (let sum, false) = shifted.addingReportingOverflow(group)
            else { return nil }
            index = sum
        }
        guard (1...fullWidth).contains(width), Self.path(index: index, width: width) == path else { return nil }
        return (index, width)
    }
}
