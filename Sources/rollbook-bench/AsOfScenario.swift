import Delivery
import EventSourcing
import Foundation
import Ledger

/// What a rollout was at a moment of its past, by version, position and time: a stream of 10,000 events.
struct AsOfScenario {
    let bed: BenchBed
    let plan: BenchPlan

    func run() async throws {
        let tale = try await BenchTale.told(atLeast: plan.streamLength)
        let events = Array(tale.prefix(plan.streamLength))
        let name = RolloutName(namespace: "default", name: "shop")!
        try await bed.withStore { store in
            for start in stride(from: 0, to: events.count, by: 500) {
                let part = events[start..<min(start + 500, events.count)]
                _ = try await store.append(
                    Append(
                        stream: name.stream, expecting: .exactly(StreamVersion(Int64(start))), events: part.map(\.event)
                    ))
            }
            let lookup = RolloutLookup(store, snapshots: LedgerRolloutSnapshots(store, logger: BenchBed.logger))
            // The first question about a stream folds all of it, and leaves snapshots behind.
            let begun = ContinuousClock.now
            _ = try await lookup.reading(name)
            Progress.say("  the first question took \((ContinuousClock.now - begun).seconds.rounded(toPlaces: 3)) s")
            var durations: [Duration] = []
            var numbers = BenchEvents(seed: 3)
            for index in 0..<plan.questions {
                let version = StreamVersion(Int64(1 + numbers.next() % UInt64(events.count)))
                // The stream is alone in its log: position and version are the same number.
                let point: PointInTime =
                    index.isMultiple(of: 2) ? .version(version) : .position(GlobalPosition(version.value))
                let begun = ContinuousClock.now
                let reading = try await lookup.reading(name, at: point)
                durations.append(ContinuousClock.now - begun)
                guard reading.version == version, reading.view != nil else {
                    throw BenchFailure("asked for version \(version) of \(name), and got \(reading.version)")
                }
            }
            let (p50, p99) = (
                Percentiles.milliseconds(durations, at: 0.5), Percentiles.milliseconds(durations, at: 0.99)
            )
            Progress.say("  p50 \(p50 ?? 0) ms, p99 \(p99 ?? 0) ms")
            try Figures(
                scenario: "as-of", p50_ms: p50, p99_ms: p99, events: events.count, settings: bed.settings
            ).say()
        }
    }
}
