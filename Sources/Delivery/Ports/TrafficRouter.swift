/// Splits traffic between the stable and the canary set; the port to nginx, meshes and ingress controllers.
public protocol TrafficRouter: Sendable {
    /// Makes the data plane obey `intent`, and returns only when it was seen to: no request can then be answered under
    /// an older split.
    ///
    /// Carrying the same intent out twice changes nothing. Cancelling the task gives the attempt up; what it began may
    /// then be in force, and a newer intent need not wait for it.
    /// - Throws: `.staleGeneration`, naming the generation in force, if that is newer, or the same with another split; it
    ///   then still stands. `.fenced`, naming the epoch in force, if the rollout has seen a newer one; nothing has changed
    ///   then. `.cancelled`; `.unavailable` and `.rejected` as ``PlatformFailure`` has them.
    func route(_ intent: RouteIntent) async throws(PlatformFailure) -> RouteObservation

    /// What the data plane does now; `nil` if it knows nothing of the rollout.
    func observe(_ rollout: RolloutName) async throws(PlatformFailure) -> RouteObservation?
}

/// How a rollout's traffic is to be split.
public struct RouteIntent: Sendable, Equatable, Codable {
    /// The rollout.
    public var rollout: RolloutName
    /// Grows with each intent of the rollout; adapters refuse an older one.
    public var generation: Int
    /// The holding of the lease that it is carried out under; 0 without one.
    ///
    /// Adapters compare it before the generation and refuse an older one: what a successor has brought to the data plane,
    /// its predecessor cannot touch any more. A newer epoch is obeyed at any generation, for the log decides.
    public var epoch: Int64 = 0
    /// The split.
    public var split: TrafficSplit
    /// Services, ingresses and the router's settings.
    public var routing: RoutingPlan

    /// Makes an intent.
    public init(rollout: RolloutName, generation: Int, split: TrafficSplit, routing: RoutingPlan) {
        self.rollout = rollout
        self.generation = generation
        self.split = split
        self.routing = routing
    }
}

/// Who gets which part of the traffic; stable and canary weight together are the whole.
public struct TrafficSplit: Sendable, Hashable, Codable {
    /// The canary's part, 0…`max`.
    public var canary: Int
    /// The whole, 100 unless `maxTrafficWeight` says otherwise.
    public var max: Int
    /// The set that the stable Service points to.
    public var stableHash: String
    /// The set that the canary Service points to; the stable one while there is no canary.
    public var canaryHash: String

    /// The stable set's part.
    public var stable: Int { max - canary }

    /// Makes a split.
    ///
    /// - Precondition: `0 <= canary <= max`.
    public init(canary: Int, max: Int = 100, stableHash: String, canaryHash: String) {
        precondition((0...max).contains(canary), "canary weight \(canary) is outside 0…\(max)")
        self.canary = canary
        self.max = max
        self.stableHash = stableHash
        self.canaryHash = canaryHash
    }
}

/// What a data plane was seen to do.
public struct RouteObservation: Sendable, Equatable, Codable {
    /// The generation of the intent that it obeys.
    public var generation: Int
    /// The split that it was seen to make.
    public var split: TrafficSplit
    /// The router, such as `nginx`.
    public var router: String
    /// How it was seen, for the audit.
    public var detail: String

    /// Makes an observation.
    public init(generation: Int, split: TrafficSplit, router: String, detail: String) {
        self.generation = generation
        self.split = split
        self.router = router.keepable
        self.detail = detail.keepable
    }
}
