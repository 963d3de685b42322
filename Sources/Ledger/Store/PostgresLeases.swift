public import EventSourcing
public import Postgres

/// Leases in the ledger's database, whose clock alone says what has run out.
///
/// Each call is one statement in a transaction of its own, so that a holder that is stopped in the middle of one keeps
/// nobody waiting. Give it a pool that nothing else uses: a renewal must not stand in line behind somebody's long query.
public struct PostgresLeases: Leases {
    private let pool: PostgresPool
    private let patience: Duration

    /// Makes leases over a pool in the service's role.
    /// - Parameter patience: how long a call may take; an answer that comes later is worth nothing to a holder, so what was
    ///   not begun by then is not carried out.
    public init(pool: PostgresPool, patience: Duration = .seconds(2)) {
        self.pool = pool
        self.patience = patience
    }

    /// Renews, as the port says.
    public func renew(
        _ held: [Fence], for holder: String, lasting: Duration
    ) async throws(EventStoreFailure) -> [Fence] {
        try await fences(
            """
            SELECT name, epoch
            FROM ledger.renew_leases(\(holder), \(held.map(\.lease)), \(held.map(\.epoch)),
                                     \(lasting.wholeMicroseconds) * interval '1 microsecond')
            ORDER BY name
            """)
    }

    /// Claims, as the port says.
    public func claim(
        _ names: [String], above floors: [String: Int64], for holder: String, lasting: Duration, atMost limit: Int
    ) async throws(EventStoreFailure) -> [Fence] {
        try await fences(
            """
            SELECT name, epoch
            FROM ledger.claim_leases(\(holder), \(names), \(names.map { floors[$0] ?? 0 }),
                                     \(lasting.wholeMicroseconds) * interval '1 microsecond', \(Int32(clamping: limit)))
            ORDER BY name
            """)
    }

    /// Releases, as the port says.
    public func release(_ held: [Fence], by holder: String) async throws(EventStoreFailure) {
        _ = try await query(
            "SELECT ledger.release_leases(\(holder), \(held.map(\.lease)), \(held.map(\.epoch)))")
    }

    /// Lists, as the port says.
    public func list(under prefix: String) async throws(EventStoreFailure) -> [Lease] {
        let rows = try await query(
            """
            SELECT name, holder, epoch,
                   CASE WHEN isfinite(expires_at)
                        THEN (extract(epoch FROM expires_at - clock_timestamp()) * 1000000)::bigint ELSE 0 END
            FROM ledger.lease
            WHERE starts_with(name, \(prefix))
            ORDER BY name
            """)
        do {
            return try rows.map { row in
                Lease(
                    name: try row.get(0), holder: try row.get(1), epoch: try row.get(2),
                    remaining: .microseconds(try row.get(3, as: Int64.self)))
            }
        } catch { throw EventStoreFailure(reading: error) }
    }

    private func fences(_ sql: SQL) async throws(EventStoreFailure) -> [Fence] {
        let rows = try await query(sql)
        do {
            return try rows.map { Fence(lease: try $0.get(0), epoch: try $0.get(1)) }
        } catch { throw EventStoreFailure(reading: error) }
    }

    private func query(_ sql: SQL) async throws(EventStoreFailure) -> PostgresResult {
        let deadline = ContinuousClock.now + patience
        do {
            return try await pool.withConnection { connection in
                // Whoever waited in line, or for a connection to be made, has been given up.
                let left = deadline - ContinuousClock.now
                guard left > .zero else {
                    throw PostgresError(.timeout, "no connection within \(patience)", retryCanHelp: true)
                }
                return try await connection.query(sql, .timeout(left))
            }
        } catch { throw EventStoreFailure(reading: error) }
    }
}
