public import Conditions

/// What to measure, how often, and how much to tolerate: a metric of an AnalysisRun with all its args filled in.
///
/// Limits that are nil have Argo's defaults; see the `effective…` properties.
///
/// - Source: Argo Rollouts, pkg/apis/rollouts/v1alpha1/analysis_types.go `Metric`.
public struct MetricPlan: Sendable, Equatable {
    /// Unique in its run.
    public var name: String
    /// From the end of one measurement to the start of the next; nil when it is taken once.
    public var interval: Duration?
    /// From the run's start to the first measurement.
    public var initialDelay: Duration?
    /// Measurements that are wanted, errors not counted; nil or 0 means one without an interval, else no end.
    public var count: Int?
    /// Failed measurements that are tolerated; -1 disables the limit.
    ///
    /// Default 0.
    public var failureLimit: Int?
    /// Inconclusive measurements that are tolerated.
    ///
    /// Default 0.
    public var inconclusiveLimit: Int?
    /// Errors in a row that are tolerated.
    ///
    /// Default 4.
    public var consecutiveErrorLimit: Int?
    /// Successes in a row that complete the metric; 0, the default, disables it.
    public var consecutiveSuccessLimit: Int?
    /// True of a good result; nil when not given.
    public var successCondition: String?
    /// True of a bad result; nil when not given.
    public var failureCondition: String?
    /// Whether the outcome is shown but does not count.
    public var dryRun: Bool
    /// What the metric source guarantees about lists in its answers; decides how strictly conditions are typed.
    public var resultTyping: ResultTyping

    /// Creates a plan; everything but the name may be left out.
    public init(
        name: String, interval: Duration? = nil, initialDelay: Duration? = nil, count: Int? = nil,
        failureLimit: Int? = nil, inconclusiveLimit: Int? = nil, consecutiveErrorLimit: Int? = nil,
        consecutiveSuccessLimit: Int? = nil, successCondition: String? = nil, failureCondition: String? = nil,
        dryRun: Bool = false, resultTyping: ResultTyping = .inferred
    ) {
        self.name = name
        self.interval = interval
        self.initialDelay = initialDelay
        self.count = count
        self.failureLimit = failureLimit
        self.inconclusiveLimit = inconclusiveLimit
        self.consecutiveErrorLimit = consecutiveErrorLimit
        self.consecutiveSuccessLimit = consecutiveSuccessLimit
        self.successCondition = successCondition
        self.failureCondition = failureCondition
        self.dryRun = dryRun
        self.resultTyping = resultTyping
    }

    /// The wait after an Error measurement, whatever the interval is (Argo `DefaultErrorRetryInterval`).
    public static let errorRetryInterval = Duration.seconds(10)

    /// Argo's default of `consecutiveErrorLimit` (utils/defaults).
    public static let defaultConsecutiveErrorLimit = 4

    /// How many measurements end the metric; nil when it runs until it is stopped (Argo `Metric.EffectiveCount`).
    public var effectiveCount: Int? {
        if let count, count != 0 { return count }
        return interval == nil ? 1 : nil
    }

    /// The failure limit that applies, or nil when it is disabled.
    public var effectiveFailureLimit: Int? {
        let limit = failureLimit ?? 0
        return limit < 0 ? nil : limit
    }

    /// The limit of Inconclusive measurements that applies.
    public var effectiveInconclusiveLimit: Int { inconclusiveLimit ?? 0 }

    /// The limit of Errors in a row that applies.
    public var effectiveConsecutiveErrorLimit: Int {
        consecutiveErrorLimit ?? MetricPlan.defaultConsecutiveErrorLimit
    }

    /// The successes in a row that complete the metric, or nil when that is disabled.
    public var effectiveConsecutiveSuccessLimit: Int? {
        guard let limit = consecutiveSuccessLimit, limit > 0 else { return nil }
        return limit
    }

