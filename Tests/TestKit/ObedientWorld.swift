internal import Analysis
internal import Conditions
public import Delivery
public import EventSourcing

/// A world that obeys at once: it carries out what a rollout wants, and answers its measurements as a test says.
public struct ObedientWorld: Sendable {
    private let handler: CommandHandler<RolloutDecider>
    private let name: RolloutName
    private let now: @Sendable () -> Instant
    private let mint: @Sendable () -> Identifier
    private let passes: @Sendable (Duration) -> Void

    /// Surrounds one rollout; `passes` is told how much time each deed takes.
    public init(
        handler: CommandHandler<RolloutDecider>, name: RolloutName, now: @escaping @Sendable () -> Instant,
        mint: @escaping @Sendable () -> Identifier, passes: @escaping @Sendable (Duration) -> Void = { _ in }
    ) {
        self.handler = handler
        self.name = name
        self.now = now
        self.mint = mint
        self.passes = passes
    }

    /// Sends `order` as the controller does.
    public func tell(_ order: RolloutOrder) async throws {
        let at = now()
        _ = try await handler.handle(
            RolloutCommand(at: at, order), on: name.stream,
            context: CommandContext(id: mint(), at: at, actor: .controller("test")))
    }

    /// Carries out what is outstanding until nothing is: sizes, readiness, routes.
    public func settle() async throws {
        for _ in 0..<50 {
            guard let rollout = try await handler.load(name.stream).state.rollout else { return }
            passes(.milliseconds(20))
            if rollout.scaling.isOutstanding {
                try await tell(.reportScaled(generation: rollout.scaling.decided))
            } else if let set = rollout.sets.first(where: { $0.available != $0.wanted }) {
                try await tell(
                    .observePods(
                        PodsSeen(
                            podTemplateHash: set.podTemplateHash, desired: set.wanted, current: set.wanted,
                            ready: set.wanted, available: set.wanted)))
            } else if rollout.routing.isOutstanding, let split = rollout.split {
                try await tell(
                    .reportRouted(
                        RouteObservation(
                            generation: rollout.routing.decided, split: split, router: "nginx", detail: "asked it")))
            } else {
                return
            }
        }
        throw Restless(rollout: name)
    }

    /// Answers the next measurement of the run that is under way.
    public func measure(_ value: Double) async throws {
        guard let rollout = try await handler.load(name.stream).state.rollout, let run = rollout.release?.runs.last,
            let metric = run.metrics.first?.plan.name
        else { throw Restless(rollout: name) }
        passes(.seconds(1))
        let at = now()
        try await tell(
            .reportMeasurement(
                MeasurementReport(
                    run: run.name, metric: metric, number: run.taken(metric) + 1,
                    outcome: .value(.array([.double(value)])), startedAt: at - .milliseconds(5), finishedAt: at,
                    source: MeasurementSource(
                        provider: "prometheus", address: "http://prometheus:9090", queryDigest: "x"))))
        try await settle()
    }

    /// The rollout does not come to rest, or has nothing to measure.
    public struct Restless: Error {
        /// Which one.
        public let rollout: RolloutName
    }
}
