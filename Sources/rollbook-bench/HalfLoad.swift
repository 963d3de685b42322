import EventSourcing
import Foundation
import Ledger
import Synchronization
import Transparency

/// Appends at half of the peak rate, alone and with the sealer, projectors and a follower beside them: what these cost
/// the appends, and how far they fall behind.
struct HalfLoad {
    let bed: BenchBed
    let plan: BenchPlan

    private static let rollouts = 1000
    private static let callers = 256
    /// More appends a second than half of the peak is anywhere.
    private static let mostRate = 25_000.0
    private let key: SigningKey

    init(bed: BenchBed, plan: BenchPlan) throws {
        (self.bed, self.plan) = (bed, plan)
        guard let key = SigningKey(generatedFor: "bench.example.com/log") else {
            throw BenchFailure("no key could be made")
        }
        self.key = key
    }

    func run() async throws {
        let duration = plan.duration * 4
        // Each life is longer than what is appended to it.
        let tale = try await BenchTale.told(
            atLeast: Int(Self.mostRate * duration.seconds * Double(4 * plan.rounds + 4)) / Self.rollouts
                + LivingStreams.spread)
        try await bed.withStore { store in
            let streams = try await LivingStreams.begun(Self.rollouts, tale, through: store)
            // The peak of these events, not of others: what they weigh decides.
            _ = try await streams.rush(Self.callers, for: plan.duration, through: store)
            try await bed.settle(store)
            let rate = (try await streams.rush(Self.callers, for: duration, through: store) / 2).rounded()
            var durations = [[Duration]](repeating: [], count: Company.allCases.count)
            var slowest = [[Double]](repeating: [], count: Company.allCases.count)
            let lags = Company.allCases.map { _ in LagWatch() }
            for round in 1...plan.rounds {
                for (index, company) in Company.allCases.enumerated() {
                    let measured = try await with(company, store, lags[index]) { duration in
                        try await SteadyLoad.run(rate, for: duration, to: streams, through: store)
                    }
                    durations[index] += measured
                    slowest[index].append(Percentiles.milliseconds(measured, at: 0.99) ?? 0)
                }
                let p99 = slowest.map { "\($0.last ?? 0)" }.joined(separator: ", ")
                Progress.say(
                    "  half of the peak, round \(round): \(Int(rate))/s, p99 in ms alone and beside readers \(p99); "
                        + "lags \(lags.dropFirst().map(\.seconds))")
            }
            for (index, company) in Company.allCases.enumerated() {
                let what = "half of the peak rate, \(company.rawValue)"
                guard company != .nobody else {
                    try say(what, rate, durations[index])
                    continue
                }
                try say(
                    what, rate, durations[index], lags[index].seconds,
                    Figures.Spread(zip(slowest[index], slowest[0]).map { $0 / $1 }))
            }
        }
    }

    /// Who reads beside the appends.
    private enum Company: String, CaseIterable {
        case nobody = "alone"
        case projector = "with sealer, projector of rollouts and a follower"
        case auditIndex = "with those and the audit index"
    }

    /// - Parameter ratio: The p99 of each round by that of the same round with nobody beside.
    private func say(
        _ what: String, _ rate: Double, _ durations: [Duration], _ lags: [String: Double]? = nil,
        _ ratio: Figures.Spread? = nil
    ) throws {
        try Figures(
            scenario: "append", what: what, rate: rate, against: ratio.map { _ in "the p99 alone" }, ratio: ratio,
            p50_ms: Percentiles.milliseconds(durations, at: 0.5),
            p99_ms: Percentiles.milliseconds(durations, at: 0.99), greatest_lag_s: lags, settings: bed.settings
        ).say()
    }

    /// Runs `body` with all that reads beside it, once they have caught up and hold what they need of each rollout; each
    /// time from a checkpoint on.
    private func with(
        _ company: Company, _ store: PostgresEventStore, _ lags: LagWatch,
        _ body: (Duration) async throws -> [Duration]
    ) async throws -> [Duration] {
        var projectors: [Projector] = []
        var places: [(name: String, position: @Sendable () async -> GlobalPosition)] = []
        var services: [@Sendable () async throws -> Void] = [{ try await store.run() }]
        for projector in Projector.all(store: store, logger: BenchBed.logger) where company != .nobody {
            let name = await projector.name
            if company == .projector, name != "rollout" { continue }
            try await projector.catchUp()
            projectors.append(projector)
            places.append((name, { await projector.position }))
            services.append { try await projector.run() }
        }
        if company != .nobody {
            let sealer = Sealer(store: store, signer: key, logger: BenchBed.logger)
            while try await sealer.seal() > 0 {}
            places.append(("sealer", { await sealer.position }))
            services.append { try await sealer.run() }
            let follower = Place(try await store.head())
            places.append(("follower", { follower.position }))
            services.append {
                for try await batch in store.follow(after: follower.position, batchSize: 1000) {
                    if let last = batch.last { follower.move(to: last.position) }
                }
            }
        }
        let watched = places
        var durations: [Duration] = []
        try await Services.during(services) {
            _ = try await body(plan.duration)
            let head = try await store.head()
            for projector in projectors { try await projector.waitUntil(head) }
            try await bed.settle(store)
            try await Services.during([{ try await lags.run(store, watched) }]) {
                durations = try await body(plan.duration * 4)
            }
        }
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

    /// Looks some forty times a second, until the task is cancelled: what measures is to cost little beside what is
    /// measured.
    func run(
        _ store: PostgresEventStore, _ readers: [(name: String, position: @Sendable () async -> GlobalPosition)]
    ) async throws {
        // Of each look: when the one before it began, for what it sees beyond that one may be as old.
        var heads: [(since: ContinuousClock.Instant, head: GlobalPosition)] = []
        var last = ContinuousClock.now
        while !Task.isCancelled {
            let begun = ContinuousClock.now
            heads.append((last, try await store.head()))
            last = begun
            for reader in readers {
                let place = await reader.position()
                // A reader that is being ended forgets where it stood.
                if Task.isCancelled { return }
                let now = ContinuousClock.now
                guard let seen = heads.first(where: { $0.head > place }) else { continue }
                let lag = (now - seen.since).seconds.rounded(toPlaces: 3)
                worst.withLock { $0[reader.name] = max($0[reader.name] ?? 0, lag) }
            }
            if heads.count > 3000 { heads.removeFirst(1000) }
            // How finely a lag is seen: it is sampled, for nobody announces it.
            try await Task.sleep(for: .milliseconds(25))
        }
    }
}
