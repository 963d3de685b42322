public import Delivery

/// What every router of traffic promises, as clauses that each adapter's tests run, each on a stage of its own.
public struct TrafficRouterContract: Sendable, CustomStringConvertible {
    /// The promise, in words.
    public let description: String
    /// Throws ``ContractBreach`` if the router breaks the promise.
    public let check: @Sendable (any TrafficRouterStage) async throws -> Void

    init(_ description: String, _ check: @escaping @Sendable (any TrafficRouterStage) async throws -> Void) {
        self.description = description
        self.check = check
    }

    /// Every clause.
    public static var clauses: [TrafficRouterContract] { generations + epochs + verification }
}

/// A router with a data plane behind it, and hands that reach into that data plane as the world does.
///
/// Two rollouts are known to it, each with ready pods in its two sets; nothing is routed yet.
public protocol TrafficRouterStage: Sendable {
    /// The router under test.
    var router: any TrafficRouter { get }
    /// Services and ingresses of one of the two rollouts.
    func routing(of rollout: RolloutName) -> RoutingPlan
    /// Sends one request that begins now; answers the set whose pod answered it.
    func request(to rollout: RolloutName) async throws -> String
    /// Begins a request that a pod of set `hash` has taken and does not answer until it is let go.
    func hold(at hash: String, of rollout: RolloutName) async throws -> HeldRequest
    /// Changes the data plane past the router, as a second controller would.
    func meddle(_ rollout: RolloutName, canary: Int, generation: Int) async throws
    /// Another instance on the same data plane, as after a restart.
    func again() async throws -> any TrafficRouter
}

/// A request under way.
public struct HeldRequest: Sendable {
    /// Has it answered, and returns when it was.
    public let letGo: @Sendable () async -> Void

    /// Names what lets it go.
    public init(letGo: @escaping @Sendable () async -> Void) { self.letGo = letGo }
}

/// What the clauses route.
public enum SampleTraffic {
    /// The rollout of most clauses.
    public static let rollout = RolloutName(namespace: "shop", name: "payments")!
    /// One that must not be touched by them.
    public static let other = RolloutName(namespace: "shop", name: "basket")!
    /// The stable set of both.
    public static let stable = "aaa"
    /// The canary set of both.
    public static let canary = "bbb"

    /// An intent of `generation` that gives the canary `weight` of `max`.
    static func intent(
        _ generation: Int, _ weight: Int, of max: Int = 100, epoch: Int64 = 0, for rollout: RolloutName = rollout,
        on stage: any TrafficRouterStage
    ) -> RouteIntent {
        var intent = RouteIntent(
            rollout: rollout, generation: generation,
            split: TrafficSplit(canary: weight, max: max, stableHash: stable, canaryHash: canary),
            routing: stage.routing(of: rollout))
        intent.epoch = epoch
        return intent
    }
}

extension TrafficRouterStage {
    /// Routes, and demands that what came back is what was asked for.
    @discardableResult
    func carryOut(_ intent: RouteIntent, line: UInt = #line) async throws -> RouteObservation {
        let seen = try await router.route(intent)
        try Demand.same(seen.generation, intent.generation, line: line)
        try Demand.same(seen.split, intent.split, line: line)
        return seen
    }

    /// Demands that `intent` is refused as out of date, naming `generation`.
    func refuses(_ intent: RouteIntent, for generation: Int, line: UInt = #line) async throws {
        do {
            let seen = try await router.route(intent)
            throw ContractBreach("accepted, but should be stale: \(seen)", line: line)
        } catch let failure as PlatformFailure {
            try Demand.same(failure.code, .staleGeneration, line: line)
            try Demand.same(failure.generation, generation, line: line)
            try Demand.that(!failure.canRetry, "a stale intent must not be tried again", line: line)
        }
    }

    /// Demands that `intent` is refused because its sender's time is over.
    func fences(_ intent: RouteIntent, by router: (any TrafficRouter)? = nil, line: UInt = #line) async throws {
        do {
            let seen = try await (router ?? self.router).route(intent)
            throw ContractBreach("accepted, but its epoch is over: \(seen)", line: line)
        } catch let failure as PlatformFailure {
            try Demand.same(failure.code, .fenced, line: line)
            try Demand.that(
                failure.epoch ?? 0 > intent.epoch, "a fenced intent is told the epoch in force, not \(failure)",
                line: line)
            try Demand.that(!failure.canRetry, "a fenced intent must not be tried again", line: line)
        }
    }

    /// Demands that the data plane obeys `intent`.
    func stands(_ intent: RouteIntent, line: UInt = #line) async throws {
        let seen = try await router.observe(intent.rollout)
        try Demand.same(seen?.generation, intent.generation, line: line)
        try Demand.same(seen?.split, intent.split, line: line)
    }
}
