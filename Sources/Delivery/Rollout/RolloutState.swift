public import EventSourcing

/// What the events of a rollout amount to.
public enum RolloutState: Sendable, Equatable, Codable {
    /// No manifest was accepted yet. Next: `present`.
    case absent
    /// The rollout lives; it never becomes absent again.
    case present(Rollout)

    /// The rollout, if a manifest was accepted.
    public var rollout: Rollout? {
        if case .present(let rollout) = self { rollout } else { nil }
    }
}

/// A rollout: the long-lived object that releases come and go in.
public struct Rollout: Sendable, Equatable, Codable {
    /// The latest manifest.
    public var bundle: ManifestBundle
    /// What that manifest says is to be done.
    public var plan: ReleasePlan
    /// Revisions that `undo` can go back to, ascending by number; the newest is the one being released.
    public var revisions: [Revision]
    /// The proven revision; `nil` only before the first release.
    public var stable: RevisionReference?
    /// The release that is under way, or the last one.
    public var release: Release?
    /// Since when a person holds the plan.
    public var heldSince: Instant?
    /// The generation last given to an intent.
    public var generation: Int
    /// Wanted and seen size of each set.
    public var sets: [PodSet]
    /// The sizes that were decided and accepted.
    public var scaling: IntentProgress
    /// The split that is wanted; `nil` before the first.
    public var split: TrafficSplit?
    /// Whether the data plane obeys it.
    public var routing: IntentProgress
    /// The weight that the data plane was last seen to give the canary.
    public var observedWeight: Int?
    /// How many AnalysisRuns of each base name the revision had, so that a repeat gets a name of its own.
    public var runNames: [String: Int]
    /// When something last moved forward; the progress deadline counts from here.
    public var progressedAt: Instant
    /// Moves only when release, step, weight or phase do; what an ETag shows.
    public var decisionVersion: Int

    /// The set of `hash`, if it is known.
    public func set(_ hash: String) -> PodSet? { sets.first { $0.podTemplateHash == hash } }

    /// What the set of `hash` is to the rollout now.
    public func role(of hash: String) -> SetRole {
        if hash == stable?.podTemplateHash { return .stable }
        return hash == release?.podTemplateHash ? .canary : .old
    }

    /// The revision whose template has `hash`.
    public func revision(of hash: String) -> Revision? { revisions.first { $0.podTemplateHash == hash } }
}

/// A numbered pod template.
public struct Revision: Sendable, Equatable, Codable {
    /// From 1; a template that comes back gets a new number.
    public var number: Int
    /// The template's hash.
    public var podTemplateHash: String
    /// The template, as the manifest has it.
    public var template: JSONValue
    /// Image of each container.
    public var images: [String: String]
}

/// A set of equal pods: what is wanted of it and what was seen.
public struct PodSet: Sendable, Equatable, Codable {
    /// Names the set.
    public var podTemplateHash: String
    /// Pods that were last decided.
    public var wanted: Int
    /// Pods that exist, as last seen.
    public var current: Int
    /// Pods whose probe passes, as last seen.
    public var ready: Int
    /// Pods that count, as last seen.
    public var available: Int
    /// When it may be scaled to 0; `nil` while it is needed.
    public var retireAt: Instant?
    /// Why it will be.
    public var retireBecause: SetRetired.Because?

    /// A set of which nothing is wanted and nothing was seen yet.
    public init(podTemplateHash: String) {
        self.podTemplateHash = podTemplateHash
        wanted = 0
        current = 0
        ready = 0
        available = 0
    }
}

/// How far the latest intent of one kind has come.
public struct IntentProgress: Sendable, Equatable, Codable {
    /// The generation that was last decided; 0 before the first.
    public var decided: Int = 0
    /// When it was decided.
    public var decidedAt: Instant?
    /// The generation that was last seen to be carried out.
    public var applied: Int = 0
    /// Failed attempts at the decided generation.
    public var attempts: Int = 0
    /// When it is to be tried again after a failure.
    public var retryAt: Instant?

    /// Whether the latest intent is still to be carried out.
    public var isOutstanding: Bool { applied < decided }

    mutating func decide(_ generation: Int, at: Instant) {
        self = IntentProgress(decided: generation, decidedAt: at, applied: applied, attempts: 0, retryAt: nil)
    }

    mutating func apply(_ generation: Int) {
        applied = max(applied, generation)
        if !isOutstanding {
            attempts = 0
            retryAt = nil
        }
    }

    mutating func reject(_ generation: Int, attempt: Int, retryAt: Instant) {
        guard generation == decided else { return }
        attempts = attempt
        self.retryAt = retryAt
    }
}

/// One attempt to bring one revision into service.
public struct Release: Sendable, Equatable, Codable {
    /// Its id, which correlates its events.
    public var id: Identifier
    /// The revision.
    public var revision: Int
    /// That revision's pod-template-hash.
    public var podTemplateHash: String
    /// Why it began.
    public var trigger: ReleaseStarted.Trigger
    /// When it began.
    public var startedAt: Instant
    /// The revision that was stable when it began; `nil` on the first deploy.
    public var from: RevisionReference?
    /// Where it is.
    public var course: Course
    /// AnalysisRuns of this release, in order of their start.
    public var runs: [AnalysisRunState]
    /// Whether there was no progress for the deadline.
    public var isLate: Bool

    /// Where a release is.
    public enum Course: Sendable, Equatable, Codable {
        /// Under way. Next: `progressing`, `completed`, `aborted`.
        case progressing(Progress)
        /// The revision is stable. Terminal.
        case completed(at: Instant)
        /// Stopped. Terminal.
        case aborted(at: Instant, Aborted)
    }

    /// How far a release under way has come.
    public struct Progress: Sendable, Equatable, Codable {
        /// The step that the plan's pointer is at; the number of steps once all are done.
        public var index: Int
        /// When that step was entered; `nil` just before.
        public var enteredAt: Instant?
        /// What it waits for, if it waits.
        public var pause: Pause?
        /// Whether a person promoted past all that was left.
        public var isFull: Bool
    }

    /// A wait of a release.
    public struct Pause: Sendable, Equatable, Codable {
        /// Why; never `.person`, which holds the rollout and not the release.
        public var reason: PauseReason
        /// Since when.
        public var since: Instant
        /// When it ends by itself.
        public var until: Instant?
    }

    /// How far it has come, if it is under way.
    public var progress: Progress? {
        if case .progressing(let progress) = course { progress } else { nil }
    }

    /// Whether nothing can move it any more.
    public var hasEnded: Bool { progress == nil }

    /// Whether it is the rollout's first, which has no stable revision to protect.
    public var isFirst: Bool { from == nil }
}
