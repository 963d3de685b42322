public import EventSourcing

/// A fact about a rollout, and when it happened.
public struct RolloutEvent: Sendable, Equatable {
    /// When it happened out there; the envelope's `occurredAt`.
    public var at: Instant
    /// What happened.
    public var fact: RolloutFact

    /// Makes an event.
    public init(at: Instant, _ fact: RolloutFact) {
        self.at = at
        self.fact = fact
    }
}

/// What can happen to a rollout; `events.md` is the catalogue, `RolloutEvent+Coding` the table of wire names.
public enum RolloutFact: Sendable, Equatable {
    /// A manifest was accepted.
    case manifestRecorded(ManifestRecorded)
    /// One attempt to bring a revision into service began.
    case releaseStarted(ReleaseStarted)
    /// The plan's pointer came to a step.
    case stepEntered(StepEntered)
    /// The plan's pointer left a step.
    case stepCompleted(StepCompleted)
    /// The core wants a split.
    case weightDecided(WeightDecided)
    /// The data plane was seen to obey.
    case weightApplied(WeightApplied)
    /// The data plane was not brought to obey.
    case weightRejected(IntentRejected)
    /// The core wants sets of a size.
    case scaleDecided(ScaleDecided)
    /// The platform accepted the sizes.
    case scaleApplied(ScaleApplied)
    /// The platform did not accept the sizes.
    case scaleRejected(IntentRejected)
    /// The readiness of a set changed.
    case podsObserved(PodsObserved)
    /// The release waits.
    case pauseBegan(PauseBegan)
    /// The release waits no longer.
    case pauseEnded(PauseEnded)
    /// An AnalysisRun began.
    case analysisStarted(AnalysisStarted)
    /// A provider answered, or failed to.
    case measurementTaken(MeasurementTaken)
    /// The assessment of one metric ended.
    case metricConcluded(MetricConcluded)
    /// The assessment of a run ended.
    case analysisConcluded(AnalysisConcluded)
    /// There was no progress for the deadline.
    case deadlineExceeded(DeadlineExceeded)
    /// A person or the plan moved the release on.
    case promoted(Promoted)
    /// The release was stopped.
    case aborted(Aborted)
    /// The new revision is stable.
    case completed(Completed)
    /// A newer release took this one's place.
    case superseded(Superseded)
    /// What was done while the ledger could not be reached.
    case standingOrderExecuted(StandingOrderExecuted)
    /// A set that is not needed any more was scaled to 0.
    case setRetired(SetRetired)
}

/// Payload of `rollout.manifest-recorded`.
public struct ManifestRecorded: Sendable, Equatable, Codable {
    /// SHA-256 of the bundle's canonical JSON.
    public var digest: String
    /// The Rollout and what it refers to, every field as given.
    public var manifest: ManifestBundle
    /// What the release is to do under it.
    public var plan: ReleasePlan
    /// Where it came from.
    public var source: ManifestSource
    /// What differs from the manifest before, such as `template`, `steps`, `replicas`.
    public var changed: [String]
    /// What lint had to say, for people.
    public var warnings: [String]
}

/// Where a manifest came from.
public struct ManifestSource: Sendable, Equatable, Codable {
    /// The kind of source.
    public var kind: Kind
    /// The revision in the source, such as a commit.
    public var revision: String?

    /// A closed list.
    public enum Kind: String, Sendable, Codable {
        /// The command line.
        case cli
        /// The JSON API.
        case api
        /// A custom resource.
        case kubernetes
        /// A git repository.
        case git
    }

    /// Makes a source.
    public init(kind: Kind, revision: String? = nil) {
        self.kind = kind
        self.revision = revision
    }
}

/// A revision by number and hash.
public struct RevisionReference: Sendable, Equatable, Codable {
    /// Its number, from 1.
    public var revision: Int
    /// Its pod-template-hash.
    public var podTemplateHash: String

    /// Makes a reference.
    public init(revision: Int, podTemplateHash: String) {
        self.revision = revision
        self.podTemplateHash = podTemplateHash
    }
}

/// Payload of `rollout.release-started`.
public struct ReleaseStarted: Sendable, Equatable, Codable {
    /// The release's id, which correlates its events.
    public var release: Identifier
    /// The revision that it brings into service.
    public var revision: Int
    /// That revision's pod-template-hash.
    public var podTemplateHash: String
    /// Image of each container.
    public var images: [String: String]
    /// Why it began.
    public var trigger: Trigger
    /// `canary`.
    public var strategy: String
    /// What it is to do.
    public var plan: ReleasePlan
    /// The stable revision that it starts from; `nil` on the first deploy.
    public var stable: RevisionReference?
    /// The version of the rules that decide it.
    public var deciderVersion: Int

