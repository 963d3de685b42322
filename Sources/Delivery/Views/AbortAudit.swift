public import Analysis
public import EventSourcing

/// Why a release was stopped: who, on which evidence, under which rule, and what followed.
public struct AbortAudit: Sendable, Equatable, Codable {
    /// The rollout.
    public var rollout: RolloutName
    /// The release that was stopped.
    public var release: Identifier
    /// The revision that it was to bring into service.
    public var revision: Int
    /// That revision's pod-template-hash.
    public var podTemplateHash: String
    /// Image of each container.
    public var images: [String: String]
    /// The `aborted` event.
    public var event: EventReference
    /// Who recorded it.
    public var actor: EventActor
    /// Who or what stopped it.
    public var by: Aborted.By
    /// What the person gave as the reason.
    public var reason: String?
    /// Argo's words for the verdict, such as `Metric "x" assessed Failed due to failed (3) > failureLimit (2)`; else
    /// those of the abort.
    public var message: String
    /// Argo's words for the abort, which begin with `Rollout aborted update to revision`.
    public var abortMessage: String
    /// The AnalysisRun that decided; `nil` if none did.
    public var analysisRun: String?
    /// The metrics that decided, each with its rule.
    public var metrics: [AuditedMetric]
    /// Every measurement of that run, in the order of recording.
    public var measurements: [AuditedMeasurement]
    /// When weight 0 was decided; in the same append as the abort.
    public var weightZeroDecided: EventReference?
    /// When the data plane was seen to obey it; `nil` while it was not.
    public var weightZeroApplied: EventReference?
    /// Which data plane that was.
    public var router: String?
    /// The weight that the canary had when it was stopped.
    public var weightBefore: Int
}

/// An event by id and place.
public struct EventReference: Sendable, Equatable, Codable {
    /// Its id.
    public var id: Identifier
    /// Place in the whole log.
    public var position: GlobalPosition
    /// Place in the stream.
    public var version: StreamVersion
    /// When it happened.
    public var at: Instant
    /// When it was recorded.
    public var recordedAt: Instant

    /// Points to `recorded`.
    public init(_ recorded: RecordedEvent) {
        id = recorded.event.id
        position = recorded.position
        version = recorded.version
        at = recorded.event.occurredAt
        recordedAt = recorded.recordedAt
    }
}

/// A metric's verdict and the rule that it was reached by.
public struct AuditedMetric: Sendable, Equatable, Codable {
    /// Its name.
    public var metric: String
    /// The verdict.
    public var phase: AnalysisPhase
    /// The rule, such as `failed (3) > failureLimit (2)`.
    public var rule: String?
    /// How many measurements came to what.
    public var counts: MeasurementCounts
    /// True of a good result.
    public var successCondition: String?
    /// True of a bad result.
    public var failureCondition: String?
    /// Whether it counted.
    public var dryRun: Bool
    /// The `metric-concluded` event.
    public var event: EventReference
}

/// One measurement with its place in the log.
public struct AuditedMeasurement: Sendable, Equatable, Codable {
    /// The AnalysisRun.
    public var run: String
    /// The metric.
    public var metric: String
    /// From 1.
    public var number: Int
    /// The value; `nil` if the provider gave none.
    public var value: MeasuredValue?
    /// What the conditions made of it.
    public var phase: AnalysisPhase
    /// The condition that decided.
    public var condition: String?
    /// Why it is an error, or what else there is to say.
    public var message: String?
    /// When the question was sent.
    public var startedAt: Instant
    /// When the answer was there.
    public var finishedAt: Instant
    /// Where it came from.
    public var source: MeasurementSource
    /// Whether the abort names it as evidence.
    public var isEvidence: Bool
    /// The `measurement-taken` event.
    public var event: EventReference
}

extension AbortAudit {
    /// The aborts in `events`, which begin with the first one of the rollout's stream; in their order.
    /// - Throws: `UnreadableEvent`.
    public static func aborts(in events: [RecordedEvent], of rollout: RolloutName) throws(UnreadableEvent)
        -> [AbortAudit]
    {
        var fold = AbortFold(rollout)
        for recorded in events { try fold.fold(recorded) }
        return fold.audits
    }
}

