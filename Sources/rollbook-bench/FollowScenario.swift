import EventSourcing
import Foundation
import Ledger
import Synchronization

/// From an append until its event is in the rows of each read model, at a steady rate.
struct FollowScenario {
    let bed: BenchBed
    let plan: BenchPlan

    private static let rate = 1000.0
    private static let rollouts = 1000

    func run() async throws {
        // 44 s, unless told otherwise: two waits for the disk are not a hundredth of that.
        let duration = plan.duration * Double(4 * plan.rounds)
        // Each life is longer than what is appended to it.
        let tale = try await BenchTale.told(
            atLeast: LivingStreams.spread + 2 * Int(Self.rate * duration.seconds) / Self.rollouts)
        try await bed.withStore { store in
            let projectors = Projector.all(store: store, logger: BenchBed.logger)
            var watched: [(name: String, arrivals: Arrivals)] = []
            var services: [@Sendable () async throws -> Void] = [{ try await store.run() }]
            for projector in projectors {
                let arrivals = Arrivals()
                watched.append((await projector.name, arrivals))
                services.append { try await projector.run() }
                services.append { try await arrivals.watch(projector) }
            }
            let all = watched
            try await Services.during(services) {
                let streams = try await LivingStreams.begun(Self.rollouts, tale, through: store)
                let begun = try await store.head()
                for projector in projectors { try await projector.waitUntil(begun) }
                try await bed.settle(store)
                let appended = try await SteadyLoad.run(Self.rate, for: duration, to: streams, through: store) {
                    answer, due in
                    for (_, arrivals) in all { arrivals.expect(answer.position, due: due) }
                }
                let head = try await store.head()
                for projector in projectors { try await projector.waitUntil(head) }
                try say("acknowledged", appended)
                for (name, arrivals) in all {
                    try say("projected, \(name)", try await arrivals.durations(upTo: head))
                }
            }
        }
    }

    private func say(_ what: String, _ durations: [Duration]) throws {
        let (p50, p99) = (Percentiles.milliseconds(durations, at: 0.5), Percentiles.milliseconds(durations, at: 0.99))
        Progress.say("  \(what): p50 \(p50 ?? 0) ms, p99 \(p99 ?? 0) ms of \(durations.count)")
        try Figures(
            scenario: "follow", what: what, rate: Self.rate, p50_ms: p50, p99_ms: p99, events: durations.count,
            settings: bed.settings
        ).say()
    }
}

/// When events came to be in a projector's rows.
///
/// One look at each of its transactions, whatever the number of events: what measures is to cost little beside what is
/// measured.
private final class Arrivals: Sendable {
    private struct State {
        var place = GlobalPosition.start
        var expected: [(position: GlobalPosition, due: ContinuousClock.Instant)] = []
        var durations: [Duration] = []
    }

    private let state = Mutex(State())
    private let reached = HeadSignal()

    /// An event that was acknowledged; it may be in the rows already.
    func expect(_ position: GlobalPosition, due: ContinuousClock.Instant) {
        state.withLock { state in
            if position <= state.place {
                state.durations.append(ContinuousClock.now - due)
            } else {
                state.expected.append((position, due))
            }
        }
    }

    /// Looks after each transaction, until the task is cancelled.
    func watch(_ projector: Projector) async throws {
        var place = await projector.position
        while true {
            try await projector.waitUntil(GlobalPosition(place.value + 1))
            place = await projector.position
            let now = ContinuousClock.now
            state.withLock { state in
                state.place = place
                state.durations += state.expected.filter { $0.position <= place }.map { now - $0.due }
                state.expected.removeAll { $0.position <= place }
            }
            reached.raise(to: place)
        }
    }

    /// From when each event was due until it was in the rows, once `head` is in them.
    func durations(upTo head: GlobalPosition) async throws -> [Duration] {
        await reached.wait(beyond: GlobalPosition(head.value - 1))
        return state.withLock { $0.durations }
    }
}

/// What runs beside a measurement.
enum Services {
    /// Runs `body` while `services` run, and ends them afterwards.
    static func during(
        _ services: [@Sendable () async throws -> Void], _ body: () async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for service in services { group.addTask { try await service() } }
            defer { group.cancelAll() }
            try await body()
        }
    }
}
