import EventSourcing
import Foundation
import Ledger
import Postgres

/// Imports a file of events, from its first byte to the last commit; against COPY of the same rows, already in the form
/// that the server takes, into a table of the log's own shape.
struct ImportScenario {
    let bed: BenchBed
    let plan: BenchPlan

    private static let streams = 1000

    private static let schema = """
        CREATE SCHEMA bench_import;
        \(BenchRows.table("bench_import.event"))
        """

    func run() async throws {
        let count = max(1, min(plan.events, 200_000) / Self.streams) * Self.streams
        try await bed.script(Self.schema)
        var (rates, baselines, ratios): ([Double], [Double], [Double]) = ([], [], [])
        try await bed.withStore { store in
            for round in 1...plan.rounds {
                let rows = BenchRows(round: round, count: count, streams: Self.streams)
                try await bed.script("CHECKPOINT")
                let baseline = try await rows.copied(into: "bench_import.event", bed.owner)
                try await bed.script("CHECKPOINT")
                let rate = Double(count) / (try await load(rows, store))
                rates.append(rate)
                baselines.append(baseline)
                ratios.append(rate / baseline)
                Progress.say(
                    "  round \(round): \(Int(rate))/s against \(Int(baseline))/s, "
                        + "\((rate / baseline).rounded(toPlaces: 2))×")
            }
        }
        try await bed.script("DROP SCHEMA bench_import CASCADE")
        try Figures(
            scenario: "import", rate: Percentiles.median(rates.sorted()).rounded(),
            against: "COPY of the same rows into a table with the same indexes",
            baseline: Percentiles.median(baselines.sorted()).rounded(), ratio: Figures.Spread(ratios), events: count,
            settings: bed.settings
        ).say()
    }

    /// How long the import takes.
    private func load(_ rows: BenchRows, _ store: PostgresEventStore) async throws -> Double {
        let file = NSTemporaryDirectory() + "rollbook-bench-\(UUID().uuidString)"
        try rows.lines().write(to: URL(fileURLWithPath: file))
        defer { unlink(file) }
        let began = ContinuousClock.now
        let report = try await LedgerImport(store: store, logger: BenchBed.logger).run(file)
        let seconds = (ContinuousClock.now - began).seconds
        guard report.appended == Int64(rows.events.count) else {
            throw BenchFailure("\(report.appended) of \(rows.events.count) events were imported")
        }
        return seconds
    }
}
