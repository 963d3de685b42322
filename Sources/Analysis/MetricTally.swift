/// What was counted of a metric so far, and what that makes of it.
public struct MetricTally: Sendable, Equatable, Codable {
    /// Measurements that were Successful.
    public private(set) var successful = 0
    /// Measurements that Failed.
    public private(set) var failed = 0
    /// Measurements that were Inconclusive.
    public private(set) var inconclusive = 0
    /// Measurements that were an Error.
    public private(set) var error = 0
    /// Errors in a row, up to the latest measurement.
    public private(set) var consecutiveError = 0
    /// Successes in a row, up to the latest measurement.
    public private(set) var consecutiveSuccess = 0
    /// `pending` until the first measurement, `running` until a rule completes the metric; then final.
    public internal(set) var phase = AnalysisPhase.pending
    /// The message of the measurement at which the phase changed; for a dry run the outcome in words.
    ///
    /// Empty for none.
    public internal(set) var message = ""
    /// The latest measurement, without its value; nil before the first.
    public private(set) var latest: Latest?

    /// Of the latest measurement what the rules ask for.
    public struct Latest: Sendable, Equatable, Codable {
        /// Its phase.
        public let phase: AnalysisPhase
        /// Its message; empty for none.
        public let message: String
        /// When it ended, from the run's start; nil while it is in flight.
        public let finishedAt: Duration?
        /// When one in flight is to be asked after.
        public let resumeAt: Duration?

        /// Whether it has not ended.
        public var isInFlight: Bool { finishedAt == nil }
    }

    /// Nothing measured yet.
    public init() {}

    /// Measurements that count: errors do not.
    public var count: Int { successful + failed + inconclusive }

    /// How many measurements there were, errors and one in flight included.
    public var measurements: Int { count + error + (latest?.isInFlight == true ? 1 : 0) }

    /// Counts a measurement; one that ends takes the place of the same one in flight.
    ///
    /// - Source: Argo Rollouts, analysis/analysis.go `runMeasurements`. Argo counts when the phase is final.
    public mutating func count(_ measured: Measured) {
        if phase == .pending { phase = .running }
        let finishedAt = measured.phase.isCompleted ? measured.finishedAt ?? measured.startedAt : nil
        latest = Latest(
            phase: measured.phase, message: measured.message ?? "", finishedAt: finishedAt,
            resumeAt: measured.resumeAt)
        switch measured.phase {
        case .pending, .running: return
        case .successful:
            successful += 1
            consecutiveError = 0
            consecutiveSuccess += 1
        case .failed:
            failed += 1
            consecutiveError = 0
            consecutiveSuccess = 0
        case .inconclusive:
            inconclusive += 1
            consecutiveError = 0
            consecutiveSuccess = 0
        case .error:
            error += 1
            consecutiveError += 1
            consecutiveSuccess = 0
        }
    }
}
