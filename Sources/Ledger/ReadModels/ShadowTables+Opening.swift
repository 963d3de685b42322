import EventSourcing
import Foundation
import Postgres

extension ShadowTables {
    /// The shadow of `model` that was begun earlier, or a new and empty one.
    ///
    /// One that was begun for another version of the rows, or that read another log, is dropped.
    static func open(
        _ model: any ReadModel, pool: PostgresPool, head: GlobalPosition,
        progress: @escaping @Sendable (GlobalPosition, GlobalPosition) -> Void
    ) async throws -> ShadowTables {
        let claim = UUID()
        let (generation, row) = try await pool.transaction { connection in
            let live = try await CheckpointRow.hold(model.name, through: connection)
            if let begun = try await resume(model, after: live, claim, connection) { return begun }
            try await connection.query("DELETE FROM views.rebuild WHERE projection = \(model.name)")
            try await connection.query("DELETE FROM views.rebuild_fold WHERE projection = \(model.name)")
            for table in model.tables {
                try await connection.query("DROP TABLE IF EXISTS \(table.of(live + 1))")
                try await connection.query(
                    """
                    CREATE TABLE \(table.of(live + 1)) (
                        LIKE \(table.of(live)) INCLUDING ALL EXCLUDING INDEXES EXCLUDING STATISTICS)
                    WITH (fillfactor = \(unsafeRaw: "\(table.fillFactor)"))
                    """)
            }
            try await connection.query(
                """
                INSERT INTO views.rebuild (projection, generation, version, claim, passes, pass, target, "position", epoch)
                VALUES (\(model.name), \(Int32(live + 1)), \(Int32(model.version)), \(claim), 1, 0, \(head.value), 0, 1)
                """)
            return (live + 1, Row(target: head, position: .start))
        }
        return ShadowTables(model, generation: generation, row: row, claim: claim, pool: pool, progress: progress)
    }

    private static func resume(
        _ model: any ReadModel, after live: Int, _ claim: UUID, _ connection: PostgresConnection
    ) async throws -> (Int, Row)? {
        let found = try await connection.query(
            """
            UPDATE views.rebuild r
            SET claim = \(claim)
            WHERE r.projection = \(model.name) AND r.version = \(Int32(model.version))
              AND r.generation = \(Int32(live + 1))
              AND (r.position = 0 OR EXISTS (
                  SELECT FROM ledger.event e
                  WHERE e.position = r.position AND e.event_id = r.event_id AND e.epoch = r.epoch))
            RETURNING r.generation, r.passes, r.pass, r.target, r.position
            """
        ).optional()
        return try found.map { row in
            (
                try row.get(0),
                Row(
                    passes: try row.get(1), pass: try row.get(2), target: GlobalPosition(try row.get(3)),
                    position: GlobalPosition(try row.get(4)))
            )
        }
    }
}
