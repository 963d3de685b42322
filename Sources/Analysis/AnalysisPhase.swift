/// Where a measurement, a metric or a whole AnalysisRun stands.
///
/// `pending` → `running` → one of the other four, which are final.
///
/// - Source: Argo Rollouts, pkg/apis/rollouts/v1alpha1/analysis_types.go `AnalysisPhase`.
public enum AnalysisPhase: String, Sendable, Codable, CaseIterable {
    /// Nothing was measured yet.
    case pending = "Pending"
    /// At least one measurement was taken or is under way, and more may come.
    case running = "Running"
    /// Ended within its limits.
    case successful = "Successful"
    /// Ended with more Failed measurements than tolerated.
    case failed = "Failed"
    /// Ended without a verdict: a person decides.
    case inconclusive = "Inconclusive"
    /// Ended because the metric source could not be asked, or its answer not be judged.
    case error = "Error"

    /// Whether this phase is final.
    public var isCompleted: Bool {
        switch self {
        case .pending, .running: false
        case .successful, .failed, .inconclusive, .error: true
        }
    }

    /// Whether a metric in this phase stops its siblings.
    ///
    /// - Source: Argo Rollouts, utils/analysis `IsTerminating`.
    public var stopsTheRun: Bool { self == .failed || self == .error || self == .inconclusive }

    /// Whether this phase is worse than `other`: Successful < Running < Pending < Inconclusive < Error < Failed.
    ///
    /// - Source: Argo Rollouts, utils/analysis `IsWorse`.
    public func isWorse(than other: AnalysisPhase) -> Bool { severity > other.severity }

    private var severity: Int {
        switch self {
        case .successful: 0
        case .running: 1
        case .pending: 2
        case .inconclusive: 3
        case .error: 4
        case .failed: 5
        }
    }
}
