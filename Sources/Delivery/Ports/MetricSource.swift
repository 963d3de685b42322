public import Analysis
public import EventSourcing

/// Answers one measurement of a metric; the port to Prometheus and its like.
public protocol MetricSource: Sendable {
    /// The keys of `spec.metrics[].provider` that it answers for, such as `prometheus`.
    var providers: Set<String> { get }

    /// Asks once. Never throws: a source that is down, slow, empty or talks garbage is an answer, and a recorded fact.
    ///
    /// Returns early, with an error answer, when the task is cancelled.
    func measure(_ query: MetricQuery) async -> MetricAnswer
}

/// What is asked.
public struct MetricQuery: Sendable, Hashable {
    /// The rollout for which it is asked.
    public var rollout: RolloutName
    /// The AnalysisRun.
    public var run: String
    /// The metric's name.
    public var metric: String
    /// The provider's part of the manifest with its arguments filled in.
    public var provider: JSONValue

    /// Makes a query.
    public init(rollout: RolloutName, run: String, metric: String, provider: JSONValue) {
        self.rollout = rollout
        self.run = run
        self.metric = metric
        self.provider = provider
    }
}

/// What came back.
public struct MetricAnswer: Sendable, Equatable {
    /// A value, or why there is none.
    public var outcome: MeasurementOutcome
    /// Where it came from.
    public var source: MeasurementSource
    /// What the provider said besides, such as warnings.
    public var metadata: [String: String]

    /// Makes an answer; what the ledger cannot keep of its texts is replaced, before any condition sees it.
    public init(outcome: MeasurementOutcome, source: MeasurementSource, metadata: [String: String] = [:]) {
        self.outcome =
            switch outcome {
            case .value(let value): .value(value.keepable)
            case .error(let reason): .error(reason.keepable)
            }
        self.source = source
        self.metadata = metadata
    }
}

/// Where a measurement came from, for the audit.
public struct MeasurementSource: Sendable, Hashable, Codable {
    /// The provider's key, such as `prometheus`.
    public var provider: String
    /// Its address, without credentials.
    public var address: String
    /// SHA-256 of the query's text, `sha256:` and 64 hexadecimal digits.
    public var queryDigest: String

    /// Makes a source.
    public init(provider: String, address: String, queryDigest: String) {
        self.provider = provider.keepable
        self.address = address.keepable
        self.queryDigest = queryDigest
    }
}
