import EventSourcing

/// What people order.
extension RolloutDecision {
    /// Takes a manifest, and starts a release if the pod template changed (or the steps, in mid-release).
    ///
    /// - Source: Argo Rollouts, `CheckPodSpecChange`, `checkStepHashChange`, `resetRolloutStatus`.
    mutating func adopt(
        _ bundle: ManifestBundle, source: ManifestSource, warnings: [String], as newRelease: Identifier,
        trigger: ReleaseStarted.Trigger?
    ) throws(RolloutRefusal) {
        let plan: ReleasePlan
        do { plan = try bundle.plan() } catch { throw .invalidManifest(error.problems) }
        let before = state.rollout
        if bundle.digest != before?.bundle.digest {
            record(
                .manifestRecorded(
                    ManifestRecorded(
                        digest: bundle.digest, manifest: bundle, plan: plan, source: source,
                        changed: bundle.changes(from: before?.bundle), warnings: warnings)))
        }
        guard let rollout = state.rollout else { return }
        let hash = bundle.podTemplateHash
        if rollout.release == nil {
            start(hash, as: newRelease, trigger: .first)
        } else if hash != rollout.release?.podTemplateHash {
            start(hash, as: newRelease, trigger: trigger ?? .newRevision)
        } else if plan.steps != before?.plan.steps, hash != rollout.stable?.podTemplateHash {
            start(hash, as: newRelease, trigger: .newRevision)
        }
    }

    /// Puts other images into the present manifest.
    mutating func setImages(
        _ images: [String: String], in rollout: Rollout, as newRelease: Identifier
    ) throws(RolloutRefusal) {
        let known = rollout.bundle.images
        for name in images.keys.sorted() where name != "*" && known[name] == nil {
            throw .unknownContainer(name, known: known.keys.sorted())
        }
        try adopt(
            rollout.bundle.settingImages(images), source: ManifestSource(kind: .cli), warnings: [], as: newRelease,
            trigger: nil)
    }

    /// Goes back to the template of a revision; without a number, of the one with the second-highest.
    ///
    /// - Source: Argo Rollouts, kubectl plugin `undo`.
    mutating func undo(
        to number: Int?, in rollout: Rollout, as newRelease: Identifier
    ) throws(RolloutRefusal) {
        let known = rollout.revisions.map(\.number).sorted()
        guard let target = number ?? known.dropLast().last else { throw .nothingToGoBackTo }
        guard let revision = rollout.revisions.first(where: { $0.number == target }) else {
            throw .unknownRevision(target, known: known)
        }
        if revision.podTemplateHash == rollout.bundle.podTemplateHash { throw .alreadyAtRevision(target) }
        try adopt(
            rollout.bundle.replacingTemplate(revision.template), source: ManifestSource(kind: .cli), warnings: [],
            as: newRelease, trigger: .undo)
    }

    /// Tries an aborted release again, from the first step.
    mutating func retry(_ rollout: Rollout, as newRelease: Identifier) throws(RolloutRefusal) {
        guard let release = rollout.release, case .aborted = release.course else {
            throw .notAborted(phase: rollout.phase)
        }
        start(release.podTemplateHash, as: newRelease, trigger: .retry)
    }

    /// Moves the release on: out of its pause, past its step, or past all that is left.
    ///
    /// - Source: Argo Rollouts, kubectl plugin `promote`, `getPatches`.
    mutating func promote(_ rollout: Rollout, full: Bool, reason: String?) throws(RolloutRefusal) {
        guard let release = rollout.release else { throw .unknownRollout }
        let progress: Release.Progress
        switch release.course {
        case .progressing(let under): progress = under
        case .aborted where full && !release.isFirst:
            // `promote --full` lifts an abort (Argo Rollouts §7.4): it is another attempt, which the log shows as one.
            start(release.podTemplateHash, as: Identifier.derived(from: release.id, at: at), trigger: .retry)
            record(.promoted(Promoted(kind: .full, fromIndex: 0, reason: reason)))
            return
        case .completed, .aborted: throw .alreadyEnded(phase: rollout.phase)
        }
        if full && progress.isFull { return }
        record(.promoted(Promoted(kind: full ? .full : .step, fromIndex: progress.index, reason: reason)))
        if rollout.heldSince != nil { record(.pauseEnded(PauseEnded(reason: .person, because: .promoted))) }
        if let pause = progress.pause { record(.pauseEnded(PauseEnded(reason: pause.reason, because: .promoted))) }
        if full {
            terminateRuns { _ in true }
        } else if progress.enteredAt != nil, rollout.plan.steps.indices.contains(progress.index), !rollout.isDirect {
            let wasHeldOnly = rollout.heldSince != nil && progress.pause == nil
            if wasHeldOnly { return }
            terminateRuns { $0.stepIndex == progress.index }
            record(
                .stepCompleted(
                    StepCompleted(
                        index: progress.index, step: rollout.plan.steps[progress.index],
                        because: progress.pause?.reason == .step ? .promoted : .skipped)))
        }
    }

