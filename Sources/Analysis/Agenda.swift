/// What to do for a run now, and when to look again.
public struct Agenda: Sendable, Equatable {
    /// Metrics to measure now, in the order of the plans.
    public var measure: [String] = []
    /// Metrics whose measurement in flight is to be asked after now.
    public var resume: [String] = []
    /// Metrics whose measurement in flight is to be ended now, because the run is being stopped.
    public var terminate: [String] = []
    /// The earliest later moment with something to do, from the run's start; nil when only an answer can move the run.
    public var wakeAt: Duration?

    /// An agenda; empty when nothing is given.
    public init(
        measure: [String] = [], resume: [String] = [], terminate: [String] = [], wakeAt: Duration? = nil
    ) {
        self.measure = measure
        self.resume = resume
        self.terminate = terminate
        self.wakeAt = wakeAt
    }
}

extension AnalysisAssessment {
    /// What to do at `now` (from the run's start): nothing once the run has ended.
    ///
    /// A measurement is due from the very moment that its wait is over; Argo, whose clock never stands still between
    /// two looks, says after it.
    ///
    /// - Source: Argo Rollouts, analysis/analysis.go `generateMetricTasks`, `calculateNextReconcileTime`.
    public func agenda(at now: Duration) -> Agenda {
        var agenda = Agenda()
        if phase.isCompleted { return agenda }
        let terminating = isTerminating
        func look(at due: Duration) {
            agenda.wakeAt = min(agenda.wakeAt ?? due, due)
        }
        for metric in metrics where !metric.tally.phase.isCompleted {
            if let latest = metric.tally.latest, latest.isInFlight {
                if terminating {
                    agenda.terminate.append(metric.plan.name)
                } else if let resumeAt = latest.resumeAt {
                    if resumeAt <= now { agenda.resume.append(metric.plan.name) } else { look(at: resumeAt) }
                }
            } else if let due = metric.plan.nextMeasurement(after: metric.tally, terminating: terminating) {
                if due <= now { agenda.measure.append(metric.plan.name) } else { look(at: due) }
            }
        }
        return agenda
    }
}