    /// What is wrong with the numbers of this plan, in Argo's words without the `metrics[i]: ` before it; nil if fine.
    ///
    /// - Source: Argo Rollouts, utils/analysis `ValidateMetric`, in its order.
    public var defect: String? {
        let success = consecutiveSuccessLimit ?? 0
        let failure = failureLimit ?? 0
        let count = self.count ?? 0
        if success < 0 { return "consecutiveSuccessLimit must be >= 0" }
        if failure < -1 { return "failureLimit must be >= 0, or -1 to be disabled" }
        if failure == -1, success == 0 { return "failureLimit and consecutiveSuccessLimit cannot both be disabled" }
        if effectiveInconclusiveLimit < 0 { return "inconclusiveLimit must be >= 0" }
        if effectiveConsecutiveErrorLimit < 0 { return "consecutiveErrorLimit must be >= 0" }
        if count > 0 {
            if failure >= 0, count < failure + success {
                return "count (\(count)) must be >= failureLimit + consecutiveSuccessLimit (\(failure) + \(success)) "
                    + "if both >= 0"
            }
            if failure == -1, count < success { return "count must be >= consecutiveSuccessLimit" }
            if count < effectiveInconclusiveLimit { return "count must be >= inconclusiveLimit" }
        }
        return count > 1 && interval == nil ? "interval must be specified when count > 1" : nil
    }
}

extension MetricPlan: Codable {
    private enum CodingKeys: String, CodingKey {
        case name, intervalNanoseconds, initialDelayNanoseconds, count, failureLimit, inconclusiveLimit
        case consecutiveErrorLimit, consecutiveSuccessLimit, successCondition, failureCondition, dryRun, resultTyping
    }

    /// Reads a plan; `dryRun` and `resultTyping` may be missing.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func duration(_ key: CodingKeys) throws -> Duration? {
            try container.decodeIfPresent(Int64.self, forKey: key).map { .nanoseconds($0) }
        }
        self.init(
            name: try container.decode(String.self, forKey: .name),
            interval: try duration(.intervalNanoseconds),
            initialDelay: try duration(.initialDelayNanoseconds),
            count: try container.decodeIfPresent(Int.self, forKey: .count),
            failureLimit: try container.decodeIfPresent(Int.self, forKey: .failureLimit),
            inconclusiveLimit: try container.decodeIfPresent(Int.self, forKey: .inconclusiveLimit),
            consecutiveErrorLimit: try container.decodeIfPresent(Int.self, forKey: .consecutiveErrorLimit),
            consecutiveSuccessLimit: try container.decodeIfPresent(Int.self, forKey: .consecutiveSuccessLimit),
            successCondition: try container.decodeIfPresent(String.self, forKey: .successCondition),
            failureCondition: try container.decodeIfPresent(String.self, forKey: .failureCondition),
            dryRun: try container.decodeIfPresent(Bool.self, forKey: .dryRun) ?? false,
            resultTyping: try container.decodeIfPresent(ResultTyping.self, forKey: .resultTyping) ?? .inferred)
    }

    /// Writes a plan; durations as whole nanoseconds (the unit of Go's durations), what is nil is left out.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        func nanoseconds(_ duration: Duration?) -> Int64? {
            duration.map { $0.components.seconds * 1_000_000_000 + $0.components.attoseconds / 1_000_000_000 }
        }
        try container.encode(name, forKey: .name)
        try container.encodeIfPresent(nanoseconds(interval), forKey: .intervalNanoseconds)
        try container.encodeIfPresent(nanoseconds(initialDelay), forKey: .initialDelayNanoseconds)
        try container.encodeIfPresent(count, forKey: .count)
        try container.encodeIfPresent(failureLimit, forKey: .failureLimit)
        try container.encodeIfPresent(inconclusiveLimit, forKey: .inconclusiveLimit)
        try container.encodeIfPresent(consecutiveErrorLimit, forKey: .consecutiveErrorLimit)
        try container.encodeIfPresent(consecutiveSuccessLimit, forKey: .consecutiveSuccessLimit)
        try container.encodeIfPresent(successCondition, forKey: .successCondition)
        try container.encodeIfPresent(failureCondition, forKey: .failureCondition)
        try container.encode(dryRun, forKey: .dryRun)
        try container.encode(resultTyping, forKey: .resultTyping)
    }
}
