import EventSourcing
import Ledger

/// The whole log as event records, payloads not decoded; against COPY of the same rows.
struct ReadAllScenario {
    let bed: BenchBed
    let plan: BenchPlan

    func run() async throws {
        let raw = try RawDrain(bed.owner)
        try await bed.withStore { store in
            let head = try await store.head()
            try ResidentMemory.resetPeak()
            let comparison = try await Comparison.run("read-all", rounds: plan.rounds) {
                try await raw.run()
            } measuring: {
                let begun = ContinuousClock.now
                var (count, place) = (0, GlobalPosition.start)
                try await store.drain(after: .start, through: head) { events in
                    guard events.first?.position.value == place.value + 1 else {
                        throw BenchFailure("the log has a gap at \(place)")
                    }
                    count += events.count
                    place = events[events.count - 1].position
                }
                guard place == head else { throw BenchFailure("\(count) events were read, not \(head)") }
                return Double(count) / (ContinuousClock.now - begun).seconds
            }
            try Figures(
                scenario: "read-all", rate: comparison.rate, against: RawDrain.name, baseline: comparison.baseline,
                ratio: comparison.ratio, events: Int(head.value), peak_mib: try ResidentMemory.peak(),
                settings: bed.settings
            ).say()
        }
    }
}
