public import Analysis
import Conditions
public import EventSourcing

/// One AnalysisRun of a release: what it measures, what came back, what that amounts to.
public struct AnalysisRunState: Sendable, Equatable, Codable {
    /// `<rollout>-<hash>-<revision>[-<step index>][.<attempt>]`.
    public var name: String
    /// What it is for.
    public var kind: AnalysisKind
    /// The step that waits for it.
    public var stepIndex: Int?
    /// When it began; the assessment's times count from here.
    public var startedAt: Instant
    /// What is measured.
    public var metrics: [ResolvedMetric]
    /// Why it could not start.
    public var error: String?
    /// Counts and phases, by the rules of the room Analysis.
    public var assessment: AnalysisAssessment
    /// Measurements in the order of their recording.
    public var measurements: [MeasurementTaken]
    /// Metrics whose verdict is recorded.
    public var concludedMetrics: [String]
    /// The verdict, once there is one.
    public var conclusion: AnalysisConcluded?
    /// When there was one.
    public var concludedAt: Instant?

    /// A run that has just begun.
    public init(_ started: AnalysisStarted, at: Instant) {
        name = started.run
        kind = started.kind
        stepIndex = started.stepIndex
        startedAt = at
        metrics = started.metrics
        error = started.error
        assessment = AnalysisAssessment(plans: started.metrics.map(\.plan))
        measurements = []
        concludedMetrics = []
    }

    /// How many measurements of `metric` are recorded.
    public func taken(_ metric: String) -> Int { measurements.count { $0.metric == metric } }

    /// When the next measurement of `metric` is due; `nil` if none will be.
    public func nextDue(of metric: String) -> Instant? {
        guard conclusion == nil, let assessed = assessment[metric] else { return nil }
        return assessed.plan.nextMeasurement(after: assessed.tally, terminating: assessment.isTerminating).map {
            startedAt + $0
        }
    }

    mutating func evolve(with taken: MeasurementTaken) {
        measurements.append(taken)
        assessment.count(measured(taken), of: taken.metric)
        assessment.settle()
    }

    mutating func evolve(with concluded: MetricConcluded) { concludedMetrics.append(concluded.metric) }

    mutating func evolve(with concluded: AnalysisConcluded, at: Instant) {
        conclusion = concluded
        concludedAt = at
        // A run that was stopped from outside was not brought to its end by a measurement.
        assessment.requestStop()
        assessment.settle()
    }

    /// What its end means, if it has one that was not recorded yet: verdicts of metrics, then of the run.
    func conclusions() -> [RolloutFact] {
        guard conclusion == nil else { return [] }
        if let error {
            return [.analysisConcluded(AnalysisConcluded(run: name, phase: .error, message: error))]
        }
        var facts: [RolloutFact] = []
        for metric in assessment.metrics
        where metric.tally.phase.isCompleted && !concludedMetrics.contains(metric.plan.name) {
            let tally = metric.tally
            let reason = metric.plan.limitExceeded(by: tally)?.reason
            facts.append(
                .metricConcluded(
                    MetricConcluded(
                        run: name, metric: metric.plan.name, phase: tally.phase,
                        message: reason ?? (tally.message.isEmpty ? nil : tally.message),
                        counts: MeasurementCounts(
                            successful: tally.successful, failed: tally.failed, inconclusive: tally.inconclusive,
                            error: tally.error),
                        dryRun: metric.plan.dryRun)))
        }
        if assessment.phase.isCompleted {
            let message = assessment.message.isEmpty ? nil : assessment.message
            facts.append(.analysisConcluded(AnalysisConcluded(run: name, phase: assessment.phase, message: message)))
        }
        return facts
    }

    /// What stopping it from outside means: it ends with the verdict that its measurements so far give.
    ///
    /// - Source: Argo Rollouts, `spec.terminate`; a run that is stopped with nothing exceeded is Successful.
    func terminate() -> [RolloutFact] {
        guard conclusion == nil else { return [] }
        var stopped = self
        stopped.assessment.requestStop()
        stopped.assessment.settle()
        return stopped.conclusions()
    }

