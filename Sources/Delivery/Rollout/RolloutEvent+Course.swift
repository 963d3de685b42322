public import EventSourcing

/// Why a release waits; a closed list.
public enum PauseReason: String, Sendable, Codable {
    /// A pause step.
    case step
    /// An analysis could not tell.
    case inconclusive
    /// A person said so.
    case person
}

/// Payload of `rollout.pause-began`.
public struct PauseBegan: Sendable, Equatable, Codable {
    /// Why.
    public var reason: PauseReason
    /// When it ends by itself; `nil`: not before a person says so.
    public var until: Instant?
    /// What the person gave as the reason.
    public var message: String?
}

/// Payload of `rollout.pause-ended`.
public struct PauseEnded: Sendable, Equatable, Codable {
    /// Which pause.
    public var reason: PauseReason
    /// How it ended.
    public var because: Because

    /// How a pause ended; a closed list.
    public enum Because: String, Sendable, Codable {
        /// Its time was over.
        case elapsed
        /// A person promoted.
        case promoted
        /// A person resumed.
        case resumed
        /// The release was aborted.
        case aborted
        /// A newer release began.
        case superseded
    }
}

/// Payload of `rollout.deadline-exceeded`.
public struct DeadlineExceeded: Sendable, Equatable, Codable {
    /// Seconds without progress.
    public var afterSeconds: Int
    /// Argo's words.
    public var message: String
}

/// Payload of `rollout.promoted`.
public struct Promoted: Sendable, Equatable, Codable {
    /// How.
    public var kind: Kind
    /// The step index that it moved on from.
    public var fromIndex: Int
    /// What the person gave as the reason.
    public var reason: String?

    /// How a release was moved on; a closed list.
    public enum Kind: String, Sendable, Codable {
        /// A person, past one step.
        case step
        /// A person, past all that is left.
        case full
        /// The plan itself.
        case automatic
    }
}

/// Payload of `rollout.aborted`.
public struct Aborted: Sendable, Equatable, Codable {
    /// Who or what stopped it.
    public var by: By
    /// What the person gave as the reason.
    public var reason: String?
    /// The measurements that led to it.
    public var evidence: [MeasurementReference]
    /// Argo's words.
    public var message: String

    /// Who or what stops a release; a closed list.
    public enum By: String, Sendable, Codable {
        /// A person.
        case person
        /// A verdict.
        case analysis
        /// The progress deadline.
        case deadline
        /// What was agreed for the time without a ledger.
        case standingOrder = "standing-order"
    }
}

/// A measurement by run, metric and number; the `measurement-taken` event of the same stream holds it.
public struct MeasurementReference: Sendable, Equatable, Codable {
    /// The AnalysisRun.
    public var run: String
    /// The metric.
    public var metric: String
    /// From 1.
    public var number: Int
}

/// Payload of `rollout.completed`.
public struct Completed: Sendable, Equatable, Codable {
    /// The revision that is stable now.
    public var podTemplateHash: String
    /// From the release's start, ISO 8601.
    public var took: String
    /// Argo's words for why.
    public var message: String
}

/// Payload of `rollout.superseded`.
public struct Superseded: Sendable, Equatable, Codable {
    /// The release that took its place.
    public var by: Identifier
}

/// Payload of `rollout.standing-order-executed`.
public struct StandingOrderExecuted: Sendable, Equatable, Codable {
    /// Since when the ledger could not be reached; with `found-in-data-plane`, when it last heard of the rollout.
    public var unreachableFrom: Instant
    /// Until when.
    public var until: Instant
    /// Why weight 0 was routed.
    public var because: Because
    /// When the data plane was seen to obey weight 0, or was found to; `nil` if it was not.
    public var routedZeroAt: Instant?
    /// The generation under which it was routed.
    public var generation: Int
    /// What was measured meanwhile and is not recorded otherwise, since the release is aborted as of the beginning.
    public var measurements: [MeasurementTaken]

    /// Why a standing order was carried out; a closed list.
    public enum Because: String, Sendable, Codable {
        /// A verdict failed while the ledger could not be reached.
        case failingVerdict = "failing-verdict"
        /// The ledger could not be reached for too long.
        case blindness
        /// Whoever routed weight 0 did not live to say why: a later controller found it so.
        case foundInDataPlane = "found-in-data-plane"
    }

    /// Makes a report.
    public init(
        unreachableFrom: Instant, until: Instant, because: Because, routedZeroAt: Instant?, generation: Int,
        measurements: [MeasurementTaken] = []
    ) {
        self.unreachableFrom = unreachableFrom
        self.until = until
        self.because = because
        self.routedZeroAt = routedZeroAt
        self.generation = generation
        self.measurements = measurements
    }
}

/// Payload of `rollout.set-retired`.
public struct SetRetired: Sendable, Equatable, Codable {
    /// The set.
    public var podTemplateHash: String
    /// Why it went.
    public var because: Because

    /// Why a set is not needed any more; a closed list.
    public enum Because: String, Sendable, Codable {
        /// A newer release took its place.
        case history
        /// The delay after a completed release was over.
        case delay
        /// The delay after an abort was over.
        case abortDelay = "abort-delay"
    }
}
