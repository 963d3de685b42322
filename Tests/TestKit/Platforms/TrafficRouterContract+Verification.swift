internal import Delivery
internal import Synchronization

/// When a router may say that the data plane obeys: decided is not applied.
extension TrafficRouterContract {
    static var verification: [TrafficRouterContract] {
        [
            TrafficRouterContract("once it has answered, no request that begins goes by an older split") { stage in
                for round in 0..<5 {
                    try await stage.carryOut(SampleTraffic.intent(round * 2 + 1, 100, on: stage))
                    for _ in 0..<10 {
                        try Demand.same(try await stage.request(to: SampleTraffic.rollout), SampleTraffic.canary)
                    }
                    try await stage.carryOut(SampleTraffic.intent(round * 2 + 2, 0, on: stage))
                    for _ in 0..<10 {
                        try Demand.same(try await stage.request(to: SampleTraffic.rollout), SampleTraffic.stable)
                    }
                }
            },
            TrafficRouterContract("both sets are asked when both have weight") { stage in
                try await stage.carryOut(SampleTraffic.intent(1, 50, on: stage))
                var answered: [String: Int] = [:]
                for _ in 0..<40 { answered[try await stage.request(to: SampleTraffic.rollout), default: 0] += 1 }
                try Demand.same(Set(answered.keys), [SampleTraffic.stable, SampleTraffic.canary])
            },
            TrafficRouterContract("it answers only when no request under an older split is under way") { stage in
                try await stage.carryOut(SampleTraffic.intent(1, 50, on: stage))
                let held = try await stage.hold(at: SampleTraffic.canary, of: SampleTraffic.rollout)
                let home = SampleTraffic.intent(2, 0, on: stage)
                let attempt = Attempt(home, on: stage)
                try await Demand.comes("the data plane has the new split") {
                    try await stage.router.observe(SampleTraffic.rollout)?.generation == 2
                }
                // Whoever begins now sees the new split, and still nothing is verified.
                for _ in 0..<5 {
                    try Demand.same(try await stage.request(to: SampleTraffic.rollout), SampleTraffic.stable)
                }
                try Demand.that(!attempt.isOver, "it answered while the canary still had a request under way")
                await held.letGo()
                try Demand.same(try await attempt.value().split, home.split)
            },
            TrafficRouterContract("an intent cancelled in flight is given up, and a newer one stands at once") {
                stage in
                try await stage.carryOut(SampleTraffic.intent(1, 50, on: stage))
                let held = try await stage.hold(at: SampleTraffic.canary, of: SampleTraffic.rollout)
                let attempt = Attempt(SampleTraffic.intent(2, 20, on: stage), on: stage)
                try await Demand.comes("the intent is under way") {
                    try await stage.router.observe(SampleTraffic.rollout)?.generation == 2
                }
                attempt.cancel()
                do {
                    let seen = try await attempt.value()
                    throw ContractBreach("given up, but answered \(seen)")
                } catch let failure as PlatformFailure {
                    try Demand.same(failure.code, .cancelled)
                }
                let newer = SampleTraffic.intent(3, 0, on: stage)
                let abort = Attempt(newer, on: stage)
                try await Demand.comes("the newer one is in force though the old request is still there") {
                    try await stage.router.observe(SampleTraffic.rollout)?.generation == 3
                }
                await held.letGo()
                try Demand.same(try await abort.value().split, newer.split)
                try await stage.stands(newer)
            },
            TrafficRouterContract("one that was overtaken while it waited says so, and not that it is obeyed") {
                stage in
                try await stage.carryOut(SampleTraffic.intent(1, 50, on: stage))
                let held = try await stage.hold(at: SampleTraffic.canary, of: SampleTraffic.rollout)
                let older = Attempt(SampleTraffic.intent(2, 20, on: stage), on: stage)
                try await Demand.comes("the older intent is under way") {
                    try await stage.router.observe(SampleTraffic.rollout)?.generation == 2
                }
                let newer = SampleTraffic.intent(3, 0, on: stage)
                let abort = Attempt(newer, on: stage)
                try await Demand.comes("the newer intent is under way") {
                    try await stage.router.observe(SampleTraffic.rollout)?.generation == 3
                }
                await held.letGo()
                try Demand.same(try await abort.value().split, newer.split)
                do {
                    let seen = try await older.value()
                    throw ContractBreach("overtaken, but answered \(seen)")
                } catch let failure as PlatformFailure {
                    try Demand.same(failure.code, .staleGeneration)
                    try Demand.same(failure.generation, 3)
                }
            },
        ]
    }
}

/// A route call under way.
final class Attempt: Sendable {
    private let task: Task<RouteObservation, any Error>
    private let ended = Mutex(false)

    init(_ intent: RouteIntent, on stage: any TrafficRouterStage) {
        let (ends, end) = AsyncStream.makeStream(of: Never.self)
        // Awaited by `value`.
        task = Task {
            defer { end.finish() }
            return try await stage.router.route(intent)
        }
        // Ends with the call.
        Task { [self] in
            for await _ in ends {}
            ended.withLock { $0 = true }
        }
    }

    var isOver: Bool { ended.withLock { $0 } }
    func cancel() { task.cancel() }
    func value() async throws -> RouteObservation { try await task.value }
}
