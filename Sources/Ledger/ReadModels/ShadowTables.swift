import Delivery
import EventSourcing
import Foundation
import Postgres

/// The next generation of a projection's tables, while it is filled beside the live one.
///
/// How far it is stands in `views.rebuild`, which moves with the rows; so whoever goes on finds both as they belong
/// together. Each transaction names the claim under which it was begun and ends if another has taken over.
actor ShadowTables {
    /// How far it is.
    struct Row: Sendable {
        var passes = 1
        /// Which pass is under way; as many as `passes` once all events up to `target` are in.
        var pass = 0
        /// Where the passes end.
        var target: GlobalPosition
        /// The events up to here are in the rows, or in the folds that were kept.
        var position: GlobalPosition
    }

    nonisolated let generation: Int
    nonisolated let pool: PostgresPool
    private let projection: String
    private let claim: UUID
    private let progress: @Sendable (GlobalPosition, GlobalPosition) -> Void
    private(set) var row: Row

    init(
        _ model: any ReadModel, generation: Int, row: Row, claim: UUID, pool: PostgresPool,
        progress: @escaping @Sendable (GlobalPosition, GlobalPosition) -> Void
    ) {
        projection = model.name
        self.generation = generation
        self.row = row
        self.claim = claim
        self.pool = pool
        self.progress = progress
    }

    /// The pass that is to be made, if one is left.
    var openPass: Int? { row.pass < row.passes ? row.pass : nil }

    /// Says how far the events are taken in, if not yet kept.
    func report(_ position: GlobalPosition) {
        let whole = row.target.value * Int64(row.passes)
        progress(GlobalPosition(row.target.value * Int64(row.pass) + position.value), GlobalPosition(whole))
    }

    /// Chooses the number of passes, before the first.
    func plan(passes: Int) async throws {
        try await write { connection in
            try await connection.query(
                "UPDATE views.rebuild SET passes = \(Int32(passes)) WHERE projection = \(self.projection)")
        }
        row.passes = passes
    }

    /// Runs `body` in a transaction, if the claim still holds.
    /// - Throws: ``RebuildFailure``.
    nonisolated func write(_ body: (PostgresConnection) async throws -> Void) async throws {
        try await pool.transaction { connection in
            try await lock(connection)
            try await body(connection)
        }
    }

    /// Writes what the events up to `position` mean, and that they are in.
    nonisolated func advance(
        to position: GlobalPosition, _ body: (PostgresConnection) async throws -> Void
    ) async throws {
        try await write { connection in
            try await body(connection)
            try await move(to: position, pass: await row.pass, through: connection)
        }
        await note(position)
    }

    /// Writes the rest of a pass and goes to the next one.
    nonisolated func closePass(_ body: (PostgresConnection) async throws -> Void) async throws {
        let row = await row
        let isLast = row.pass + 1 == row.passes
        try await write { connection in
            try await body(connection)
            try await dropFolds(through: connection)
            try await move(to: isLast ? row.target : .start, pass: row.pass + 1, through: connection)
        }
        await note(isLast ? row.target : .start, pass: row.pass + 1)
    }

    /// The folds that were kept, by stream.
    nonisolated func folds() async throws -> [(Int64, String)] {
        try await pool.query(
            "SELECT stream_id, state FROM views.rebuild_fold WHERE projection = \(projection) ORDER BY stream_id"
        ).map { (try $0.get(0), try $0.get(1)) }
    }

    /// Keeps folds for a later resumption.
    nonisolated func keep(
        _ streams: [Int64], _ folds: [RolloutSummaryFold], through connection: PostgresConnection
    ) async throws {
        for start in stride(from: 0, to: streams.count, by: 500) {
            let part = start..<min(start + 500, streams.count)
            try await connection.query(
                """
                INSERT INTO views.rebuild_fold (projection, stream_id, state)
                SELECT \(projection), * FROM unnest(\(Array(streams[part])), \(folds[part].map { CanonicalJSON.text($0) }))
                """)
        }
    }

    /// Forgets the folds that were kept.
    nonisolated func dropFolds(through connection: PostgresConnection) async throws {
        try await connection.query("DELETE FROM views.rebuild_fold WHERE projection = \(projection)")
    }

    /// Takes the row for this transaction; somebody else's claim ends it.
    nonisolated func lock(_ connection: PostgresConnection) async throws {
        let held = try await connection.query(
            """
            SELECT set_config('synchronous_commit', 'off', true)
            FROM views.rebuild
            WHERE projection = \(projection) AND claim = \(claim)
            FOR UPDATE
            """)
        guard held.count == 1 else {
            throw RebuildFailure("another rebuild of \(projection) has taken this one over, or has finished")
        }
    }

    private nonisolated func move(
        to position: GlobalPosition, pass: Int, through connection: PostgresConnection
    ) async throws {
        try await connection.query(
            """
            UPDATE views.rebuild r
            SET "position" = \(position.value), pass = \(Int32(pass)), event_id = e.event_id,
                epoch = coalesce(e.epoch, r.epoch)
            FROM (SELECT) one
            LEFT JOIN ledger.event e ON e.position = \(position.value)
            WHERE r.projection = \(projection)
            """)
    }

    private func note(_ position: GlobalPosition, pass: Int? = nil) {
        row.position = position
        if let pass { row.pass = pass }
    }
}
