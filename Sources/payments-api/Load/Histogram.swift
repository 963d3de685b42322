/// Counts of durations in microseconds, in buckets about 6 % wide; constant size however many are counted.
struct Histogram: Sendable, Equatable {
    private var counts = [Int](repeating: 0, count: 64 * 16)
    private(set) var total = 0
    private(set) var max: Int64 = 0

    mutating func count(_ value: Int64) {
        let value = Swift.max(0, value)
        counts[Self.index(value)] += 1
        total += 1
        max = Swift.max(max, value)
    }

    /// The upper edge of the bucket that holds the `quantile` (0…1) of all values, at most `max`; 0 when empty.
    func value(at quantile: Double) -> Int64 {
        let rank = Int((Double(total) * quantile).rounded(.up))
        var seen = 0
        for (index, count) in counts.enumerated() where count > 0 {
            seen += count
            if seen >= rank { return min(Self.upperEdge(index), max) }
        }
        return max
    }

    /// 0…31 have a bucket each; above that, sixteen for each power of two.
    private static func index(_ value: Int64) -> Int {
        guard value >= 32 else { return Int(value) }
        let exponent = 63 - value.leadingZeroBitCount
        return (exponent - 3) * 16 + Int((value >> (exponent - 4)) & 15)
    }

    private static func upperEdge(_ index: Int) -> Int64 {
        guard index >= 32 else { return Int64(index) }
        let exponent = index / 16 + 3
        return (Int64(16 + index % 16 + 1) << (exponent - 4)) - 1
    }
}
