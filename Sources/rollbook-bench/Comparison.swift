import Foundation

/// Case and baseline, alternating over several rounds.
struct Comparison {
    private(set) var rates: [Double] = []
    private(set) var baselines: [Double] = []

    /// Measures `rounds` times: first the baseline, then the case; both answer how many a second.
    static func run(
        _ name: String, rounds: Int, baseline: () async throws -> Double, measuring measured: () async throws -> Double
    ) async throws -> Comparison {
        var comparison = Comparison()
        for round in 1...rounds {
            let (against, rate) = (try await baseline(), try await measured())
            comparison.baselines.append(against)
            comparison.rates.append(rate)
            Progress.say(
                "  \(name), round \(round): \(Int(rate))/s against \(Int(against))/s, "
                    + "\((rate / against).rounded(toPlaces: 2))×")
        }
        return comparison
    }

    /// The same rounds against another baseline, measured in each of them.
    func against(_ others: [Double]) -> Comparison {
        var comparison = self
        comparison.baselines = others
        return comparison
    }

    var rate: Double { Percentiles.median(rates.sorted()).rounded() }
    var baseline: Double { Percentiles.median(baselines.sorted()).rounded() }
    var ratio: Figures.Spread { Figures.Spread(zip(rates, baselines).map { $0 / $1 }) }
}
