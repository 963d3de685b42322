/// A limit that a metric went beyond.
public struct LimitExceeded: Sendable, Equatable {
    /// Failed, Inconclusive or Error.
    public let phase: AnalysisPhase
    /// In Argo's words: `failed (3) > failureLimit (2)`.
    public let reason: String
}

extension MetricPlan {
    /// The limit that `tally` exceeds; with several, Error before Inconclusive before Failed.
    ///
    /// The limit is tolerated.
    ///
    /// - Source: Argo Rollouts, analysis/analysis.go `assessMetricFailureInconclusiveOrError`.
    public func limitExceeded(by tally: MetricTally) -> LimitExceeded? {
        if tally.consecutiveError > effectiveConsecutiveErrorLimit {
            return LimitExceeded(
                phase: .error,
                reason: "consecutiveErrors (\(tally.consecutiveError)) > "
                    + "consecutiveErrorLimit (\(effectiveConsecutiveErrorLimit))")
        }
        if tally.inconclusive > effectiveInconclusiveLimit {
            return LimitExceeded(
                phase: .inconclusive,
                reason: "inconclusive (\(tally.inconclusive)) > inconclusiveLimit (\(effectiveInconclusiveLimit))")
        }
        if let limit = effectiveFailureLimit, tally.failed > limit {
            return LimitExceeded(phase: .failed, reason: "failed (\(tally.failed)) > failureLimit (\(limit))")
        }
        return nil
    }

    /// The phase that `tally` makes of the metric.
    ///
    /// - Parameter terminating: Whether the run was being stopped when this assessment began.
    /// - Source: Argo Rollouts, analysis/analysis.go `assessMetricStatus`; the rules M1…M11 in its order.
    public func phase(of tally: MetricTally, terminating: Bool) -> AnalysisPhase {
        if tally.phase.isCompleted { return tally.phase }
        guard let latest = tally.latest else { return terminating ? .successful : .pending }
        if latest.isInFlight { return .running }
        if let exceeded = limitExceeded(by: tally) { return exceeded.phase }
        let successLimit = effectiveConsecutiveSuccessLimit
        if let successLimit, tally.consecutiveSuccess >= successLimit { return .successful }
        if let count = effectiveCount, tally.count >= count {
            guard successLimit != nil else { return .successful }
            return effectiveFailureLimit == nil ? .failed : .inconclusive
        }
        return terminating ? .successful : .running
    }

    /// When the next measurement is due, from the run's start; nil when none will be taken.
    ///
    /// The interval counts from the end of the latest measurement; after an Error it is 10 s whatever the interval is.
    ///
    /// - Source: Argo Rollouts, analysis/analysis.go `generateMetricTasks`; the rules D1, D4…D9 in its order.
    public func nextMeasurement(after tally: MetricTally, terminating: Bool) -> Duration? {
        if tally.phase.isCompleted || terminating { return nil }
        guard let latest = tally.latest else { return initialDelay ?? .zero }
        guard let finishedAt = latest.finishedAt else { return nil }
        if let count = effectiveCount, tally.count >= count { return nil }
        let wait = latest.phase == .error ? nil : interval
        return finishedAt + (wait ?? MetricPlan.errorRetryInterval)
    }
}