    /// The measurements that speak against the run: what a bad verdict rests on.
    var evidence: [MeasurementReference] {
        guard let phase = conclusion?.phase else { return [] }
        let guilty = Set(assessment.metrics.filter { $0.tally.phase == phase }.map(\.plan.name))
        return measurements.filter { guilty.contains($0.metric) && $0.phase == phase }.map {
            MeasurementReference(run: name, metric: $0.metric, number: $0.number)
        }
    }

    private func measured(_ taken: MeasurementTaken) -> Measured {
        Measured(
            phase: taken.phase, value: nil, message: taken.message, startedAt: taken.startedAt.since(startedAt),
            finishedAt: taken.finishedAt.since(startedAt))
    }
}

extension RolloutDecision {
    /// Records an answer, what the conditions make of it, and what follows for metric, run and release.
    ///
    /// A late answer (run ended, number already recorded) changes nothing.
    mutating func record(_ report: MeasurementReport, in rollout: Rollout) {
        guard let run = rollout.release?.runs.first(where: { $0.name == report.run }), run.conclusion == nil,
            let metric = run.assessment[report.metric], report.number == run.taken(report.metric) + 1,
            !metric.tally.phase.isCompleted
        else { return }
        let judgement = assess(report.outcome, of: metric.plan)
        var value: MeasuredValue?
        if case .value(let answered) = report.outcome {
            value = MeasuredValue(type: answered.typeName, text: answered.canonicalText)
        }
        record(
            .measurementTaken(
                MeasurementTaken(
                    run: report.run, metric: report.metric, number: report.number, phase: judgement.phase,
                    value: value, message: judgement.message, startedAt: report.startedAt,
                    finishedAt: report.finishedAt, source: report.source, condition: judgement.decidedBy?.condition,
                    dryRun: metric.plan.dryRun)))
    }

    /// Records the verdicts that are due, and what they mean for the release.
    ///
    /// - Source: Argo Rollouts, `rollout/analysis.go`; the messages are its own.
    mutating func concludeRuns() {
        for name in state.rollout?.release?.runs.filter({ $0.conclusion == nil }).map(\.name) ?? [] {
            guard let run = state.rollout?.release?.runs.first(where: { $0.name == name }) else { continue }
            for fact in run.conclusions() { record(fact) }
            guard let release = state.rollout?.release, let progress = release.progress,
                let ended = release.runs.first(where: { $0.name == name }), let conclusion = ended.conclusion
            else { continue }
            switch conclusion.phase {
            case .failed, .error:
                let kind = ended.kind == .step ? "Step-based" : "Background"
                let cause = "\(kind) analysis phase error/failed" + (conclusion.message.map { ": \($0)" } ?? "")
                abort(release, by: .analysis, reason: nil, evidence: ended.evidence, cause: cause)
            case .inconclusive:
                if progress.pause?.reason != .inconclusive {
                    record(.pauseBegan(PauseBegan(reason: .inconclusive, until: nil, message: conclusion.message)))
                }
            case .successful, .pending, .running: break
            }
        }
    }
}

extension Rollout {
    /// The start of a run, with its arguments filled in; one that cannot be filled in starts with an error.
    ///
    /// - Source: Argo Rollouts, `newAnalysisRunFromRollout` for the name.
    func start(_ analysis: AnalysisPlan, kind: AnalysisKind, stepIndex: Int?, of release: Release) -> RolloutFact {
        let key = release.runKey(stepIndex)
        let base = "\(bundle.name)-\(key)"
        let earlier = runNames[key, default: 0]
        var started = AnalysisStarted(
            run: earlier == 0 ? base : "\(base).\(earlier)", kind: kind, stepIndex: stepIndex,
            templates: analysis.templates, arguments: [:], metrics: [], error: nil)
        do {
            let resolved = try AnalysisResolution.resolve(
                analysis, latestHash: release.podTemplateHash, stableHash: stable?.podTemplateHash ?? "",
                rollout: bundle.rollout)
            started.metrics = resolved.metrics
            started.arguments = resolved.arguments
        } catch {
            started.error = error.message
        }
        return .analysisStarted(started)
    }
}

extension Value {
    /// The word for its type in `measurement-taken`.
    var typeName: String {
        switch self {
        case .array: "vector"
        case .int, .double: "scalar"
        case .string: "string"
        case .null, .bool, .map: "json"
        }
    }
}
