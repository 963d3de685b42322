public import EventSourcing
internal import Postgres

/// How a projection stands against the log.
public struct ProjectionStatus: Sendable, Equatable {
    /// The projection.
    public var name: String
    /// The position up to which its rows go, as the database says.
    public var position: GlobalPosition
    /// How many events it is behind the log.
    public var lagEvents: Int64
    /// For how long the oldest event that it does not show has been in the log, in seconds; 0 if it shows all.
    public var lagSeconds: Double
    /// Whether this instance's projector stands still.
    public var isHalted: Bool
    /// Events that this instance has projected.
    public var events: Int64
    /// Transactions in which it did.
    public var batches: Int64
    /// How many events the last one had.
    public var lastBatch: Int

    static func read(
        _ name: String, isHalted: Bool, events: Int64, batches: Int64, lastBatch: Int, pool: PostgresPool
    ) async throws -> ProjectionStatus {
        let row = try await pool.query(
            """
            SELECT coalesce(c.position, 0), h.last_position - coalesce(c.position, 0),
                   coalesce(extract(epoch FROM clock_timestamp() - n.recorded_at), 0)::float8
            FROM views.projection p
            LEFT JOIN ledger.checkpoint c ON c.projection = p.name
            CROSS JOIN LATERAL (
                SELECT last_position FROM ledger.append_batch ORDER BY last_position DESC LIMIT 1) h
            LEFT JOIN LATERAL (
                SELECT b.recorded_at
                FROM ledger.append_batch b
                WHERE b.last_position > coalesce(c.position, 0)
                ORDER BY b.last_position
                LIMIT 1) n ON true
            WHERE p.name = \(name)
            """
        ).single()
        return ProjectionStatus(
            name: name, position: GlobalPosition(try row.get(0)), lagEvents: max(0, try row.get(1)),
            lagSeconds: max(0, try row.get(2)), isHalted: isHalted, events: events, batches: batches,
            lastBatch: lastBatch)
    }
}
