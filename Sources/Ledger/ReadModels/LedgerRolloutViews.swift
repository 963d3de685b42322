public import Delivery
public import EventSourcing
internal import Postgres

/// Answers about all rollouts from the read model.
public struct LedgerRolloutViews: RolloutViews {
    /// How long an answer waits for the read model at the most.
    public static let patience = Duration.seconds(5)

    private let store: PostgresEventStore

    /// Reads over the store's pool.
    public init(_ store: PostgresEventStore) { self.store = store }

    /// A line for each rollout of `namespace` (`nil`: of all), as soon as they reflect the position `wanted`.
    public func list(namespace: String?, reflecting wanted: GlobalPosition?) async throws -> RolloutListing {
        do {
            if let wanted { try await ProjectionWait(store, RolloutRows().name).until(wanted, atMost: Self.patience) }
            return try await list(namespace: namespace)
        } catch let error as PostgresError {
            throw EventStoreFailure(reading: error)
        }
    }

    private func list(namespace: String?) async throws -> RolloutListing {
        // One statement: rows and position are of one snapshot, also while a rebuild is turned over to.
        let rows = try await store.pool.query(
            """
            SELECT c.position, r.cluster, r.namespace, r.name, r.strategy, r.phase, r.message, r.step, r.set_weight,
                   r.actual_weight, r.desired, r.current, r.updated, r.ready, r.available, r.revision,
                   r.decision_version, r.version, r.position
            FROM (
                SELECT coalesce(max(position), 0) AS position
                FROM ledger.checkpoint
                WHERE projection = \(RolloutRows().name)) c
            LEFT JOIN views.rollout_summary r ON \(namespace)::text IS NULL OR r.namespace = \(namespace)
            ORDER BY r.cluster, r.namespace, r.name
            """)
        return RolloutListing(
            rows: try rows.filter { !$0.isNull("name") }.map(Self.row),
            position: GlobalPosition(try rows.first?.get(0) ?? 0))
    }

    private static func row(_ row: PostgresRow) throws -> RolloutSummaryRow {
        let phase = try row.get(5, as: String.self)
        guard let known = RolloutPhase(rawValue: phase) else {
            throw PostgresError(.decoding, "views.rollout_summary has the phase \"\(phase)\"")
        }
        return RolloutSummaryRow(
            cluster: try row.get(1), namespace: try row.get(2), name: try row.get(3), strategy: try row.get(4),
            phase: known, message: try row.get(6), step: try row.get(7), setWeight: try row.get(8),
            actualWeight: try row.get(9),
            replicas: ReplicaCounts(
                desired: try row.get(10), current: try row.get(11), updated: try row.get(12), ready: try row.get(13),
                available: try row.get(14)),
            revision: try row.get(15), decisionVersion: try row.get(16), version: StreamVersion(try row.get(17)),
            position: GlobalPosition(try row.get(18)))
    }
}

/// Waits until a projection shows a position, whoever projects it.
struct ProjectionWait {
    private let store: PostgresEventStore
    private let projection: String

    init(_ store: PostgresEventStore, _ projection: String) {
        self.store = store
        self.projection = projection
    }

    /// - Throws: ``ViewBehind`` after `patience`, and at once for a position that the log does not have.
    func until(_ wanted: GlobalPosition, atMost patience: Duration) async throws {
        let deadline = ContinuousClock.now + patience
        var pause = Duration.milliseconds(1)
        while true {
            let row = try await store.pool.query(
                """
                SELECT coalesce((SELECT position FROM ledger.checkpoint WHERE projection = \(projection)), 0),
                       (SELECT last_position FROM ledger.append_batch ORDER BY last_position DESC LIMIT 1)
                """
            ).single()
            let (reached, head): (Int64, Int64) = (try row.get(0), try row.get(1))
            if reached >= wanted.value { return }
            guard head >= wanted.value, ContinuousClock.now < deadline else {
                throw ViewBehind(wanted: wanted, position: GlobalPosition(reached))
            }
            // Nobody announces a checkpoint; it is milliseconds away unless the projector stands still.
            try await Task.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(50))
        }
    }
}
