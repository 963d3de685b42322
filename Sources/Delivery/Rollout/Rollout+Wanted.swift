import EventSourcing

/// What a rollout wants, as arithmetic on its state.
extension Rollout {
    /// Whether the release goes straight to its end: the first one, and one that goes back to the stable revision.
    var isDirect: Bool {
        release.map { $0.isFirst || $0.podTemplateHash == stable?.podTemplateHash } ?? false
    }

    /// The step that the plan's pointer is at, unless a person holds the plan or the release goes past its steps.
    func movableStep(of release: Release) -> (progress: Release.Progress, step: PlanStep)? {
        guard let progress = release.progress, !isDirect, !progress.isFull, heldSince == nil,
            plan.steps.indices.contains(progress.index)
        else { return nil }
        return (progress, plan.steps[progress.index])
    }

    /// The wanted size of each set that is needed; sets on their way out keep theirs until they retire.
    ///
    /// With routing the stable set is whole at all times, and the canary has its part of the pods, rounded up.
    /// - Source: Argo Rollouts, `CalculateReplicaCountsForTrafficRoutedCanary`.
    func wantedSizes(of release: Release) -> [String: Int] {
        var sizes = Dictionary(uniqueKeysWithValues: sets.map { ($0.podTemplateHash, $0.wanted) })
        guard let stable else { return sizes }
        let isHalted = heldSince != nil || release.progress?.pause?.reason == .inconclusive
        if isHalted && !release.hasEnded && release.progress?.isFull != true { return sizes }
        sizes[stable.podTemplateHash] = plan.replicas
        if release.podTemplateHash != stable.podTemplateHash, let progress = release.progress {
            sizes[release.podTemplateHash] = canarySize(progress)
        }
        return sizes
    }

    private func canarySize(_ progress: Release.Progress) -> Int {
        if progress.isFull || progress.index >= plan.steps.count { return plan.replicas }
        let whole = plan.routing?.maxWeight ?? 100
        let weight = plan.weight(upTo: progress.index)
        return (plan.replicas * weight + whole - 1) / whole
    }

    /// The wanted split and why; `nil` if traffic is not split or nothing is known to split it between.
    ///
    /// - Source: Argo Rollouts, `reconcileTrafficRouting` (rows W2–W9). Unlike Argo's, an abort never waits for stable
    ///   pods: nothing can block it.
    func wantedSplit(of release: Release) -> (TrafficSplit, WeightReason)? {
        guard let routing = plan.routing, let stable else { return nil }
        let whole = routing.maxWeight
        let home = TrafficSplit(
            canary: 0, max: whole, stableHash: stable.podTemplateHash, canaryHash: stable.podTemplateHash)
        switch release.course {
        case .completed: return (home, .promotion)
        case .aborted(_, let aborted): return (home, aborted.by == .standingOrder ? .standingOrder : .abort)
        case .progressing(let progress):
            if isDirect { return (home, release.isFirst ? .step : .rollback) }
            let canary = set(release.podTemplateHash)
            func split(_ weight: Int, _ reason: WeightReason) -> (TrafficSplit, WeightReason) {
                (
                    TrafficSplit(
                        canary: min(weight, whole), max: whole, stableHash: stable.podTemplateHash,
                        canaryHash: release.podTemplateHash), reason
                )
            }
            guard let canary, canary.available > 0 else {
                // No pod: no traffic. A split that already gives the canary none is left alone.
                if let current = self.split, current.canary == 0, current.stableHash == stable.podTemplateHash {
                    return (current, .readiness)
                }
                return (home, .readiness)
            }
            if progress.isFull {
                let kept = self.split.flatMap { $0.canaryHash == release.podTemplateHash ? $0.canary : nil } ?? 0
                return split(kept, .step)
            }
            if progress.index >= plan.steps.count {
                if plan.steps.isEmpty { return split(0, .step) }
                return canary.available >= plan.replicas
                    ? split(whole, .promotion) : split(plan.weight(upTo: progress.index), .readiness)
            }
            if canaryIsAtWantedSize(release) { return split(plan.weight(upTo: progress.index), .step) }
            let before = plan.weight(upTo: progress.index - 1)
            if before == 0, let current = self.split, current.canary == 0,
                current.stableHash == stable.podTemplateHash
            {
                return (current, .readiness)
            }
            return split(before, .readiness)
        }
    }

    /// Whether as many canary pods are available as the present step wants.
    func canaryIsAtWantedSize(_ release: Release) -> Bool {
        guard let progress = release.progress else { return false }
        let wanted = canarySize(progress)
        guard let set = set(release.podTemplateHash) else { return wanted == 0 }
        return set.wanted == wanted && set.available >= wanted
    }

    /// Whether a set must not be stopped: it is stable, it is being released, or traffic is sent to it.
    func isNeeded(_ hash: String) -> Bool {
        if hash == stable?.podTemplateHash { return true }
        if hash == release?.podTemplateHash, release?.hasEnded == false { return true }
        guard let split else { return false }
        return split.stableHash == hash || (split.canaryHash == hash && split.canary > 0)
    }

    /// The decision that gives each set its size.
    func scaleDecision(_ sizes: [String: Int]) -> ScaleDecided {
        ScaleDecided(
            generation: generation + 1,
            sets: sizes.sorted { $0.key < $1.key }.map { hash, replicas in
                ScaleDecided.SetSize(podTemplateHash: hash, role: role(of: hash), replicas: replicas)
            })
    }

    /// When the lack of progress is to be recorded; `nil` while the release may wait as long as it likes.
    func deadline(of release: Release) -> Instant? {
        guard let progress = release.progress, !release.isLate, progress.pause == nil, heldSince == nil else {
            return nil
        }
        if plan.steps.indices.contains(progress.index), !progress.isFull, !isDirect {
            switch plan.steps[progress.index] {
            case .pause, .analysis: return nil
            case .setWeight: break
            }
        }
        return progressedAt + .seconds(plan.progressDeadlineSeconds)
    }
}

extension ReleasePlan {
    /// The weight of the last `setWeight` at or before `index`; 0 if there is none.
    func weight(upTo index: Int) -> Int {
        for step in steps.prefix(max(0, index + 1)).reversed() {
            if case .setWeight(let weight) = step { return weight }
        }
        return 0
    }
}

extension Release {
    /// What tells the runs of this revision apart, but for repeats: the step, or none for the background.
    func runKey(_ stepIndex: Int?) -> String {
        "\(podTemplateHash)-\(revision)" + (stepIndex.map { "-\($0)" } ?? "")
    }

    /// The latest run of a kind; for a step, of that step.
    func lastRun(of kind: AnalysisKind, at index: Int?) -> AnalysisRunState? {
        runs.last { $0.kind == kind && $0.stepIndex == index }
    }
}
