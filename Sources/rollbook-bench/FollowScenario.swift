import EventSourcing
import Foundation
import Ledger

/// From an append until its event is in the rows of each read model, at a steady rate.
struct FollowScenario {
    let bed: BenchBed
    let plan: BenchPlan

    private static let rate = 1000.0
    private static let rollouts = 1000

    func run() async throws {
        let tale = try await BenchTale.told(atLeast: 800)
        try await bed.withStore { store in
            let projectors = Projector.all(store: store, logger: BenchBed.logger)
            var services: [@Sendable () async throws -> Void] = [{ try await store.run() }]
            for projector in projectors { services.append { try await projector.run() } }
            try await Services.during(services) {
                var names: [String] = []
                for projector in projectors { names.append(await projector.name) }
                let projected = names.map { _ in Durations() }
                let streams = LivingStreams(Self.rollouts, tale)
                let duration = plan.duration * Double(plan.rounds)
                let appended = try await SteadyLoad.run(Self.rate, for: duration, to: streams, through: store) {
                    answer, due in
                    try await withThrowingDiscardingTaskGroup { group in
                        for (index, projector) in projectors.enumerated() {
                            group.addTask {
                                try await projector.waitUntil(answer.position)
                                projected[index].add(ContinuousClock.now - due)
                            }
                        }
                    }
                }
                try say("acknowledged", appended)
                for (name, durations) in zip(names, projected) {
                    try say("projected, \(name)", durations.all)
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