    /// Why a release began; a closed list.
    public enum Trigger: String, Sendable, Codable {
        /// The rollout's first manifest.
        case first
        /// A new pod template (or new steps in mid-release).
        case newRevision = "new-revision"
        /// A person tried an aborted release again.
        case retry
        /// A person went back to an earlier revision.
        case undo
    }
}

/// Payload of `rollout.step-entered`.
public struct StepEntered: Sendable, Equatable, Codable {
    /// From 0.
    public var index: Int
    /// The step.
    public var step: PlanStep
}

/// Payload of `rollout.step-completed`.
public struct StepCompleted: Sendable, Equatable, Codable {
    /// From 0.
    public var index: Int
    /// The step.
    public var step: PlanStep
    /// How it ended.
    public var because: Because

    /// How a step ended; a closed list.
    public enum Because: String, Sendable, Codable {
        /// What it asked for was seen.
        case done
        /// Its time was over.
        case elapsed
        /// A person promoted out of a pause.
        case promoted
        /// A person went past it.
        case skipped
    }
}

/// Payload of `rollout.weight-decided`.
public struct WeightDecided: Sendable, Equatable, Codable {
    /// The canary's part.
    public var canary: Int
    /// The stable set's part.
    public var stable: Int
    /// The whole.
    public var max: Int
    /// The set that the canary Service points to.
    public var canaryHash: String
    /// The set that the stable Service points to.
    public var stableHash: String
    /// Grows with each intent of the rollout.
    public var generation: Int
    /// Why.
    public var because: WeightReason

    /// The split.
    public var split: TrafficSplit {
        TrafficSplit(canary: canary, max: max, stableHash: stableHash, canaryHash: canaryHash)
    }
}

/// Why a weight was decided; a closed list.
public enum WeightReason: String, Sendable, Codable {
    /// A step asks for it.
    case step
    /// The release was aborted.
    case abort
    /// The release was completed or the plan has ended.
    case promotion
    /// The canary has no pod to send traffic to.
    case readiness
    /// The ledger could not be reached.
    case standingOrder = "standing-order"
    /// The release goes back to the stable revision.
    case rollback
    /// The data plane was found to obey a generation that the log does not know; the split is decided anew above it.
    case drift
}

/// Payload of `rollout.weight-applied`.
public struct WeightApplied: Sendable, Equatable, Codable {
    /// The canary's part, as seen.
    public var canary: Int
    /// The stable set's part, as seen.
    public var stable: Int
    /// The whole.
    public var max: Int
    /// The generation that the data plane obeys.
    public var generation: Int
    /// The router, such as `nginx`.
    public var router: String
    /// How it was seen.
    public var observed: String
    /// From the decision to the observation, ISO 8601.
    public var took: String
}

/// Payload of `rollout.weight-rejected` and `rollout.scale-rejected`.
public struct IntentRejected: Sendable, Equatable, Codable {
    /// The generation of the intent.
    public var generation: Int
    /// The router or platform.
    public var by: String
    /// What it said.
    public var error: String
    /// From 1.
    public var attempt: Int
    /// When it is tried again.
    public var retryAt: Instant
}

/// Payload of `rollout.scale-decided`.
public struct ScaleDecided: Sendable, Equatable, Codable {
    /// Grows with each intent of the rollout.
    public var generation: Int
    /// Every set of the rollout; 0 stops it.
    public var sets: [SetSize]

    /// The wanted size of a set.
    public struct SetSize: Sendable, Equatable, Codable {
        /// The set.
        public var podTemplateHash: String
        /// What it is now.
        public var role: SetRole
        /// Wanted pods.
        public var replicas: Int
    }
}

/// What a set is to its rollout; a closed list.
public enum SetRole: String, Sendable, Codable {
    /// The proven revision.
    case stable
    /// The revision that is being released.
    case canary
    /// Neither: on its way out.
    case old
}

/// Payload of `rollout.scale-applied`.
public struct ScaleApplied: Sendable, Equatable, Codable {
    /// The generation that the platform accepted.
    public var generation: Int
}

/// Payload of `rollout.pods-observed`.
public struct PodsObserved: Sendable, Equatable, Codable {
    /// The set.
    public var podTemplateHash: String
    /// What it is now.
    public var role: SetRole
    /// Pods that the platform is to run.
    public var desired: Int
    /// Pods that exist.
    public var current: Int
    /// Pods whose readiness probe passes.
    public var ready: Int
    /// Pods that have been ready for `minReadySeconds`.
    public var available: Int
}
