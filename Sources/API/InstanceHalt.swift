/// Something that an instance does for all, and that stands still until a person has looked.
///
/// The instance answers and controls as before, so it stays ready.
public struct InstanceHalt: Sendable, Equatable, Codable {
    /// The lease that it works under, such as `sealer` or `projection/rollout`.
    public var service: String
    /// What is wrong, and what to do.
    public var reason: String

    /// Says what stands still, and why.
    public init(service: String, reason: String) {
        self.service = service
        self.reason = reason
    }
}
