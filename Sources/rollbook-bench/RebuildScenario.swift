import EventSourcing
import Ledger

/// Each read model made anew from the log; against COPY of the same rows.
struct RebuildScenario {
    let bed: BenchBed
    let plan: BenchPlan

    func run() async throws {
        let raw = try RawDrain(bed.owner)
        // The current state of rollouts first: that is the one a goal is set for.
        for name in ["rollout"] + Rebuild.names.filter({ $0 != "rollout" }) {
            try await bed.withStore { store in try await measure(name, raw, store) }
        }
    }

    private func measure(_ name: String, _ raw: RawDrain, _ store: PostgresEventStore) async throws {
        let head = try await store.head()
        guard let rebuild = Rebuild(name, store: store, logger: BenchBed.logger) else {
            throw BenchFailure("there is no read model \(name)")
        }
        try ResidentMemory.resetPeak()
        let comparison = try await Comparison.run("rebuild of \(name)", rounds: plan.rounds) {
            try await raw.run()
        } measuring: {
            let begun = ContinuousClock.now
            let report = try await rebuild.run { _ in }
            guard report.position == head else { throw BenchFailure("\(name) came to \(report.position), not \(head)") }
            return Double(head.value) / (ContinuousClock.now - begun).seconds
        }
        try Figures(
            scenario: "rebuild", what: name, rate: comparison.rate, against: RawDrain.name,
            baseline: comparison.baseline, ratio: comparison.ratio, events: Int(head.value),
            peak_mib: try ResidentMemory.peak(), settings: bed.settings
        ).say()
    }
}
