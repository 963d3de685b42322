public import Delivery
public import EventSourcing
internal import Foundation
internal import Synchronization

/// A platform without machines: same promises, same contract suite; pods are ready at once, unless their template or a
/// test says otherwise.
public final class InMemoryWorkloads: Workloads, WorkloadsStage {
    private struct Pod {
        var readyAt: Instant?
    }

    private struct PodSet {
        var wanted: WantedSet
        var pods: [Pod] = []
    }

    private struct State {
        var standing: [RolloutName: (epoch: Int64, generation: Int)] = [:]
        var sets: [RolloutName: [String: PodSet]] = [:]
        var watchers: [UUID: AsyncStream<PodObservation>.Continuation] = [:]
    }

    private let state = Mutex(State())
    private let now: @Sendable () -> Instant
    private let wait: @Sendable (Duration) async throws -> Void

    /// Runs nothing.
    ///
    /// - Parameters:
    ///   - now: The time of observations.
    ///   - wait: Lets `minReadySeconds` pass.
    public init(
        now: @escaping @Sendable () -> Instant, wait: @escaping @Sendable (Duration) async throws -> Void
    ) {
        self.now = now
        self.wait = wait
    }

    /// Runs nothing, by the machine's own clock.
    public convenience init() {
        self.init(
            now: { Instant(microseconds: Int64(Date().timeIntervalSince1970 * 1e6)) },
            wait: { try await Task.sleep(for: $0 + .milliseconds(20)) })
    }

    // MARK: - The port

    /// Makes the named sets have so many pods.
    public func scale(_ intent: ScaleIntent) async throws(PlatformFailure) {
        try state.withLock { state in self.scale(intent, in: &state) }.get()
        let delays = Set(intent.sets.map(\.minReadySeconds)).filter { $0 > 0 }
        for delay in delays {
            // Awaited by nobody: tells those who watch, if any still do.
            Task {
                try await self.wait(.seconds(delay))
                self.tell(intent.rollout, intent.sets.map(\.podTemplateHash))
            }
        }
    }

    /// Every set as it is, then each change.
    public func observations() -> AsyncStream<PodObservation> {
        let (stream, continuation) = AsyncStream.makeStream(of: PodObservation.self)
        let id = UUID()
        continuation.onTermination = { [weak self] _ in
            _ = self?.state.withLock { $0.watchers.removeValue(forKey: id) }
        }
        state.withLock { state in
            state.watchers[id] = continuation
            for (rollout, sets) in state.sets {
                for hash in sets.keys.sorted() { continuation.yield(observation(hash, of: rollout, in: state)) }
            }
        }
        return stream
    }

    private func scale(_ intent: ScaleIntent, in state: inout State) -> Result<Void, PlatformFailure> {
        let standing = state.standing[intent.rollout] ?? (0, 0)
        guard intent.epoch >= standing.epoch else {
            return .failure(
                PlatformFailure(
                    .fenced, "epoch \(standing.epoch) is in force", generation: standing.generation,
                    epoch: standing.epoch))
        }
        guard (intent.epoch, intent.generation) >= standing else {
            return .failure(
                PlatformFailure(
                    .staleGeneration, "generation \(standing.generation) is in force", generation: standing.generation))
        }
        guard !intent.sets.contains(where: { $0.replicas > 0 && kind(of: $0.template) == .unusable }) else {
            return .failure(PlatformFailure(.rejected, "the template cannot be run"))
        }
        state.standing[intent.rollout] = (intent.epoch, intent.generation)
        for wanted in intent.sets {
            var set = state.sets[intent.rollout]?[wanted.podTemplateHash] ?? PodSet(wanted: wanted)
            set.wanted = wanted
            let spare = set.pods.count - wanted.replicas
            if spare > 0 {
                set.pods.removeLast(spare)
            } else {
                let readyAt = kind(of: wanted.template) == .ready ? now() : nil
                set.pods += (0..<(-spare)).map { _ in Pod(readyAt: readyAt) }
            }
            state.sets[intent.rollout, default: [:]][wanted.podTemplateHash] = set
            tell(intent.rollout, [wanted.podTemplateHash], in: state)
        }
        return .success(())
    }

    private func tell(_ rollout: RolloutName, _ hashes: [String]) {
        state.withLock { tell(rollout, hashes, in: $0) }
    }

    private func tell(_ rollout: RolloutName, _ hashes: [String], in state: State) {
        for hash in hashes where state.sets[rollout]?[hash] != nil {
            let seen = observation(hash, of: rollout, in: state)
            for watcher in state.watchers.values { watcher.yield(seen) }
        }
    }

    private func observation(_ hash: String, of rollout: RolloutName, in state: State) -> PodObservation {
        let set = state.sets[rollout]?[hash]
        let pods = set?.pods ?? []
        let now = now()
        let least = Duration.seconds(set?.wanted.minReadySeconds ?? 0)
        return PodObservation(
            rollout: rollout, podTemplateHash: hash, desired: set?.wanted.replicas ?? 0, current: pods.count,
            ready: pods.count { $0.readyAt != nil },
            available: pods.count { pod in pod.readyAt.map { now.since($0) >= least } ?? false }, at: now)
    }

    // MARK: - The stage

    /// Itself.
    public var workloads: any Workloads { self }

    /// A template that names its kind.
    public func template(_ kind: SamplePods.Kind) -> JSONValue { ["kind": .string("\(kind)")] }

    private func kind(of template: JSONValue) -> SamplePods.Kind {
        switch template["kind"]?.stringValue {
        case "unusable": .unusable
        case "neverReady": .neverReady
        default: .ready
        }
    }

    /// One pod is not ready for a moment.
    public func crash(in hash: String, of rollout: RolloutName) async throws {
        lose(1, in: hash, of: rollout)
        state.withLock { state in
            for index in state.sets[rollout]?[hash]?.pods.indices ?? 0..<0
            where state.sets[rollout]?[hash]?.pods[index].readyAt == nil {
                state.sets[rollout]?[hash]?.pods[index].readyAt = now()
            }
            tell(rollout, [hash], in: state)
        }
    }

    /// Pods of a set are not ready any more.
    public func lose(_ count: Int, in hash: String, of rollout: RolloutName) {
        state.withLock { state in
            for index in 0..<min(count, state.sets[rollout]?[hash]?.pods.count ?? 0) {
                state.sets[rollout]?[hash]?.pods[index].readyAt = nil
            }
            tell(rollout, [hash], in: state)
        }
    }

    /// The sizes that are in force.
    public func sizes(of rollout: RolloutName) -> [String: Int] {
        state.withLock { ($0.sets[rollout] ?? [:]).mapValues(\.wanted.replicas) }
    }

    /// Nothing else holds the pods.
    public func again() async throws -> any Workloads { self }
}
