import EventSourcing

extension RolloutState {
    /// Folds one event; total.
    ///
    /// What concerns a rollout that no manifest was recorded for is passed over.
    mutating func evolve(with event: RolloutEvent) {
        if case .manifestRecorded(let recorded) = event.fact {
            evolve(with: recorded, at: event.at)
            return
        }
        // Taken out: with one owner the rollout's lists are changed in place, not copied for each event.
        switch consume self {
        case .absent: self = .absent
        case .present(var rollout):
            rollout.evolve(with: event.fact, at: event.at)
            if event.fact.movesDecision { rollout.decisionVersion += 1 }
            self = .present(rollout)
        }
    }

    private mutating func evolve(with recorded: ManifestRecorded, at: Instant) {
        switch self {
        case .absent:
            self = .present(
                Rollout(
                    bundle: recorded.manifest, plan: recorded.plan, revisions: [], stable: nil, release: nil,
                    heldSince: recorded.plan.paused ? at : nil, generation: 0, sets: [], scaling: IntentProgress(),
                    split: nil, routing: IntentProgress(), observedWeight: nil, runNames: [:], progressedAt: at,
                    decisionVersion: 1))
        case .present(var rollout):
            // `spec.paused` holds the plan when a manifest changes it, as the `pause` verb does.
            if recorded.plan.paused != rollout.plan.paused {
                rollout.heldSince = recorded.plan.paused ? (rollout.heldSince ?? at) : nil
            }
            rollout.bundle = recorded.manifest
            rollout.plan = recorded.plan
            self = .present(rollout)
        }
    }
}

extension RolloutFact {
    /// Whether release, step, weight or phase moves with it (the decision version of design.md §4).
    var movesDecision: Bool {
        switch self {
        case .releaseStarted, .stepEntered, .stepCompleted, .weightDecided, .weightApplied, .pauseBegan, .pauseEnded,
            .deadlineExceeded, .promoted, .aborted, .completed, .superseded:
            true
        case .manifestRecorded, .weightRejected, .scaleDecided, .scaleApplied, .scaleRejected, .podsObserved,
            .analysisStarted, .measurementTaken, .metricConcluded, .analysisConcluded, .standingOrderExecuted,
            .setRetired:
            false
        }
    }
}

extension Rollout {
    mutating func evolve(with fact: RolloutFact, at: Instant) {
        switch fact {
        case .manifestRecorded:
            preconditionFailure("RolloutState folds manifests itself")
        case .releaseStarted(let started):
            evolve(with: started, at: at)
        case .stepEntered(let entered):
            progressedAt = at
            changeProgress { progress in
                progress.index = entered.index
                progress.enteredAt = at
            }
        case .stepCompleted(let completed):
            progressedAt = at
            changeProgress { progress in
                progress.index = completed.index + 1
                progress.enteredAt = nil
            }
        case .weightDecided(let decided):
            generation = decided.generation
            split = decided.split
            routing.decide(decided.generation, at: at)
        case .weightApplied(let applied):
            progressedAt = at
            routing.apply(applied.generation)
            observedWeight = applied.canary
        case .weightRejected(let rejected):
            routing.reject(rejected.generation, attempt: rejected.attempt, retryAt: rejected.retryAt)
        case .scaleDecided(let decided):
            generation = decided.generation
            scaling.decide(decided.generation, at: at)
            for size in decided.sets { changeSet(size.podTemplateHash) { $0.wanted = size.replicas } }
        case .scaleApplied(let applied):
            scaling.apply(applied.generation)
        case .scaleRejected(let rejected):
            scaling.reject(rejected.generation, attempt: rejected.attempt, retryAt: rejected.retryAt)
        case .podsObserved(let seen):
            evolve(with: seen, at: at)
        case .pauseBegan(let began):
            if began.reason == .person {
                heldSince = at
            } else {
                changeProgress { $0.pause = Release.Pause(reason: began.reason, since: at, until: began.until) }
            }
        case .pauseEnded(let ended):
            progressedAt = at
            if ended.reason == .person {
                heldSince = nil
            } else {
                changeProgress { $0.pause = nil }
            }
        case .analysisStarted(let started):
            release?.runs.append(AnalysisRunState(started, at: at))
            if let release { runNames[release.runKey(started.stepIndex), default: 0] += 1 }
        case .measurementTaken(let taken):
            changeRun(taken.run) { $0.evolve(with: taken) }
        case .metricConcluded(let concluded):
            changeRun(concluded.run) { $0.evolve(with: concluded) }
        case .analysisConcluded(let concluded):
            changeRun(concluded.run) { $0.evolve(with: concluded, at: at) }
        case .deadlineExceeded:
            release?.isLate = true
        case .promoted(let promoted):
            if promoted.kind == .full { changeProgress { $0.isFull = true } }
        case .aborted(let aborted):
            release?.course = .aborted(at: at, aborted)
            if let hash = release?.podTemplateHash, hash != stable?.podTemplateHash {
                let retireAt = plan.abortScaleDownDelaySeconds.map { at + .seconds($0) }
                changeSet(hash) { set in
                    set.retireAt = retireAt
                    set.retireBecause = .abortDelay
                }
            }
        case .completed(let completed):
            evolve(with: completed, at: at)
        case .standingOrderExecuted(let executed):
            // What was routed meanwhile had a generation of its own; what is decided next must be newer.
            generation = max(generation, executed.generation)
        case .superseded, .setRetired:
            break
        }
    }

