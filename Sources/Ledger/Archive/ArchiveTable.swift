internal import EventSourcing
internal import Foundation
internal import Postgres
internal import Transparency

/// What the ledger knows of its archives.
enum ArchiveTable {
    /// The archived ranges, the lowest first.
    static func ranges(_ connection: some PostgresQueryable) async throws -> [ArchivedRange] {
        try await ranges("ORDER BY first_position", connection)
    }

    /// The first archived range that meets `positions`, or the last one; nil if none does.
    static func first(
        in positions: ClosedRange<Int64>, backwards: Bool = false, _ connection: some PostgresQueryable
    ) async throws -> ArchivedRange? {
        try await ranges(
            """
            WHERE first_position <= \(positions.upperBound) AND end_position > \(positions.lowerBound)
            ORDER BY first_position \(backwards ? "DESC" : "ASC" as SQL)
            LIMIT 1
            """, connection
        ).first
    }

    private static func ranges(
        _ which: SQL, _ connection: some PostgresQueryable
    ) async throws -> [ArchivedRange] {
        try await connection.query(
            """
            SELECT first_position, end_position, file, sha256, root, events, kept, table_name, is_dropped,
                   announcement, archived_at
            FROM ledger.archive
            \(which)
            """
        ).map { row in
            guard let root = MerkleHash(try row.get(4, as: [UInt8].self)) else {
                throw PostgresError(.decoding, "an archive has no root of 32 bytes")
            }
            return ArchivedRange(
                positions: try row.get(0, as: Int64.self)...(try row.get(1, as: Int64.self)) - 1, file: try row.get(2),
                sha256: try row.get(3), root: root, events: try row.get(5), kept: try row.get(6), table: try row.get(7),
                isDropped: try row.get(8), announcement: Identifier(try row.get(9, as: UUID.self)),
                archivedAt: Instant(try row.get(10, as: PostgresInstant.self)))
        }
    }

    /// What the names of streams begin with that keep their last event alone in an archived range.
    static func thinned(_ connection: some PostgresQueryable) async throws -> [[UInt8]] {
        try await connection.query("SELECT category FROM ledger.archivable ORDER BY category").map {
            Array("\(try $0.get(0, as: String.self))-".utf8)
        }
    }

    /// Fails if events of streams, up to a version of each, stand in an archive.
    static func check(
        _ beginnings: [(stream: Int64, through: Int64)], _ connection: some PostgresQueryable
    ) async throws {
        guard !beginnings.isEmpty, let range = try await first(in: 1...Int64.max, backwards: true, connection) else {
            return
        }
        let lacksSome: Bool = try await connection.query(
            """
            SELECT EXISTS (
                SELECT
                FROM unnest(\(beginnings.map(\.stream)), \(beginnings.map(\.through))) b (stream_id, through)
                CROSS JOIN LATERAL (
                    SELECT count(*) AS events
                    FROM ledger.event e
                    WHERE e.stream_id = b.stream_id AND e.version <= b.through) there
                WHERE there.events < b.through)
            """
        ).single().get(0)
        if lacksSome { throw range.failure }
    }

    /// Fails if some of `positions` lie in an archived range.
    static func check(_ positions: ClosedRange<Int64>, _ connection: some PostgresQueryable) async throws {
        if let range = try await first(in: positions, connection) { throw range.failure }
    }
}
