import Control
import EventSourcing

/// By what name an instance holds leases: nobody who lives at the same time has it, and it says which platform is steered.
enum HolderName {
    /// The name of the instance that serves on `port` of the platform's machine.
    static func of(_ instance: String, _ port: Int, platform: String) -> String { "\(instance):\(port)@\(platform)" }

    /// Whether a holder steers a platform, or waits to.
    static func isOf(_ platform: String, _ holder: String) -> Bool { holder.hasSuffix("@\(platform)") }
}

/// Taking a cluster from the platform that has it.
enum ClusterMove {
    /// Makes sure that no instance steers `cluster` on another platform: it would go on with pods and traffic there, beside
    /// the one that takes the cluster.
    ///
    /// - Throws: ``ServeFailure`` that names the instance; `EventStoreFailure`.
    static func check(_ cluster: String, to platform: String, _ leases: some Leases) async throws {
        let present = try await leases.list(under: Shards(cluster: cluster).presencePrefix)
        guard let other = present.first(where: { $0.isHeld && !HolderName.isOf(platform, $0.holder) }) else { return }
        throw ServeFailure(
            "cluster \(cluster) is steered by \(other.holder): stop that instance first, or if it is gone already, try again "
                + "in \(other.remaining.components.seconds + 1) s, when its lease has run out")
    }
}