    private mutating func evolve(with started: ReleaseStarted, at: Instant) {
        plan = started.plan
        progressedAt = at
        revisions.removeAll { $0.podTemplateHash == started.podTemplateHash }
        revisions.append(
            Revision(
                number: started.revision, podTemplateHash: started.podTemplateHash, template: bundle.podTemplate,
                images: started.images))
        release = Release(
            id: started.release, revision: started.revision, podTemplateHash: started.podTemplateHash,
            trigger: started.trigger, startedAt: at, from: started.stable,
            course: .progressing(Release.Progress(index: 0, enteredAt: nil, pause: nil, isFull: false)), runs: [],
            isLate: false)
        // Of revisions that have given way no run begins any more: a revision that comes back has a new number.
        if let key = release?.runKey(nil) {
            runNames = runNames.filter { $0.key == key || $0.key.hasPrefix(key + "-") }
        }
        if started.stable == nil {
            // The first revision counts as stable from the start: there is nothing else to send traffic to
            // (Argo Rollouts, `shouldFullPromote`, "Initial deploy").
            stable = RevisionReference(revision: started.revision, podTemplateHash: started.podTemplateHash)
        } else if stable?.podTemplateHash == started.podTemplateHash {
            stable?.revision = started.revision
        }
        changeSet(started.podTemplateHash) { set in
            set.retireAt = nil
            set.retireBecause = nil
        }
        for index in sets.indices where role(of: sets[index].podTemplateHash) == .old && sets[index].wanted > 0 {
            if sets[index].retireBecause != .delay {
                sets[index].retireAt = at
                sets[index].retireBecause = .history
            }
        }
        let kept = Set(sets.map(\.podTemplateHash)).union([stable?.podTemplateHash ?? "", started.podTemplateHash])
        let spare = revisions.filter { !kept.contains($0.podTemplateHash) }
        let dropped = Set(spare.prefix(max(0, spare.count - plan.revisionHistoryLimit)).map(\.podTemplateHash))
        revisions.removeAll { dropped.contains($0.podTemplateHash) }
    }

    private mutating func evolve(with completed: Completed, at: Instant) {
        guard let release else { return }
        let old = stable?.podTemplateHash
        stable = RevisionReference(revision: release.revision, podTemplateHash: release.podTemplateHash)
        self.release?.course = .completed(at: at)
        for index in sets.indices where sets[index].podTemplateHash != release.podTemplateHash {
            if sets[index].podTemplateHash == old {
                sets[index].retireAt = at + .seconds(plan.scaleDownDelaySeconds)
                sets[index].retireBecause = .delay
            } else if sets[index].retireAt == nil {
                sets[index].retireAt = at
                sets[index].retireBecause = .history
            }
        }
    }

    private mutating func evolve(with seen: PodsObserved, at: Instant) {
        guard let before = set(seen.podTemplateHash) else { return }
        if seen.ready > before.ready || seen.available > before.available {
            progressedAt = at
            release?.isLate = false
        }
        changeSet(seen.podTemplateHash) { set in
            set.current = seen.current
            set.ready = seen.ready
            set.available = seen.available
        }
        if seen.current == 0, before.wanted == 0,
            role(of: seen.podTemplateHash) == .old
                || (role(of: seen.podTemplateHash) == .canary && release?.hasEnded == true)
        {
            sets.removeAll { $0.podTemplateHash == seen.podTemplateHash }
        }
    }

    private mutating func changeProgress(_ change: (inout Release.Progress) -> Void) {
        guard case .progressing(var progress) = release?.course else { return }
        change(&progress)
        release?.course = .progressing(progress)
    }

    private mutating func changeSet(_ hash: String, _ change: (inout PodSet) -> Void) {
        if let index = sets.firstIndex(where: { $0.podTemplateHash == hash }) {
            change(&sets[index])
        } else {
            var set = PodSet(podTemplateHash: hash)
            change(&set)
            sets.append(set)
        }
    }

    private mutating func changeRun(_ name: String, _ change: (inout AnalysisRunState) -> Void) {
        // Taken out meanwhile, so that what is measured often is changed in place.
        guard let index = release?.runs.firstIndex(where: { $0.name == name }), var changed = release.take() else {
            return
        }
        change(&changed.runs[index])
        release = changed
    }
}
