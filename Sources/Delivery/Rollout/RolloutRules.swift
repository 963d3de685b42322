import Analysis
import EventSourcing

/// What follows from a rollout's state at a moment; each rule is one function, the first that has something to say wins.
///
/// - Source: Argo Rollouts, `rolloutCanary` and what it calls; `argo-rollouts-1` §5–7 and §9 in the words of our
///   reference. Where Argo leaves a rollout stuck or lets weights stand unverified, the better rule is ours and says so.
enum RolloutRules {
    /// The facts of the first rule that applies; empty when the rollout is at rest.
    static func next(_ rollout: Rollout, at now: Instant) -> [RolloutFact] {
        guard let release = rollout.release else { return [] }
        let rules: [(Rollout, Release, Instant) -> [RolloutFact]] = [
            exceedDeadline, enterStep, scale, route, startBackground, leaveStep, complete, retire,
        ]
        for rule in rules {
            let facts = rule(rollout, release, now)
            if !facts.isEmpty { return facts }
        }
        return []
    }

    /// The wanted sizes, if they differ from those last decided.
    static func scale(_ rollout: Rollout, _ release: Release, _ now: Instant) -> [RolloutFact] {
        let wanted = rollout.wantedSizes(of: release)
        let differs = wanted.contains { hash, replicas in (rollout.set(hash)?.wanted ?? 0) != replicas }
        guard differs else { return [] }
        return [.scaleDecided(rollout.scaleDecision(wanted))]
    }

    /// The wanted split, if it differs from the one last decided.
    static func route(_ rollout: Rollout, _ release: Release, _ now: Instant) -> [RolloutFact] {
        guard let (split, reason) = rollout.wantedSplit(of: release), split != rollout.split else { return [] }
        return [
            .weightDecided(
                WeightDecided(
                    canary: split.canary, stable: split.stable, max: split.max, canaryHash: split.canaryHash,
                    stableHash: split.stableHash, generation: rollout.generation + 1, because: reason))
        ]
    }

    /// Enters the step that the plan's pointer has come to.
    static func enterStep(_ rollout: Rollout, _ release: Release, _ now: Instant) -> [RolloutFact] {
        guard let (progress, step) = rollout.movableStep(of: release), progress.enteredAt == nil else { return [] }
        let index = progress.index
        let entered = RolloutFact.stepEntered(StepEntered(index: index, step: step))
        switch step {
        case .setWeight: return [entered]
        case .pause(let seconds):
            let until = seconds.map { now + .seconds($0) }
            return [entered, .pauseBegan(PauseBegan(reason: .step, until: until, message: nil))]
        case .analysis(let analysis):
            return [entered, rollout.start(analysis, kind: .step, stepIndex: index, of: release)]
        }
    }

    /// Leaves the present step when what it asks for has come.
    static func leaveStep(_ rollout: Rollout, _ release: Release, _ now: Instant) -> [RolloutFact] {
        guard let (progress, step) = rollout.movableStep(of: release), progress.enteredAt != nil else { return [] }
        let index = progress.index
        switch step {
        case .setWeight(let weight):
            // Unlike Argo's, the step waits until the router was seen to obey.
            guard rollout.canaryIsAtWantedSize(release), !rollout.routing.isOutstanding,
                rollout.plan.routing == nil || rollout.split?.canary == weight
            else { return [] }
            return [.stepCompleted(StepCompleted(index: index, step: step, because: .done))]
        case .pause:
            guard let pause = progress.pause, pause.reason == .step, let until = pause.until, now >= until else {
                return []
            }
            return [
                .pauseEnded(PauseEnded(reason: .step, because: .elapsed)),
                .stepCompleted(StepCompleted(index: index, step: step, because: .elapsed)),
            ]
        case .analysis(let analysis):
            guard progress.pause == nil else { return [] }
            switch release.lastRun(of: .step, at: index)?.conclusion?.phase {
            case .successful: return [.stepCompleted(StepCompleted(index: index, step: step, because: .done))]
            case .inconclusive:
                // The pause that followed was resumed: a new run (Argo Rollouts, `needsNewAnalysisRun`).
                return [rollout.start(analysis, kind: .step, stepIndex: index, of: release)]
            default: return []
            }
        }
    }

