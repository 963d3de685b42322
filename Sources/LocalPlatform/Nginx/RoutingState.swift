public import Delivery

/// The weights of a backend, as the shared dictionary holds them.
public struct NginxRoute: Sendable, Hashable, Codable {
    /// Of the intent that set it; an older one of the same epoch is refused.
    public var generation: Int
    /// Of the intent that set it, whose predecessors are refused; `nil` without a lease, which is older than any.
    public var epoch: Int64?
    /// The canary's part of `max`.
    public var canary: Int
    /// The whole.
    public var max: Int
    /// The set that takes the rest.
    public var stableHash: String
    /// The set that takes the canary's part.
    public var canaryHash: String

    /// Makes a route.
    public init(generation: Int, canary: Int, max: Int, stableHash: String, canaryHash: String) {
        self.generation = generation
        self.canary = canary
        self.max = max
        self.stableHash = stableHash
        self.canaryHash = canaryHash
    }

    /// Takes an intent's generation and split.
    init(_ intent: RouteIntent) {
        self.init(
            generation: intent.generation, canary: intent.split.canary, max: intent.split.max,
            stableHash: intent.split.stableHash, canaryHash: intent.split.canaryHash)
        epoch = intent.epoch > 0 ? intent.epoch : nil
    }

    /// The split that it makes.
    public var split: TrafficSplit {
        TrafficSplit(canary: canary, max: max, stableHash: stableHash, canaryHash: canaryHash)
    }
}

/// The ready pods of a backend by set and port.
public struct NginxEndpoints: Sendable, Hashable, Codable {
    /// Grows with each change; an older one is refused.
    public var generation: Int
    /// Set, then the pods' port by number or name, to addresses such as `127.0.0.1:41001`.
    public var sets: [String: [String: [String]]]

    /// Makes endpoints.
    public init(generation: Int, sets: [String: [String: [String]]]) {
        self.generation = generation
        self.sets = sets
    }

    /// How many pods of `set` are in traffic.
    func pods(of set: String) -> Int { Set((sets[set] ?? [:]).values.joined()).count }
}

/// What nginx obeys for one backend.
public struct NginxBackendState: Sendable, Hashable, Codable {
    /// Grows with each change of either half.
    public var version: Int
    /// The weights; `nil` if none were set.
    public var route: NginxRoute?
    /// The pods; `nil` if none were set.
    public var endpoints: NginxEndpoints?

    /// Whether the canary's part goes to the stable set because the canary has no ready pod.
    public var canaryFallsToStable: Bool {
        guard let route, route.canary > 0 else { return false }
        return (endpoints?.pods(of: route.canaryHash) ?? 0) == 0
    }
}

/// A half of a backend's state, which nginx takes by itself and in an order of its own.
protocol NginxHalf: Codable {
    /// How it is called where it is sent and kept.
    static var name: String { get }
    /// Whether nginx would refuse it for `other`.
    func isOlder(than other: Self) -> Bool
}

extension NginxRoute: NginxHalf {
    static let name = "route"

    func isOlder(than other: NginxRoute) -> Bool {
        (epoch ?? 0, generation) < (other.epoch ?? 0, other.generation)
    }
}

extension NginxEndpoints: NginxHalf {
    static let name = "endpoints"

    func isOlder(than other: NginxEndpoints) -> Bool { generation < other.generation }
}
