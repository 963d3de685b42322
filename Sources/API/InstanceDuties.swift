/// What an instance does for all: which leases it holds.
public struct InstanceDuties: Sendable, Encodable {
    /// The cluster whose rollouts it controls.
    public var cluster: String
    /// How many of the cluster's shards of rollouts it controls; 0 for one that stands by.
    public var shards: Int
    /// What it does alone, such as `sealer`; sorted.
    public var leases: [String]

    /// Names them.
    public init(cluster: String, shards: Int, leases: [String]) {
        self.cluster = cluster
        self.shards = shards
        self.leases = leases
    }
}
