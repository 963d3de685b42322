import Analysis
import EventSourcing

extension RolloutReading {
    /// What `get rollout` shows; `nil` if no manifest had been accepted.
    public var view: RolloutView? {
        guard let rollout = state.rollout, let row, let recordedAt, let createdAt else { return nil }
        return RolloutView(
            name: row.name, namespace: row.namespace, cluster: row.cluster, createdAt: createdAt,
            phase: row.phase, message: row.message, strategy: row.strategy, step: row.step,
            stepIndex: rollout.shownStep, steps: rollout.plan.steps.count, setWeight: row.setWeight,
            actualWeight: row.actualWeight, maxWeight: rollout.plan.routing?.maxWeight ?? 100,
            images: rollout.shownImages, replicas: row.replicas, revisions: revisions(of: rollout),
            release: rollout.release.map(ReleaseView.init), pause: rollout.shownPause,
            decisionVersion: row.decisionVersion, version: row.version, position: row.position, recordedAt: recordedAt)
    }

    /// What read models keep of it; `nil` if no manifest had been accepted.
    public var summary: RolloutSummary? {
        guard let rollout = state.rollout, let row else { return nil }
        let stable = rollout.stable.flatMap { rollout.set($0.podTemplateHash) }
        return RolloutSummary(row: row, stableHash: stable?.podTemplateHash, images: rollout.shownImages)
    }

    private var row: RolloutSummaryRow? {
        guard let rollout = state.rollout else { return nil }
        return RolloutSummaryRow(
            cluster: name.cluster, namespace: name.namespace, name: name.name, strategy: "Canary",
            phase: rollout.phase, message: rollout.message,
            step: rollout.shownStep.map { "\($0)/\(rollout.plan.steps.count)" }, setWeight: rollout.shownWeight,
            actualWeight: rollout.actualWeight, replicas: rollout.replicaCounts, revision: rollout.release?.revision,
            decisionVersion: rollout.decisionVersion, version: version, position: position)
    }

    private func revisions(of rollout: Rollout) -> [RevisionView] {
        rollout.revisions.reversed().map { revision in
            let latest = rollout.release?.revision == revision.number ? rollout.release?.runs ?? [] : []
            return RevisionView(
                number: revision.number, podTemplateHash: revision.podTemplateHash,
                startedAt: startedAt[revision.number], images: revision.images,
                set: rollout.set(revision.podTemplateHash).map { SetView($0, of: rollout) },
                analysisRuns: (earlierRuns[revision.number] ?? []) + latest.map(AnalysisRunView.init))
        }
    }
}

extension Rollout {
    /// The step that views show: all of them once they are done or passed over, none after an abort.
    fileprivate var shownStep: Int? {
        let count = plan.steps.count
        guard count > 0, let release else { return nil }
        switch release.course {
        case .completed: return count
        case .aborted: return 0
        case .progressing(let progress): return progress.isFull || isDirect ? count : min(progress.index, count)
        }
    }

    /// The weight that the newest revision is to have.
    fileprivate var shownWeight: Int {
        let whole = plan.routing?.maxWeight ?? 100
        guard let release else { return 0 }
        switch release.course {
        case .completed: return whole
        case .aborted: return 0
        case .progressing(let progress):
            if progress.isFull || isDirect || progress.index >= plan.steps.count { return whole }
            return min(whole, plan.weight(upTo: progress.index))
        }
    }

    /// The weight that the newest revision was last seen to have.
    ///
    /// - Source: Argo Rollouts, kubectl plugin, `ActualWeight`.
    fileprivate var actualWeight: Int {
        let whole = plan.routing?.maxWeight ?? 100
        guard let release else { return 0 }
        guard plan.routing != nil else {
            let all = sets.reduce(0) { $0 + $1.available }
            let mine = set(release.podTemplateHash)?.available ?? 0
            return all == 0 ? 0 : mine * whole / all
        }
        let isStable = release.podTemplateHash == stable?.podTemplateHash
        if isStable && !routing.isOutstanding && routing.applied > 0 { return whole }
        return observedWeight ?? 0
    }

