/// Where the payloads of a rollout's events say why.
public enum AuditReason {
    /// By wire name: the member that holds the reason, and the one that stands in for it where no person gave one.
    ///
    /// Of events of other streams it is the member `reason`.
    public static let fields: [(type: String, field: String, other: String)] = [
        ("rollout.promoted.v1", "reason", "reason"),
        ("rollout.aborted.v1", "reason", "message"),
        ("rollout.pause-began.v1", "message", "message"),
        ("rollout.deadline-exceeded.v1", "message", "message"),
    ]
}
