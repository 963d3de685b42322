/// Why a platform could not carry out an intent; recorded, and tried again.
public struct PlatformFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of failure; a closed list.
    public enum Code: String, Sendable {
        /// A newer generation is in force, or the same with other content: this intent is out of date and changed nothing.
        case staleGeneration
        /// Somebody with a newer epoch has steered the rollout since: this intent's sender has lost its lease.
        case fenced
        /// The platform could not be reached, or did not answer in time.
        case unavailable
        /// The platform refused, and will refuse again until the manifest changes.
        case rejected
        /// The task was cancelled.
        case cancelled
    }

    /// What kind.
    public var code: Code
    /// What happened, for people, with names and values.
    ///
    /// What the ledger cannot keep is replaced.
    public var detail: String
    /// With `staleGeneration`: the generation that the platform obeys.
    public var generation: Int?
    /// With `fenced`: the epoch that the platform obeys.
    ///
    /// The ledger knows of a lower one only, if it was restored to an earlier time and the platform was not.
    public var epoch: Int64?

    /// Makes a failure.
    public init(_ code: Code, _ detail: String, generation: Int? = nil, epoch: Int64? = nil) {
        self.code = code
        self.detail = detail.keepable
        self.generation = generation
        self.epoch = epoch
    }

    /// Whether trying again can help.
    public var canRetry: Bool { code == .unavailable }

    /// The detail.
    public var description: String { detail }
}
