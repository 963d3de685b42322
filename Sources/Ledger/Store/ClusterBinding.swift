public import EventSourcing
public import Postgres

/// Which platform a cluster is, as the ledger has it.
///
/// A platform that is one machine cannot be steered from another one: a second machine that served the same cluster would
/// start pods of its own and set weights where no traffic comes by. So the first platform that serves a cluster keeps it.
public struct ClusterBinding: Sendable, Hashable {
    /// Identifies the platform; the same wherever its files are moved to.
    public var platform: String
    /// Where it was last served from, for people.
    public var place: String
    /// Since when it is this platform.
    public var boundAt: Instant

    /// Binds `cluster` to `platform`, unless it is bound to another one.
    ///
    /// - Parameter moving: Takes the cluster from the platform that has it: that one is gone for good.
    /// - Returns: What stands now.
    /// - Throws: `EventStoreFailure`.
    public static func bind(
        _ cluster: String, to platform: String, at place: String, moving: Bool, through pool: PostgresPool
    ) async throws(EventStoreFailure) -> ClusterBinding {
        do {
            let row = try await pool.query(
                """
                SELECT platform, place, bound_at
                FROM ledger.bind_cluster(\(cluster), \(platform), \(place), \(moving))
                """
            ).single()
            return ClusterBinding(
                platform: try row.get(0), place: try row.get(1), boundAt: Instant(try row.get(2)))
        } catch { throw EventStoreFailure(reading: error) }
    }
}
