/// The word for how a rollout stands, at the product's edges.
///
/// - Source: Argo Rollouts, `CalculateRolloutPhase`.
public enum RolloutPhase: String, Sendable, Codable, CaseIterable {
    /// The revision is stable and whole.
    case healthy = "Healthy"
    /// On its way.
    case progressing = "Progressing"
    /// Waiting for time or a person.
    case paused = "Paused"
    /// Aborted, or without progress for too long.
    case degraded = "Degraded"
}

extension Rollout {
    /// The word for how it stands.
    public var phase: RolloutPhase { standing.phase }

    /// Why, in Argo's words; empty when healthy.
    public var message: String { standing.message }

    private var standing: (phase: RolloutPhase, message: String) {
        guard let release else { return (.progressing, "waiting for the first release") }
        if case .aborted(_, let aborted) = release.course { return (.degraded, "RolloutAborted: \(aborted.message)") }
        if release.isLate {
            let name = "\(bundle.name)-\(release.podTemplateHash)"
            return (.degraded, "ProgressDeadlineExceeded: ReplicaSet \"\(name)\" has timed out progressing.")
        }
        if heldSince != nil { return (.paused, "manually paused") }
        switch release.progress?.pause?.reason {
        case .step: return (.paused, "CanaryPauseStep")
        case .inconclusive: return (.paused, "InconclusiveAnalysisRun")
        case .person, nil: break
        }
        let updated = set(release.podTemplateHash)
        if (updated?.current ?? 0) < plan.replicas { return (.progressing, "more replicas need to be updated") }
        if (updated?.available ?? 0) < plan.replicas {
            return (.progressing, "updated replicas are still becoming available")
        }
        if !release.hasEnded { return (.progressing, "waiting for all steps to complete") }
        return (.healthy, "")
    }
}
