import Foundation
import Synchronization

/// One measured case, printed as one line of JSON; what does not apply is left out.
struct Figures: Encodable {
    /// Median, least and greatest of the rounds.
    struct Spread: Encodable {
        var median: Double
        var min: Double
        var max: Double

        /// - Precondition: `values` is not empty.
        init(_ values: [Double]) {
            let sorted = values.sorted()
            median = Percentiles.median(sorted).rounded(toPlaces: 3)
            min = sorted[0].rounded(toPlaces: 3)
            max = sorted[sorted.count - 1].rounded(toPlaces: 3)
        }
    }

    var scenario: String
    /// What was measured, where a scenario has several cases.
    var what: String?
    var callers: Int?
    /// Events (or what `what` counts) a second: the median of the rounds.
    var rate: Double?
    /// What the baseline is.
    var against: String?
    var baseline: Double?
    /// The case by the baseline, round by round.
    var ratio: Spread?
    var p50_ms: Double?
    var p99_ms: Double?
    var events: Int?
    var bytes_per_row: Double?
    /// How long it took: the median of the rounds.
    var seconds: Double?
    /// The greatest resident memory of this process while it was measured.
    var peak_mib: Double?
    /// By reader: for how long, at the most, the oldest event that it had not taken in had been in the log.
    var greatest_lag_s: [String: Double]?
    /// The server's settings.
    var settings: [String: String]

    /// Prints the line.
    func say() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        print(String(decoding: try encoder.encode(self), as: UTF8.self))
        fflush(nil)
    }
}

/// How long things took, noted by many tasks.
final class Durations: Sendable {
    private let kept = Mutex<[Duration]>([])

    /// All of them, in no order.
    var all: [Duration] { kept.withLock { $0 } }

    func add(_ duration: Duration) { kept.withLock { $0.append(duration) } }
}

/// Order statistics.
enum Percentiles {
    /// The middle of `sorted`, or the mean of both middles.
    static func median(_ sorted: [Double]) -> Double {
        let middle = sorted.count / 2
        return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }

    /// The value at `share` (0…1) of `durations`, in milliseconds; nil if there are none.
    static func milliseconds(_ durations: [Duration], at share: Double) -> Double? {
        guard !durations.isEmpty else { return nil }
        let sorted = durations.sorted()
        let index = min(sorted.count - 1, Int((Double(sorted.count) * share).rounded(.up)) - 1)
        return (sorted[max(0, index)].seconds * 1000).rounded(toPlaces: 3)
    }
}

extension Double {
    func rounded(toPlaces places: Int) -> Double {
        let scale = pow(10, Double(places))
        return (self * scale).rounded() / scale
    }
}

extension Duration {
    var seconds: Double {
        let (whole, atto) = components
        return Double(whole) + Double(atto) / 1e18
    }
}

/// What is going on, for whoever watches.
enum Progress {
    static func say(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }
}
