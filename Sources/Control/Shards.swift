public import Delivery
import EventSourcing

/// How the rollouts of one cluster are shared: each belongs to one of a fixed number of shards, and each shard has a lease.
///
/// The number and the hash are part of what instances agree on by name alone: changing either would let two instances
/// believe in different holders of one rollout, so it takes new lease names.
public struct Shards: Sendable, Hashable {
    /// How many there are.
    public static let count = 64

    /// The cluster.
    public let cluster: String

    /// The shards of `cluster`.
    public init(cluster: String) { self.cluster = cluster }

    /// What the names of the shards' leases begin with.
    public var prefix: String { "controller/\(cluster)/" }

    /// What the names of the leases begin with by which instances know of each other, of every one that shares the rollouts.
    public var presencePrefix: String { "instance/\(cluster)/" }

    /// The leases' names, by shard.
    public var names: [String] { (0..<Self.count).map { prefix + ($0 < 10 ? "0" : "") + String($0) } }

    /// The shard that `rollout` belongs to, whichever program asks: FNV-1a (64 bits) of its stream's name.
    public func shard(of rollout: RolloutName) -> Int {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in rollout.stream.description.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        // The low bits of this hash are the less mixed ones.
        return Int((hash ^ (hash >> 32)) % UInt64(Self.count))
    }
}