/// Collects what an abort will have to show, release by release.
private struct AbortFold {
    var audits: [AbortAudit] = []
    private var reading: RolloutReading
    private var started: ReleaseStarted?
    private var metrics: [String: [AuditedMetric]] = [:]
    private var measurements: [String: [AuditedMeasurement]] = [:]
    private var conclusions: [AnalysisConcluded] = []
    /// The generation of the weight 0 that is still to be seen applied, with the audit that waits for it.
    private var awaited: (generation: Int, audit: Int)?

    init(_ rollout: RolloutName) { reading = RolloutReading(rollout) }

    mutating func fold(_ recorded: RecordedEvent) throws(UnreadableEvent) {
        let weightBefore = reading.state.rollout?.observedWeight ?? 0
        let event = try reading.fold(recorded)
        let reference = EventReference(recorded)
        switch event.fact {
        case .releaseStarted(let started):
            self.started = started
            (metrics, measurements, conclusions, awaited) = ([:], [:], [], nil)
        case .measurementTaken(let taken):
            measurements[taken.run, default: []].append(AuditedMeasurement(taken, reference))
        case .metricConcluded(let concluded):
            let plan = reading.state.rollout?.release?.runs.first { $0.name == concluded.run }?
                .assessment[concluded.metric]?.plan
            metrics[concluded.run, default: []].append(
                AuditedMetric(
                    metric: concluded.metric, phase: concluded.phase, rule: concluded.message,
                    counts: concluded.counts, successCondition: plan?.successCondition,
                    failureCondition: plan?.failureCondition, dryRun: concluded.dryRun, event: reference))
        case .analysisConcluded(let concluded): conclusions.append(concluded)
        case .aborted(let aborted): record(aborted, recorded, reference, weightBefore)
        case .weightDecided(let decided):
            if decided.because == .abort, decided.canary == 0, let last = audits.indices.last,
                audits[last].weightZeroDecided == nil, audits[last].release == recorded.event.correlation
            {
                audits[last].weightZeroDecided = reference
                awaited = (decided.generation, last)
            } else if let awaited, decided.canary == 0 {
                self.awaited = (decided.generation, awaited.audit)
            }
        case .weightApplied(let applied):
            if let awaited, applied.generation >= awaited.generation, applied.canary == 0 {
                audits[awaited.audit].weightZeroApplied = reference
                audits[awaited.audit].router = applied.router
                self.awaited = nil
            }
        default: break
        }
    }

    private mutating func record(
        _ aborted: Aborted, _ recorded: RecordedEvent, _ reference: EventReference, _ weightBefore: Int
    ) {
        guard let started else { return }
        let verdict = conclusions.last { conclusion in
            if let named = aborted.evidence.first?.run { return conclusion.run == named }
            return aborted.by == .analysis && (conclusion.phase == .failed || conclusion.phase == .error)
        }
        let evidence = aborted.evidence
        let taken = verdict.map { measurements[$0.run] ?? [] } ?? []
        audits.append(
            AbortAudit(
                rollout: reading.name, release: started.release, revision: started.revision,
                podTemplateHash: started.podTemplateHash, images: started.images, event: reference,
                actor: recorded.event.actor, by: aborted.by, reason: aborted.reason,
                message: verdict?.message ?? aborted.message, abortMessage: aborted.message,
                analysisRun: verdict?.run, metrics: verdict.map { metrics[$0.run] ?? [] } ?? [],
                measurements: taken.map { measurement in
                    var measurement = measurement
                    measurement.isEvidence = evidence.contains {
                        $0.run == measurement.run && $0.metric == measurement.metric && $0.number == measurement.number
                    }
                    return measurement
                }, weightBefore: weightBefore))
    }
}

extension AuditedMeasurement {
    fileprivate init(_ taken: MeasurementTaken, _ event: EventReference) {
        self.init(
            run: taken.run, metric: taken.metric, number: taken.number, value: taken.value, phase: taken.phase,
            condition: taken.condition, message: taken.message, startedAt: taken.startedAt,
            finishedAt: taken.finishedAt, source: taken.source, isEvidence: false, event: event)
    }
}
