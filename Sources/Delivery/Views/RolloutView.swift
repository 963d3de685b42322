public import Analysis
public import EventSourcing

/// What `get rollout` shows of one rollout at one moment.
///
/// Made of events alone: it holds no "now", so the view of a past moment equals what was shown then.
public struct RolloutView: Sendable, Equatable, Codable {
    /// The rollout's name.
    public var name: String
    /// Its namespace.
    public var namespace: String
    /// Its cluster.
    public var cluster: String
    /// When its first manifest was recorded.
    public var createdAt: Instant
    /// How it stands.
    public var phase: RolloutPhase
    /// Why, in Argo's words; empty when healthy.
    public var message: String
    /// `Canary`.
    public var strategy: String
    /// The step that the plan's pointer is at, such as `3/8`; `nil` without steps.
    public var step: String?
    /// The same as a number from 0; the number of steps once all are done.
    public var stepIndex: Int?
    /// How many steps the plan has.
    public var steps: Int
    /// The part of the traffic that the newest revision is to have, of `maxWeight`.
    public var setWeight: Int
    /// The part that the data plane was last seen to give it; without routing, its part of the available pods.
    public var actualWeight: Int
    /// The whole; 100 unless the manifest says otherwise.
    public var maxWeight: Int
    /// Images of the sets that have or want pods, by name.
    public var images: [ImageView]
    /// How many pods there are.
    public var replicas: ReplicaCounts
    /// Revisions that are kept, the newest first.
    public var revisions: [RevisionView]
    /// The release that is under way, or the last one.
    public var release: ReleaseView?
    /// What it waits for, if it waits.
    public var pause: PauseView?
    /// Moves only when release, step, weight or phase do; the ETag.
    public var decisionVersion: Int
    /// The stream's version that this shows.
    public var version: StreamVersion
    /// The log's position that this shows.
    public var position: GlobalPosition
    /// When that was recorded.
    public var recordedAt: Instant

    /// `<cluster>/<namespace>/<name>` as one value.
    public var rolloutName: RolloutName? { RolloutName(cluster: cluster, namespace: namespace, name: name) }
}

/// An image and what its sets are.
public struct ImageView: Sendable, Equatable, Codable {
    /// The image.
    public var image: String
    /// What the sets that run it are, without `old`; sorted.
    public var roles: [SetRole]
}

/// How many pods a rollout has, over all sets.
public struct ReplicaCounts: Sendable, Equatable, Codable {
    /// What the manifest wants.
    public var desired: Int
    /// Pods that exist.
    public var current: Int
    /// Pods of the newest revision.
    public var updated: Int
    /// Pods whose probe passes.
    public var ready: Int
    /// Pods that count.
    public var available: Int

    /// Makes counts.
    public init(desired: Int, current: Int, updated: Int, ready: Int, available: Int) {
        self.desired = desired
        self.current = current
        self.updated = updated
        self.ready = ready
        self.available = available
    }
}

/// One revision with its set and its AnalysisRuns.
public struct RevisionView: Sendable, Equatable, Codable {
    /// From 1.
    public var number: Int
    /// Names its set.
    public var podTemplateHash: String
    /// When its last release began.
    public var startedAt: Instant?
    /// Image of each container.
    public var images: [String: String]
    /// Its pods; `nil` once they are gone.
    public var set: SetView?
    /// In the order of their start.
    public var analysisRuns: [AnalysisRunView]
}

/// A set of equal pods.
public struct SetView: Sendable, Equatable, Codable {
    /// Names the set.
    public var podTemplateHash: String
    /// What it is to the rollout.
    public var role: SetRole
    /// How it stands.
    public var phase: Phase
    /// Pods that are wanted.
    public var wanted: Int
    /// Pods that exist.
    public var replicas: Int
    /// Pods whose probe passes.
    public var ready: Int
    /// Pods that count.
    public var available: Int
    /// When it may be scaled to 0; `nil` while it is needed.
    public var retireAt: Instant?

    /// How a set stands; Argo's words for a ReplicaSet.
    public enum Phase: String, Sendable, Codable {
        /// All wanted pods count.
        case healthy = "Healthy"
        /// Some do not yet.
        case progressing = "Progressing"
        /// None is wanted.
        case scaledDown = "ScaledDown"
    }
}

/// One AnalysisRun.
public struct AnalysisRunView: Sendable, Equatable, Codable {
    /// Its name.
    public var name: String
    /// What it is for.
    public var kind: AnalysisKind
    /// The step that waits for it, from 0.
    public var stepIndex: Int?
    /// Where it stands.
    public var phase: AnalysisPhase
    /// Argo's words; `nil` when there is nothing to say.
    public var message: String?
    /// When it began.
    public var startedAt: Instant
    /// When its verdict was reached.
    public var endedAt: Instant?
    /// Measurements of all metrics that count.
    public var counts: MeasurementCounts
    /// In the templates' order.
    public var metrics: [MetricView]
}

/// One metric of an AnalysisRun.
public struct MetricView: Sendable, Equatable, Codable {
    /// Its name.
    public var name: String
    /// The provider's key, such as `prometheus`.
    public var provider: String?
    /// Where it stands.
    public var phase: AnalysisPhase
    /// Argo's words; `nil` when there is nothing to say.
    public var message: String?
    /// How many measurements came to what.
    public var counts: MeasurementCounts
    /// Whether it is only watched.
    public var dryRun: Bool
    /// True of a good result.
    public var successCondition: String?
    /// True of a bad result.
    public var failureCondition: String?
    /// Failed measurements that are tolerated; `nil` when that limit is off.
    public var failureLimit: Int?
    /// In the order of their numbers.
    public var measurements: [MeasurementView]
}

/// One measurement.
public struct MeasurementView: Sendable, Equatable, Codable {
    /// From 1.
    public var number: Int
    /// What the conditions made of it.
    public var phase: AnalysisPhase
    /// The value; `nil` if the provider gave none.
    public var value: MeasuredValue?
    /// The condition that decided.
    public var condition: String?
    /// Why it is an error, or what else there is to say.
    public var message: String?
    /// When the question was sent.
    public var startedAt: Instant
    /// When the answer was there.
    public var finishedAt: Instant
}

/// One attempt to bring a revision into service.
public struct ReleaseView: Sendable, Equatable, Codable {
    /// Its id, which correlates its events.
    public var id: Identifier
    /// The revision.
    public var revision: Int
    /// Names its set.
    public var podTemplateHash: String
    /// Why it began.
    public var trigger: ReleaseStarted.Trigger
    /// When.
    public var startedAt: Instant
    /// How it ended, or that it has not.
    public var outcome: ReleaseOutcome
    /// When it ended.
    public var endedAt: Instant?
    /// Why it was stopped, if it was.
    public var aborted: Aborted?
    /// The revision that was stable when it began.
    public var from: RevisionReference?
}

/// How a release ended; a closed list.
public enum ReleaseOutcome: String, Sendable, Codable {
    /// It has not.
    case progressing
    /// Its revision is stable.
    case completed
    /// It was stopped.
    case aborted
    /// A newer release took its place.
    case superseded
}

/// What a rollout waits for.
public struct PauseView: Sendable, Equatable, Codable {
    /// Why.
    public var reason: PauseReason
    /// Since when.
    public var since: Instant
    /// When it ends by itself; `nil`: not before a person says so.
    public var until: Instant?
}
