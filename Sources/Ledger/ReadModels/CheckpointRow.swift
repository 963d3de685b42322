import EventSourcing
import Foundation
import Postgres

/// Where a projection stands, as the database says.
struct CheckpointRow: Sendable, Equatable {
    var version: Int
    var position: GlobalPosition
    var event: UUID?
    var epoch: Int
    var generation: Int
    /// Whether the log still has the event that the checkpoint names.
    var isOfThisLog: Bool

    /// Reads it; the version is 0 if the projection never ran.
    static func read(_ projection: String, through connection: some PostgresQueryable) async throws -> CheckpointRow {
        let row = try await connection.query(
            """
            SELECT p.generation, coalesce(c.version, 0), coalesce(c.position, 0), c.event_id, coalesce(c.epoch, 1),
                   coalesce(c.position, 0) = 0 OR EXISTS (
                       SELECT FROM ledger.event e
                       WHERE e.position = c.position AND e.event_id = c.event_id AND e.epoch = c.epoch)
            FROM views.projection p
            LEFT JOIN ledger.checkpoint c ON c.projection = p.name
            WHERE p.name = \(projection)
            """
        ).single()
        return CheckpointRow(
            version: try row.get(1), position: GlobalPosition(try row.get(2)), event: try row.get(3),
            epoch: try row.get(4), generation: try row.get(0), isOfThisLog: try row.get(5))
    }

    /// Holds the projection's tables against a rebuild (`isExclusive`: against everybody) until the transaction's end,
    /// and answers their generation.
    ///
    /// The first thing that a writer does; the checkpoint comes next, then the tables: so nobody waits in a circle.
    static func hold(
        _ projection: String, isExclusive: Bool, through connection: PostgresConnection
    ) async throws -> Int {
        try await connection.query(holding(projection, isExclusive: isExclusive)).single().get(0)
    }

    /// The statement that holds the tables, and gives their generation.
    static func holding(_ projection: String, isExclusive: Bool) -> SQL {
        """
        SELECT generation FROM views.projection WHERE name = \(projection)
        FOR \(isExclusive ? "UPDATE" as SQL : "KEY SHARE")
        """
    }

    /// Moves the checkpoint from the range's beginning to its end; false if it stands elsewhere.
    static func move(
        _ model: any ReadModel, over range: PositionRange, through connection: PostgresConnection
    ) async throws -> Bool {
        try moved(try await connection.query(moving(model, over: range)), range)
    }

    /// The statement that moves the checkpoint, to be read by ``moved(_:_:)``.
    ///
    /// No flush of its own: rows and checkpoint would be lost together, and are made again.
    static func moving(_ model: any ReadModel, over range: PositionRange) -> SQL {
        """
        SELECT ledger.move_checkpoint(\(model.name), \(Int32(model.version)), \(range.after.value), e.position,
                   e.event_id, e.epoch),
               set_config('synchronous_commit', 'off', true)
        FROM ledger.event e
        WHERE e.position = \(range.through.value)
        """
    }

    /// Whether the checkpoint was moved; false if it stands elsewhere.
    static func moved(_ result: PostgresResult, _ range: PositionRange) throws -> Bool {
        guard let row = try result.optional() else {
            throw PostgresError(.decoding, "the log has no event at position \(range.through)")
        }
        return try row.get(0)
    }
}
