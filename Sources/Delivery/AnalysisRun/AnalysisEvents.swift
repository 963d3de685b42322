public import Analysis
public import EventSourcing

/// What an AnalysisRun is for; a closed list.
public enum AnalysisKind: String, Sendable, Codable {
    /// A step waits for it.
    case step
    /// It runs beside the steps.
    case background
}

/// Payload of `rollout.analysis-started`.
public struct AnalysisStarted: Sendable, Equatable, Codable {
    /// `<rollout>-<hash>-<revision>[-<step index>][.<attempt>]`.
    public var run: String
    /// What it is for.
    public var kind: AnalysisKind
    /// The step that waits for it.
    public var stepIndex: Int?
    /// The templates that were merged.
    public var templates: [TemplateReference]
    /// The arguments as they were filled in.
    public var arguments: [String: String]
    /// What is measured; empty if the run could not start.
    public var metrics: [ResolvedMetric]
    /// Why the run could not start, in Argo's words.
    public var error: String?
}

/// Payload of `rollout.measurement-taken`.
public struct MeasurementTaken: Sendable, Equatable, Codable {
    /// The AnalysisRun.
    public var run: String
    /// The metric.
    public var metric: String
    /// From 1.
    public var number: Int
    /// What the conditions made of it.
    public var phase: AnalysisPhase
    /// The value, as canonical text beside its type; `nil` if the provider gave none.
    public var value: MeasuredValue?
    /// Why it is an error, or what else there is to say.
    public var message: String?
    /// When the question was sent.
    public var startedAt: Instant
    /// When the answer was there.
    public var finishedAt: Instant
    /// Where it came from.
    public var source: MeasurementSource
    /// The condition that decided.
    public var condition: String?
    /// Whether it counts.
    public var dryRun: Bool
}

/// A value that JSON and PostgreSQL can hold whatever it is: NaN is no JSON number and not equal to itself.
public struct MeasuredValue: Sendable, Equatable, Codable {
    /// `vector`, `scalar`, `string`, `matrix` or `json`.
    public var type: String
    /// Canonical text, as Argo prints it, such as `[0.0125]`.
    public var text: String

    /// Makes a value.
    public init(type: String, text: String) {
        self.type = type
        self.text = text
    }
}

/// Payload of `rollout.metric-concluded`.
public struct MetricConcluded: Sendable, Equatable, Codable {
    /// The AnalysisRun.
    public var run: String
    /// The metric.
    public var metric: String
    /// Its verdict.
    public var phase: AnalysisPhase
    /// Argo's words.
    public var message: String?
    /// How many measurements came to what.
    public var counts: MeasurementCounts
    /// Whether it counts.
    public var dryRun: Bool
}

/// How many measurements came to what.
public struct MeasurementCounts: Sendable, Equatable, Codable {
    /// Measurements that met the conditions.
    public var successful: Int
    /// Measurements that did not.
    public var failed: Int
    /// Measurements that could not tell.
    public var inconclusive: Int
    /// Measurements without a value.
    public var error: Int
}

/// Payload of `rollout.analysis-concluded`.
public struct AnalysisConcluded: Sendable, Equatable, Codable {
    /// The AnalysisRun.
    public var run: String
    /// Its verdict.
    public var phase: AnalysisPhase
    /// Argo's words.
    public var message: String?
}
