public import EventSourcing

/// Runs pods in sets; the port to ReplicaSets and to supervised processes.
public protocol Workloads: Sendable {
    /// Makes each named set want so many pods, and returns when the platform has accepted that (pods need not be ready).
    ///
    /// A set that is not named is left alone. Pods that go leave traffic first, are drained, then stopped.
    /// Carrying the same intent out twice changes nothing; one that is cancelled is carried out whole or not at all.
    /// - Throws: `.staleGeneration`, naming the newer one, if the rollout has already seen a newer generation;
    ///   `.fenced`, naming the newer one, if it has seen a newer epoch; `.rejected` for a template that cannot be run.
    ///   Nothing has changed then.
    func scale(_ intent: ScaleIntent) async throws(PlatformFailure)

    /// The readiness of every set of every rollout: first as it is, then at each change; without end.
    ///
    /// Ends when the consuming task is cancelled.
    func observations() -> AsyncStream<PodObservation>
}

/// Which sets a rollout wants.
public struct ScaleIntent: Sendable, Hashable, Codable {
    /// The rollout.
    public var rollout: RolloutName
    /// Grows with each intent of the rollout; adapters refuse an older one.
    public var generation: Int
    /// The holding of the lease that it is carried out under, compared before the generation; 0 without one.
    public var epoch: Int64 = 0
    /// The sets whose size is wanted.
    public var sets: [WantedSet]

    /// Makes an intent.
    public init(rollout: RolloutName, generation: Int, sets: [WantedSet]) {
        self.rollout = rollout
        self.generation = generation
        self.sets = sets
    }
}

/// One set of equal pods.
public struct WantedSet: Sendable, Hashable, Codable {
    /// Names the set within the rollout.
    public var podTemplateHash: String
    /// The revision's number, for names and views.
    public var revision: Int
    /// Wanted pods; 0 drains and stops all.
    public var replicas: Int
    /// The pod template, as the manifest has it.
    public var template: JSONValue
    /// Seconds that a pod must be ready before it counts as available.
    public var minReadySeconds: Int

    /// Makes a set.
    public init(podTemplateHash: String, revision: Int, replicas: Int, template: JSONValue, minReadySeconds: Int) {
        self.podTemplateHash = podTemplateHash
        self.revision = revision
        self.replicas = replicas
        self.template = template
        self.minReadySeconds = minReadySeconds
    }
}

/// The readiness of one set at one moment.
public struct PodObservation: Sendable, Hashable, Codable {
    /// The rollout.
    public var rollout: RolloutName
    /// The set.
    public var podTemplateHash: String
    /// Pods that the platform is to run.
    public var desired: Int
    /// Pods that exist (also those that are going).
    public var current: Int
    /// Pods whose readiness probe passes.
    public var ready: Int
    /// Pods that have been ready for `minReadySeconds`.
    public var available: Int
    /// When it was seen.
    public var at: Instant

    /// Makes an observation.
    public init(
        rollout: RolloutName, podTemplateHash: String, desired: Int, current: Int, ready: Int, available: Int,
        at: Instant
    ) {
        self.rollout = rollout
        self.podTemplateHash = podTemplateHash
        self.desired = desired
        self.current = current
        self.ready = ready
        self.available = available
        self.at = at
    }
}
