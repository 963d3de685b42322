/// How many metrics of a run there are and how they ended.
///
/// Counts metrics, not measurements.
///
/// - Source: Argo Rollouts, pkg/apis/rollouts/v1alpha1/analysis_types.go `RunSummary`.
public struct AnalysisSummary: Sendable, Equatable, Codable {
    /// All metrics of the class, unfinished ones included.
    public private(set) var count = 0
    /// Ended without exceeding a limit.
    ///
    /// A metric that ended by its consecutiveSuccessLimit counts here, as in Argo.
    public private(set) var successful = 0
    /// Ended over their failureLimit.
    public private(set) var failed = 0
    /// Ended over their inconclusiveLimit.
    public private(set) var inconclusive = 0
    /// Ended over their consecutiveErrorLimit.
    public private(set) var error = 0

    init(of metrics: [AnalysisAssessment.Metric]) {
        for metric in metrics {
            count += 1
            guard metric.tally.phase.isCompleted else { continue }
            switch metric.plan.limitExceeded(by: metric.tally)?.phase {
            case .error: error += 1
            case .failed: failed += 1
            case .inconclusive: inconclusive += 1
            default: successful += 1
            }
        }
    }
}