    fileprivate var shownImages: [ImageView] {
        // A few at the most: to search them costs less than a dictionary.
        var shown: [ImageView] = []
        for set in sets where set.wanted > 0 || set.current > 0 {
            let role = role(of: set.podTemplateHash)
            for image in (revision(of: set.podTemplateHash)?.images ?? [:]).values {
                let place = shown.firstIndex { $0.image == image } ?? shown.endIndex
                if place == shown.endIndex { shown.append(ImageView(image: image, roles: [])) }
                if role != .old, !shown[place].roles.contains(role) { shown[place].roles.append(role) }
            }
        }
        for place in shown.indices { shown[place].roles.sort { $0.rawValue < $1.rawValue } }
        return shown.sorted { $0.image < $1.image }
    }

    fileprivate var replicaCounts: ReplicaCounts {
        ReplicaCounts(
            desired: plan.replicas, current: sets.reduce(0) { $0 + $1.current },
            updated: release.flatMap { set($0.podTemplateHash)?.current } ?? 0,
            ready: sets.reduce(0) { $0 + $1.ready }, available: sets.reduce(0) { $0 + $1.available })
    }

    fileprivate var shownPause: PauseView? {
        if let heldSince { return PauseView(reason: .person, since: heldSince, until: nil) }
        return release?.progress?.pause.map { PauseView(reason: $0.reason, since: $0.since, until: $0.until) }
    }
}

extension SetView {
    init(_ set: PodSet, of rollout: Rollout) {
        let phase: Phase =
            if set.wanted == 0 { .scaledDown } else if set.available < set.wanted { .progressing } else { .healthy }
        self.init(
            podTemplateHash: set.podTemplateHash, role: rollout.role(of: set.podTemplateHash), phase: phase,
            wanted: set.wanted, replicas: set.current, ready: set.ready, available: set.available,
            retireAt: set.wanted == 0 ? nil : set.retireAt)
    }
}

extension ReleaseView {
    init(_ release: Release) {
        self.init(
            id: release.id, revision: release.revision, podTemplateHash: release.podTemplateHash,
            trigger: release.trigger, startedAt: release.startedAt, outcome: .progressing, from: release.from)
        switch release.course {
        case .progressing: break
        case .completed(let at):
            outcome = .completed
            endedAt = at
        case .aborted(let at, let aborted):
            outcome = .aborted
            endedAt = at
            self.aborted = aborted
        }
    }
}

extension AnalysisRunView {
    init(_ run: AnalysisRunState) {
        let metrics = run.metrics.map { MetricView($0, of: run) }
        let counted = metrics.filter { !$0.dryRun }.map(\.counts)
        self.init(
            name: run.name, kind: run.kind, stepIndex: run.stepIndex,
            phase: run.conclusion?.phase ?? run.assessment.phase, message: run.conclusion?.message ?? run.error,
            startedAt: run.startedAt, endedAt: run.concludedAt,
            counts: MeasurementCounts(
                successful: counted.reduce(0) { $0 + $1.successful }, failed: counted.reduce(0) { $0 + $1.failed },
                inconclusive: counted.reduce(0) { $0 + $1.inconclusive }, error: counted.reduce(0) { $0 + $1.error }),
            metrics: metrics)
    }
}

extension MetricView {
    init(_ metric: ResolvedMetric, of run: AnalysisRunState) {
        let tally = run.assessment[metric.plan.name]?.tally ?? MetricTally()
        let reason = metric.plan.limitExceeded(by: tally)?.reason
        self.init(
            name: metric.plan.name, provider: metric.provider.objectValue?.keys.sorted().first, phase: tally.phase,
            message: reason ?? (tally.message.isEmpty ? nil : tally.message),
            counts: MeasurementCounts(
                successful: tally.successful, failed: tally.failed, inconclusive: tally.inconclusive,
                error: tally.error),
            dryRun: metric.plan.dryRun, successCondition: metric.plan.successCondition,
            failureCondition: metric.plan.failureCondition, failureLimit: metric.plan.effectiveFailureLimit,
            measurements: run.measurements.filter { $0.metric == metric.plan.name }.map { taken in
                MeasurementView(
                    number: taken.number, phase: taken.phase, value: taken.value, condition: taken.condition,
                    message: taken.message, startedAt: taken.startedAt, finishedAt: taken.finishedAt)
            })
    }
}
