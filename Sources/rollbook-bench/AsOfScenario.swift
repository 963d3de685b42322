import Delivery
import EventSourcing
import Foundation
import Ledger

/// What a rollout was at a moment of its past, by version, position and time: a stream of 10,000 events.
struct AsOfScenario {
    let bed: BenchBed
    let plan: BenchPlan

    /// Events of one append, which are of one time.
    private static let appended = 10
    private let name = RolloutName(namespace: "default", name: "shop")!

    init(bed: BenchBed, plan: BenchPlan) { (self.bed, self.plan) = (bed, plan) }

    func run() async throws {
        let tale = try await BenchTale.told(atLeast: plan.streamLength)
        let events = Array(tale.prefix(plan.streamLength))
        try await bed.withStore { store in
            var moments: [Moment] = []
            for start in stride(from: 0, to: events.count, by: Self.appended) {
                let part = events[start..<min(start + Self.appended, events.count)]
                let answer = try await store.append(
                    Append(
                        stream: name.stream, expecting: .exactly(StreamVersion(Int64(start))), events: part.map(\.event)
                    ))
                moments.append(Moment(at: answer.recordedAt, version: answer.version))
            }
            // The first question about a stream folds all of it, and leaves snapshots behind.
            let begun = ContinuousClock.now
            let lookup = RolloutLookup(store, snapshots: LedgerRolloutSnapshots(store, logger: BenchBed.logger))
            _ = try await lookup.reading(name)
            Progress.say("  the first question took \((ContinuousClock.now - begun).seconds.rounded(toPlaces: 3)) s")
            try await ask("of a stream that was asked about before", events.count, moments) { lookup }
            try await ask("each by an instance that was just started", events.count, moments) {
                RolloutLookup(store, snapshots: LedgerRolloutSnapshots(store, logger: BenchBed.logger))
            }
        }
    }

    /// A time, and the version that the stream had at it.
    private struct Moment {
        let at: Instant
        let version: StreamVersion
    }

    /// Times questions by version, position and time in turn, each to a lookup from `lookup`.
    private func ask(
        _ what: String, _ count: Int, _ moments: [Moment], _ lookup: () -> RolloutLookup
    ) async throws {
        var durations: [Duration] = []
        var numbers = BenchEvents(seed: 3)
        for index in 0..<plan.moments {
            var version = StreamVersion(Int64(1 + numbers.next() % UInt64(count)))
            let point: PointInTime
            switch index % 3 {
            case 0: point = .version(version)
            // The stream is alone in its log: position and version are the same number.
            case 1: point = .position(GlobalPosition(version.value))
            default:
                let moment = moments[Int(version.value - 1) / Self.appended]
                (point, version) = (.time(moment.at), moment.version)
            }
            let lookup = lookup()
            let begun = ContinuousClock.now
            let reading = try await lookup.reading(name, at: point)
            durations.append(ContinuousClock.now - begun)
            guard reading.version == version, reading.view != nil else {
                throw BenchFailure("asked for version \(version) of \(name), and got \(reading.version)")
            }
        }
        let (p50, p99) = (Percentiles.milliseconds(durations, at: 0.5), Percentiles.milliseconds(durations, at: 0.99))
        Progress.say("  \(what): p50 \(p50 ?? 0) ms, p99 \(p99 ?? 0) ms")
        try Figures(
            scenario: "as-of", what: what, p50_ms: p50, p99_ms: p99, events: count, settings: bed.settings
        ).say()
    }
}
