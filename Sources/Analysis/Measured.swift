public import Conditions

/// One measurement of a metric.
///
/// Times count from the run's start.
public struct Measured: Sendable, Equatable, Codable {
    /// `running` while it is in flight; then a final phase.
    public var phase: AnalysisPhase
    /// What the metric source answered; nil without an answer, or when no verdict could be made of it.
    public var value: Value?
    /// Why it is an Error, or what the source said; nil for nothing to say.
    public var message: String?
    /// When it was begun.
    public var startedAt: Duration
    /// When it ended; nil while it is in flight.
    public var finishedAt: Duration?
    /// When a measurement in flight is to be asked after; nil when the source will tell.
    public var resumeAt: Duration?

    /// Creates a measurement as it was recorded.
    public init(
        phase: AnalysisPhase, value: Value? = nil, message: String? = nil, startedAt: Duration,
        finishedAt: Duration? = nil, resumeAt: Duration? = nil
    ) {
        self.phase = phase
        self.value = value
        self.message = message
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.resumeAt = resumeAt
    }
}

/// What a metric source came back with.
public enum MeasurementOutcome: Sendable, Equatable {
    /// It answered this.
    case value(Value)
    /// It could not be asked, or its answer could not be read: the reason.
    case error(String)
}
