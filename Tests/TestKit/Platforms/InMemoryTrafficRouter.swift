public import Delivery
internal import EventSourcing
internal import Foundation
internal import Synchronization

/// A router without a network: same promises, same contract suite; requests are what a test says.
public final class InMemoryTrafficRouter: TrafficRouter, TrafficRouterStage {
    private struct Standing {
        var epoch: Int64
        var generation: Int
        var split: TrafficSplit
        /// Grows with each change.
        var version: Int
    }

    private struct Waiting {
        var rollout: RolloutName
        var before: Int
        var continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var standing: [RolloutName: Standing] = [:]
        var requests = 0
        var underWay: [UUID: (rollout: RolloutName, version: Int)] = [:]
        var waiting: [UUID: Waiting] = [:]
        var routed: [RouteIntent] = []
        var fenced = 0
        var stallsAtWeight: Int?

        func isBusy(_ rollout: RolloutName, before version: Int) -> Bool {
            underWay.values.contains { $0.rollout == rollout && $0.version < version }
        }
    }

    private let state = Mutex(State())

    /// Knows of no rollout.
    public init() {}

    /// Every intent that the data plane took, in order, without repeats.
    public var routed: [RouteIntent] { state.withLock { $0.routed } }

    /// How many intents came too late: of an epoch that was over.
    public var fenced: Int { state.withLock { $0.fenced } }

    /// Has intents with this weight hang before they reach the data plane, until they are given up.
    public func stall(atWeight weight: Int?) { state.withLock { $0.stallsAtWeight = weight } }

    // MARK: - The port

    /// Splits from now on as `intent` says, and answers when nothing is under way by an older split.
    public func route(_ intent: RouteIntent) async throws(PlatformFailure) -> RouteObservation {
        if state.withLock({ $0.stallsAtWeight == intent.split.canary }) { try await hang() }
        let version = try state.withLock { state in Self.put(intent, into: &state) }.get()
        try await drained(intent.rollout, before: version)
        let standing = state.withLock { $0.standing[intent.rollout] }
        if let standing, standing.epoch > intent.epoch { throw Self.fenced(by: standing) }
        guard let standing, standing.generation == intent.generation else {
            throw PlatformFailure(.staleGeneration, "overtaken", generation: standing?.generation)
        }
        return Self.observation(standing)
    }

    /// What stands.
    public func observe(_ rollout: RolloutName) async throws(PlatformFailure) -> RouteObservation? {
        state.withLock { $0.standing[rollout] }.map(Self.observation)
    }

    private static func observation(_ standing: Standing) -> RouteObservation {
        RouteObservation(
            generation: standing.generation, split: standing.split, router: "nginx",
            detail: "in memory, version \(standing.version)")
    }

    private static func fenced(by standing: Standing) -> PlatformFailure {
        PlatformFailure(
            .fenced, "epoch \(standing.epoch) is in force", generation: standing.generation, epoch: standing.epoch)
    }

    private static func put(_ intent: RouteIntent, into state: inout State) -> Result<Int, PlatformFailure> {
        if let now = state.standing[intent.rollout], now.epoch >= intent.epoch {
            if now.epoch > intent.epoch {
                state.fenced += 1
                return .failure(fenced(by: now))
            }
            if now.generation == intent.generation, now.split == intent.split { return .success(now.version) }
            guard now.generation < intent.generation else {
                return .failure(
                    PlatformFailure(.staleGeneration, "\(now.generation) is in force", generation: now.generation))
            }
        }
        let version = (state.standing[intent.rollout]?.version ?? 0) + 1
        state.standing[intent.rollout] = Standing(
            epoch: intent.epoch, generation: intent.generation, split: intent.split, version: version)
        state.routed.append(intent)
        return .success(version)
    }

    private func drained(_ rollout: RolloutName, before version: Int) async throws(PlatformFailure) {
        let id = UUID()
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isFree = state.withLock { state in
                    if Task.isCancelled || !state.isBusy(rollout, before: version) { return true }
                    state.waiting[id] = Waiting(rollout: rollout, before: version, continuation: continuation)
                    return false
                }
                if isFree { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: id) }?.continuation.resume()
        }
        if Task.isCancelled { throw PlatformFailure(.cancelled, "given up") }
    }

    private func hang() async throws(PlatformFailure) {
        let (never, _) = AsyncStream.makeStream(of: Never.self)
        for await _ in never {}
        throw PlatformFailure(.cancelled, "given up")
    }

    // MARK: - The stage

    /// Itself.
    public var router: any TrafficRouter { self }

    /// An Ingress of the rollout's own.
    public func routing(of rollout: RolloutName) -> RoutingPlan {
        let ports = [ServicePlan.Port(port: 80, target: 8080)]
        return RoutingPlan(
            canaryService: ServicePlan(name: "\(rollout.name)-canary", ports: ports),
            stableService: ServicePlan(name: "\(rollout.name)-stable", ports: ports), router: "nginx",
            ingresses: [
                IngressPlan(
                    name: rollout.name,
                    rules: [
                        .init(host: "\(rollout.name).example.com", path: "/", pathType: "Prefix", servicePort: 80)
                    ])
            ])
    }

    /// Spreads requests evenly by weight.
    public func request(to rollout: RolloutName) async throws -> String {
        try state.withLock { state in try Self.pick(rollout, in: &state) }
    }

    /// Begins a request at a set that has weight.
    public func hold(at hash: String, of rollout: RolloutName) async throws -> HeldRequest {
        let id = UUID()
        for _ in 0..<1000 {
            let isThere = try state.withLock { state in
                guard try Self.pick(rollout, in: &state) == hash, let now = state.standing[rollout] else {
                    return false
                }
                state.underWay[id] = (rollout, now.version)
                return true
            }
            if isThere { return HeldRequest { [self] in end(id) } }
        }
        throw PlatformFailure(.unavailable, "no request goes to \(hash)")
    }

    /// Sets weight and generation, whatever stands.
    public func meddle(_ rollout: RolloutName, canary: Int, generation: Int) async throws {
        state.withLock { state in
            state.standing[rollout]?.split.canary = canary
            state.standing[rollout]?.generation = generation
            state.standing[rollout]?.version += 1
        }
    }

    /// The data plane has no other way in.
    public func again() async throws -> any TrafficRouter { self }

    private static func pick(_ rollout: RolloutName, in state: inout State) throws -> String {
        guard let split = state.standing[rollout]?.split else {
            throw PlatformFailure(.unavailable, "nothing is routed to \(rollout)")
        }
        state.requests += 1
        let fraction = (Double(state.requests) * 0.618_033_988_749_894_9).truncatingRemainder(dividingBy: 1)
        return fraction * Double(split.max) < Double(split.canary) ? split.canaryHash : split.stableHash
    }

    private func end(_ id: UUID) {
        let free = state.withLock { state in
            state.underWay[id] = nil
            let free = state.waiting.filter { !state.isBusy($0.value.rollout, before: $0.value.before) }
            for key in free.keys { state.waiting[key] = nil }
            return free.values.map(\.continuation)
        }
        for continuation in free { continuation.resume() }
    }
}
