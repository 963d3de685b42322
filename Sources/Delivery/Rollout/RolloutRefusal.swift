/// Why a rollout does not do what it was told: the caller's mistake, never an event.
public enum RolloutRefusal: Error, Sendable, Hashable {
    /// No manifest of this name was ever accepted.
    case unknownRollout
    /// The manifest cannot be carried out; each problem names its field, value and fix.
    case invalidManifest([ManifestProblem])
    /// The release has ended; only a new revision, a retry or an undo starts another.
    case alreadyEnded(phase: RolloutPhase)
    /// Only an aborted release can be tried again.
    case notAborted(phase: RolloutPhase)
    /// The rollout is not paused.
    case notPaused
    /// The first deploy has nothing to go back to.
    case nothingToGoBackTo
    /// No such revision is kept.
    case unknownRevision(Int, known: [Int])
    /// The present template is already that of the revision.
    case alreadyAtRevision(Int)
    /// The pod template has no such container.
    case unknownContainer(String, known: [String])
}
