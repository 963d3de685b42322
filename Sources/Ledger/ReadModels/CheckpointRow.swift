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

    /// Holds the projection's tables against everybody who writes until the transaction's end, and answers their
    /// generation.
    ///
    /// The first thing that a writer does; the checkpoint comes next, then the tables: so nobody waits in a circle.
    static func hold(_ projection: String, through connection: PostgresConnection) async throws -> Int {
        try await connection.query("SELECT generation FROM views.projection WHERE name = \(projection) FOR UPDATE")
            .single().get(0)
    }

    /// The statement with which a transaction begins that projects `range` into the tables of `generation`: it holds them
    /// against a rebuild, and moves the checkpoint.
    ///
    /// It fails with ``Postgres/SQLState/overtaken`` if somebody else has moved the checkpoint or turned the tables over.
    static func begin(_ model: any ReadModel, over range: PositionRange, into generation: Int) -> SQL {
        """
        SELECT views.begin_batch(
            \(model.name), \(Int32(generation)), \(Int32(model.version)), \(range.after.value), \(range.through.value))
        """
    }

    /// Moves the checkpoint from the range's beginning to its end; false if it stands elsewhere.
    static func move(
        _ model: any ReadModel, over range: PositionRange, through connection: PostgresConnection
    ) async throws -> Bool {
        try await connection.query(
            """
            SELECT ledger.move_checkpoint(
                \(model.name), \(Int32(model.version)), \(range.after.value), \(range.through.value))
            """
        ).single().get(0)
    }
}

extension SQLState {
    /// RB001, of our own: `views.begin_batch` found the checkpoint or the tables' generation elsewhere.
    static let overtaken: SQLState = "RB001"
}
