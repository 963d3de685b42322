import EventSourcing
import Foundation
import Ledger
import Synchronization
import Transparency

/// Appends at half of the peak rate, alone and with the sealer, the projectors and a follower beside them: what these
/// cost the appends, and how far they fall behind.
struct HalfLoad {
    let bed: BenchBed
    let plan: BenchPlan
    /// Appends a second, at the most that was measured.
    let peak: Double

    private static let rollouts = 2000
    private let key: SigningKey

    init(bed: BenchBed, plan: BenchPlan, peak: Double) throws {
        (self.bed, self.plan, self.peak) = (bed, plan, peak)
        guard let key = SigningKey(generatedFor: "bench.example.com/log") else {
            throw BenchFailure("no key could be made")
        }
        self.key = key
    }

    func run() async throws {
        let rate = (peak / 2).rounded()
        let duration = plan.duration * 4
        // Each life is longer than what is appended to it.
        let tale = try await BenchTale.told(
            atLeast: Int(rate * duration.seconds * Double(2 * plan.rounds)) / Self.rollouts + 200)
        try await bed.withStore { store in
            let streams = LivingStreams(Self.rollouts, tale)
            _ = try await SteadyLoad.run(rate, for: duration / 4, to: streams, through: store)
            var (alone, beside): ([Duration], [Duration]) = ([], [])
            let lags = LagWatch()
            for round in 1...plan.rounds {
                try await bed.script("CHECKPOINT")
                alone += try await SteadyLoad.run(rate, for: duration, to: streams, through: store)
                try await bed.script("CHECKPOINT")
                beside += try await withReaders(store, lags) {
                    try await SteadyLoad.run(rate, for: duration, to: streams, through: store)
                }
                Progress.say(
                    "  half of the peak, round \(round): \(Int(rate))/s, p99 "
                        + "\(Percentiles.milliseconds(beside, at: 0.99) ?? 0) ms against "
                        + "\(Percentiles.milliseconds(alone, at: 0.99) ?? 0) ms alone; lags \(lags.seconds)")
            }
            try say("half of the peak rate, alone", rate, alone, nil)
            try say(
                "half of the peak rate, with sealer, projectors and a follower", rate, beside, lags.seconds)
        }
    }

    private func say(_ what: String, _ rate: Double, _ durations: [Duration], _ lags: [String: Double]?) throws {
        try Figures(
            scenario: "append", what: what, rate: rate, p50_ms: Percentiles.milliseconds(durations, at: 0.5),
            p99_ms: Percentiles.milliseconds(durations, at: 0.99), greatest_lag_s: lags, settings: bed.settings
        ).say()
    }

    /// Runs `body` with all that reads beside it, once it has caught up.
    private func withReaders(
        _ store: PostgresEventStore, _ lags: LagWatch, _ body: () async throws -> [Duration]
    ) async throws -> [Duration] {
        let projectors = Projector.all(store: store, logger: BenchBed.logger)
        var places: [(name: String, position: @Sendable () async -> GlobalPosition)] = []
        for projector in projectors {
            try await projector.catchUp()
            places.append((await projector.name, { await projector.position }))
        }
        let sealer = Sealer(store: store, signer: key, logger: BenchBed.logger)
        while try await sealer.seal() > 0 {}
        places.append(("sealer", { await sealer.position }))
        let follower = Place(try await store.head())
        places.append(("follower", { follower.position }))
        let watched = places
        var services: [@Sendable () async throws -> Void] = [
            { try await store.run() }, { try await sealer.run() }, { try await lags.run(store, watched) },
        ]
        services.append {
            for await batch in store.follow(after: follower.position, batchSize: 1000) {
                if let last = batch.last { follower.move(to: last.position) }
            }
        }
        for projector in projectors { services.append { try await projector.run() } }
        var durations: [Duration] = []
        try await Services.during(services) { durations = try await body() }
        return durations
    }
}

/// How far somebody has come.
private final class Place: Sendable {
    private let place: Mutex<GlobalPosition>

    init(_ position: GlobalPosition) { place = Mutex(position) }

    var position: GlobalPosition { place.withLock { $0 } }

    func move(to position: GlobalPosition) { place.withLock { $0 = position } }
}

/// For how long, at the most, the oldest event that a reader had not taken in had been in the log.
final class LagWatch: Sendable {
    private let worst = Mutex<[String: Double]>([:])

    /// The greatest lag of each reader, in seconds.
    var seconds: [String: Double] { worst.withLock { $0 } }

    /// Looks every few milliseconds, until the task is cancelled.
    func run(
        _ store: PostgresEventStore, _ readers: [(name: String, position: @Sendable () async -> GlobalPosition)]
    ) async throws {
        var heads: [(at: ContinuousClock.Instant, head: GlobalPosition)] = []
        while !Task.isCancelled {
            heads.append((.now, try await store.head()))
            for reader in readers {
                let place = await reader.position()
                // A reader that is being ended forgets where it stood.
                if Task.isCancelled { return }
                let now = ContinuousClock.now
                // The first look that saw more than the reader has is younger than the event by one look at the most.
                guard let seen = heads.first(where: { $0.head > place }) else { continue }
                let lag = (now - seen.at).seconds.rounded(toPlaces: 3)
                worst.withLock { $0[reader.name] = max($0[reader.name] ?? 0, lag) }
            }
            if heads.count > 3000 { heads.removeFirst(1000) }
            // How finely a lag is seen.
            try await Task.sleep(for: .milliseconds(10))
        }
    }
}