    /// Stops the release.
    ///
    /// Always possible while one is under way; a repeat changes nothing.
    mutating func abort(_ rollout: Rollout, reason: String?) throws(RolloutRefusal) {
        guard let release = rollout.release else { throw .unknownRollout }
        switch release.course {
        case .progressing:
            abort(release, by: .person, reason: reason, evidence: [], cause: nil)
        case .aborted: return
        case .completed: throw .alreadyEnded(phase: rollout.phase)
        }
    }

    /// Holds the plan; traffic stays as it is.
    mutating func pause(_ rollout: Rollout, reason: String?) {
        guard rollout.heldSince == nil else { return }
        record(.pauseBegan(PauseBegan(reason: .person, until: nil, message: reason)))
    }

    /// Lets the plan go on.
    ///
    /// After an inconclusive analysis a new run begins.
    mutating func resume(_ rollout: Rollout, reason: String?) throws(RolloutRefusal) {
        if rollout.heldSince != nil {
            record(.pauseEnded(PauseEnded(reason: .person, because: .resumed)))
        } else if let pause = rollout.release?.progress?.pause, pause.reason == .inconclusive {
            record(.pauseEnded(PauseEnded(reason: .inconclusive, because: .resumed)))
        } else {
            throw .notPaused
        }
    }

    private mutating func start(_ hash: String, as id: Identifier, trigger: ReleaseStarted.Trigger) {
        guard let rollout = state.rollout else { return }
        if let under = rollout.release, let progress = under.progress {
            terminateRuns { _ in true }
            if let pause = progress.pause {
                record(.pauseEnded(PauseEnded(reason: pause.reason, because: .superseded)))
            }
            record(.superseded(Superseded(by: id)))
        }
        let highest = rollout.revisions.map(\.number).max() ?? 0
        let isSame = rollout.revisions.last.map { $0.podTemplateHash == hash } ?? false
        record(
            .releaseStarted(
                ReleaseStarted(
                    release: id, revision: isSame ? highest : highest + 1, podTemplateHash: hash,
                    images: rollout.bundle.images, trigger: trigger, strategy: "canary", plan: rollout.plan,
                    stable: rollout.stable, deciderVersion: RolloutDecider.version)))
    }
}

/// What ends a release before its time.
extension RolloutDecision {
    /// Records an abort in Argo's words; the rules then take the traffic away, in the same append.
    mutating func abort(
        _ release: Release, by: Aborted.By, reason: String?, evidence: [MeasurementReference], cause: String?
    ) {
        terminateRuns { _ in true }
        if let pause = state.rollout?.release?.progress?.pause {
            record(.pauseEnded(PauseEnded(reason: pause.reason, because: .aborted)))
        }
        let message = "Rollout aborted update to revision \(release.revision)" + (cause.map { ": \($0)" } ?? "")
        record(.aborted(Aborted(by: by, reason: reason, evidence: evidence, message: message)))
    }

    /// Ends the runs that are under way and `selected`.
    mutating func terminateRuns(where selected: (AnalysisRunState) -> Bool) {
        for run in state.rollout?.release?.runs ?? [] where run.conclusion == nil && selected(run) {
            for fact in run.terminate() { record(fact) }
        }
    }
}
