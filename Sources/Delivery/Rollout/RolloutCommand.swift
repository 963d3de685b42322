public import Analysis
public import EventSourcing

/// An order or a report to a rollout, with the moment that it carries.
public struct RolloutCommand: Sendable, Equatable {
    /// When it was given, or when what it reports happened.
    public var at: Instant
    /// What.
    public var order: RolloutOrder

    /// Makes a command.
    public init(at: Instant, _ order: RolloutOrder) {
        self.at = at
        self.order = order
    }
}

/// What a rollout can be told: by people first, by the controller's shell after them.
public enum RolloutOrder: Sendable, Equatable {
    /// Take this manifest; `newRelease` becomes the id of a release that it starts.
    case apply(ManifestBundle, source: ManifestSource, warnings: [String], newRelease: Identifier)
    /// Put other images into the present manifest, by container name (`*` for all).
    case setImages([String: String], newRelease: Identifier)
    /// Go back to the template of a revision; `nil`: of the one before.
    case undo(toRevision: Int?, newRelease: Identifier)
    /// Try an aborted release again.
    case retry(newRelease: Identifier)
    /// Move on: past one step, or past all that is left.
    case promote(full: Bool, reason: String?)
    /// Stop, and send all traffic to the stable revision.
    case abort(reason: String?)
    /// Hold the plan where it is.
    case pause(reason: String?)
    /// Let the plan go on.
    case resume(reason: String?)

    /// The readiness of a set was seen.
    case observePods(PodsSeen)
    /// The platform accepted the sizes of this generation.
    case reportScaled(generation: Int)
    /// The platform did not.
    case reportScaleFailure(generation: Int, by: String, error: String)
    /// The data plane was seen to obey.
    case reportRouted(RouteObservation)
    /// It was not.
    case reportRouteFailure(generation: Int, router: String, error: String)
    /// The data plane obeys this generation, which is newer than the latest one in the log, or the same with another split.
    case reportNewerRoute(generation: Int)
    /// A provider answered, or failed to.
    case reportMeasurement(MeasurementReport)
    /// Time has passed: look whether something is due.
    case wake
    /// What was done while the ledger could not be reached.
    case reportStandingOrder(StandingOrderExecuted)
    /// The data plane, looked at by a controller that takes the rollout over, and when the log last heard of the rollout.
    case reportFoundRoute(RouteObservation, lastHeardOf: Instant)
}

/// The readiness of one set, as a platform saw it.
public struct PodsSeen: Sendable, Equatable {
    /// The set.
    public var podTemplateHash: String
    /// Pods that the platform is to run.
    public var desired: Int
    /// Pods that exist.
    public var current: Int
    /// Pods whose readiness probe passes.
    public var ready: Int
    /// Pods that have been ready for `minReadySeconds`.
    public var available: Int

    /// Makes a report.
    public init(podTemplateHash: String, desired: Int, current: Int, ready: Int, available: Int) {
        self.podTemplateHash = podTemplateHash
        self.desired = desired
        self.current = current
        self.ready = ready
        self.available = available
    }

    /// Takes over what a platform saw.
    public init(_ observation: PodObservation) {
        self.init(
            podTemplateHash: observation.podTemplateHash, desired: observation.desired, current: observation.current,
            ready: observation.ready, available: observation.available)
    }
}

/// What a provider answered to the measurement `number` of a metric.
public struct MeasurementReport: Sendable, Equatable {
    /// The AnalysisRun.
    public var run: String
    /// The metric.
    public var metric: String
    /// From 1; a report of a number that is already recorded changes nothing.
    public var number: Int
    /// A value, or why there is none.
    public var outcome: MeasurementOutcome
    /// When the question was sent.
    public var startedAt: Instant
    /// When the answer was there.
    public var finishedAt: Instant
    /// Where it came from.
    public var source: MeasurementSource

    /// Makes a report.
    public init(
        run: String, metric: String, number: Int, outcome: MeasurementOutcome, startedAt: Instant, finishedAt: Instant,
        source: MeasurementSource
    ) {
        self.run = run
        self.metric = metric
        self.number = number
        self.outcome = outcome
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.source = source
    }
}