    /// Starts the background analysis, once its step is reached; again after an inconclusive one was resumed.
    static func startBackground(_ rollout: Rollout, _ release: Release, _ now: Instant) -> [RolloutFact] {
        guard let background = rollout.plan.background, let progress = release.progress, !rollout.isDirect,
            !progress.isFull, progress.pause?.reason != .inconclusive, progress.index >= background.startingStep
        else { return [] }
        let last = release.lastRun(of: .background, at: nil)
        guard last == nil || last?.conclusion?.phase == .inconclusive else { return [] }
        return [rollout.start(background.analysis, kind: .background, stepIndex: nil, of: release)]
    }

    /// Makes the new revision stable when its steps are done and its pods are there.
    ///
    /// - Source: Argo Rollouts, `shouldFullPromote`.
    static func complete(_ rollout: Rollout, _ release: Release, _ now: Instant) -> [RolloutFact] {
        guard let progress = release.progress, rollout.heldSince == nil || progress.isFull,
            progress.pause == nil || rollout.isDirect, let set = rollout.set(release.podTemplateHash),
            set.wanted >= rollout.plan.replicas, set.available >= rollout.plan.replicas, !rollout.routing.isOutstanding
        else { return [] }
        let steps = rollout.plan.steps.count
        let message: String
        if release.isFirst {
            message = "Initial deploy"
        } else if rollout.isDirect {
            message = "Rollback to stable ReplicaSets"
        } else if progress.isFull {
            message = "Full promotion requested"
        } else {
            guard progress.index >= steps else { return [] }
            if let routing = rollout.plan.routing, steps > 0, rollout.split?.canary != routing.maxWeight { return [] }
            message = "Completed all \(steps) canary steps"
        }
        var facts = release.runs.filter { $0.conclusion == nil }.flatMap { $0.terminate() }
        if !rollout.isDirect, !progress.isFull {
            facts.append(.promoted(Promoted(kind: .automatic, fromIndex: progress.index, reason: nil)))
        }
        facts.append(
            .completed(
                Completed(
                    podTemplateHash: release.podTemplateHash, took: now.since(release.startedAt).iso8601,
                    message: message)))
        return facts
    }

    /// Stops the sets whose delay is over, once no traffic can reach them.
    static func retire(_ rollout: Rollout, _ release: Release, _ now: Instant) -> [RolloutFact] {
        guard !rollout.routing.isOutstanding else { return [] }
        let due = rollout.sets.filter { set in
            set.wanted > 0 && (set.retireAt.map { now >= $0 } ?? false) && !rollout.isNeeded(set.podTemplateHash)
        }
        guard !due.isEmpty else { return [] }
        var sizes = Dictionary(uniqueKeysWithValues: rollout.sets.map { ($0.podTemplateHash, $0.wanted) })
        for set in due { sizes[set.podTemplateHash] = 0 }
        return [.scaleDecided(rollout.scaleDecision(sizes))]
            + due.map {
                .setRetired(
                    SetRetired(podTemplateHash: $0.podTemplateHash, because: $0.retireBecause ?? .history))
            }
    }

    /// Says, once, that there was no progress for the deadline; and stops the release if the manifest asks for that.
    ///
    /// - Source: Argo Rollouts, `RolloutTimedOut`, `evaluateProgressDeadlineAbort`.
    static func exceedDeadline(_ rollout: Rollout, _ release: Release, _ now: Instant) -> [RolloutFact] {
        guard let deadline = rollout.deadline(of: release), now >= deadline else { return [] }
        let name = "\(rollout.bundle.name)-\(release.podTemplateHash)"
        let message = "ReplicaSet \"\(name)\" has timed out progressing."
        var facts: [RolloutFact] = [
            .deadlineExceeded(
                DeadlineExceeded(afterSeconds: rollout.plan.progressDeadlineSeconds, message: message))
        ]
        if rollout.plan.progressDeadlineAbort, !rollout.isDirect {
            facts += release.runs.filter { $0.conclusion == nil }.flatMap { $0.terminate() }
            facts.append(
                .aborted(
                    Aborted(
                        by: .deadline, reason: nil, evidence: [],
                        message: "Rollout aborted update to revision \(release.revision): \(message)")))
        }
        return facts
    }
}
