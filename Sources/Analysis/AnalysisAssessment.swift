/// An AnalysisRun's plans and tallies, and what they amount to.
///
/// A value to fold measurements into: `count` a measurement, then `assess`. Times count from the run's start.
/// One `assess` is one reconcile of Argo's: siblings of a metric that fails in it are stopped by the next one, so that
/// measurements in flight can be ended in between (`agenda(at:).terminate`). `settle` assesses as often as needed.
///
/// ```swift
/// var run = AnalysisAssessment(plans: plans)
/// for name in run.agenda(at: now).measure { … run.count(measured, of: name) }
/// run.settle()
/// if run.phase.isCompleted { … run.message … } else { … wake at run.agenda(at: now).wakeAt … }
/// ```
///
/// - Source: Argo Rollouts, analysis/analysis.go `reconcileAnalysisRun`.
public struct AnalysisAssessment: Sendable, Equatable, Codable {
    /// One metric of the run.
    public struct Metric: Sendable, Equatable, Codable {
        /// What is measured and tolerated.
        public let plan: MetricPlan
        /// What was counted.
        public internal(set) var tally = MetricTally()
    }

    /// In the order of the plans.
    public private(set) var metrics: [Metric]
    /// `pending` until the first assessment.
    public private(set) var phase = AnalysisPhase.pending
    /// In Argo's words, why the run ended; empty while it runs and when there is nothing to say.
    public private(set) var message = ""
    /// Whether the run was told to stop.
    public private(set) var isStopRequested = false

    /// A run in which nothing was measured yet.
    ///
    /// - Parameter plans: With different names; the order decides between equally bad metrics.
    public init(plans: [MetricPlan]) {
        metrics = plans.map { Metric(plan: $0) }
    }

    /// The metric of that name.
    public subscript(name: String) -> Metric? {
        metrics.first { $0.plan.name == name }
    }

    /// Whether no further measurement is begun: a stop was asked for, or a metric that counts ended badly.
    ///
    /// - Source: Argo Rollouts, utils/analysis `IsTerminating`.
    public var isTerminating: Bool {
        isStopRequested || metrics.contains { !$0.plan.dryRun && $0.tally.phase.stopsTheRun }
    }

    /// The metrics that count.
    public var summary: AnalysisSummary { AnalysisSummary(of: metrics.filter { !$0.plan.dryRun }) }

    /// The metrics that run dry.
    public var dryRunSummary: AnalysisSummary { AnalysisSummary(of: metrics.filter(\.plan.dryRun)) }

    // MARK: Events

    /// Counts a measurement of the metric called `name`; takes effect with the next assessment.
    ///
    /// - Returns: False, with nothing changed, if the run has no such metric, or metric or run have ended: a late answer.
    @discardableResult
    public mutating func count(_ measured: Measured, of name: String) -> Bool {
        guard !phase.isCompleted, let index = metrics.firstIndex(where: { $0.plan.name == name }),
            !metrics[index].tally.phase.isCompleted
        else { return false }
        metrics[index].tally.count(measured)
        return true
    }

    /// Asks the run to stop (`spec.terminate`); takes effect with the next assessment.
    public mutating func requestStop() {
        if !phase.isCompleted { isStopRequested = true }
    }

    /// Brings the phases of metrics and run up to date, once.
    ///
    /// - Source: Argo Rollouts, analysis/analysis.go `assessRunStatus`.
    public mutating func assess() {
        if phase.isCompleted { return }
        let terminating = isTerminating
        var worst: AnalysisPhase?
        var worstMessage = isStopRequested ? "Run Terminated" : ""
        var allCompleted = true
        for index in metrics.indices {
            guard metrics[index].tally.latest != nil else {
                allCompleted = false
                continue
            }
            let plan = metrics[index].plan
            metrics[index].tally.move(to: plan.phase(of: metrics[index].tally, terminating: terminating))
            let tally = metrics[index].tally
            guard tally.phase.isCompleted else {
                allCompleted = false
                continue
            }
            let reason = plan.limitExceeded(by: tally)?.reason
            if plan.dryRun {
                if worst == nil { worst = .successful }
                if let reason {
                    metrics[index].tally.message = "Metric assessed \(tally.phase.rawValue) due to \(reason)"
                }
            } else if worst.map(tally.phase.isWorse(than:)) ?? true {
                worst = tally.phase
                if let reason { worstMessage = Self.message(plan.name, tally, reason) }
            }
        }
        if terminating {
            conclude(worst ?? .successful, worstMessage)
        } else if allCompleted, let worst {
            conclude(worst, worstMessage)
        } else {
            phase = .running
        }
    }

    /// Assesses until nothing changes, or until a measurement in flight must be ended first.
    public mutating func settle() {
        while true {
            let before = self
            assess()
            if self == before || (isTerminating && metrics.contains { $0.tally.latest?.isInFlight == true }) { return }
        }
    }

    private mutating func conclude(_ phase: AnalysisPhase, _ message: String) {
        self.phase = phase
        self.message = message
    }

    private static func message(_ name: String, _ tally: MetricTally, _ reason: String) -> String {
        let assessed = "Metric \"\(name)\" assessed \(tally.phase.rawValue) due to \(reason)"
        return tally.message.isEmpty ? assessed : assessed + ": \"Error Message: \(tally.message)\""
    }
}

extension MetricTally {
    /// Takes on a phase; if it is a new one, with the message of the latest measurement.
    fileprivate mutating func move(to phase: AnalysisPhase) {
        guard self.phase != phase else { return }
        self.phase = phase
        message = latest?.message ?? ""
    }
}
