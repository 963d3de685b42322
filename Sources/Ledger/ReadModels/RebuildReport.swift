public import EventSourcing
internal import Postgres

/// What a rebuild has made.
public struct RebuildReport: Sendable, Equatable, Codable {
    /// The read model.
    public var projection: String
    /// The position up to which the new rows go.
    public var position: GlobalPosition
    /// Rows that were compared; 0 if none were asked for.
    public var rows = 0
    /// The first row that differs, as it stood, as JSON; `nil` if none does, or it was not there.
    public var before: String?
    /// The first row that differs, as the log says, as JSON; `nil` if none does, or it is not there.
    public var after: String?

    init(projection: String, position: GlobalPosition) {
        self.projection = projection
        self.position = position
    }

    /// Whether a row was found to differ.
    public var differs: Bool { before != nil || after != nil }

    /// Compares all rows of two generations of a table, byte for byte.
    mutating func compare(
        _ table: ReadModelTable, _ old: Int, _ new: Int, through connection: PostgresConnection
    ) async throws {
        rows += try await connection.query("SELECT count(*) FROM \(table.of(new))").single().get(0, as: Int.self)
        guard !differs else { return }
        let same = table.key.map { "o.\(SQL.quoted(identifier: $0)) = n.\(SQL.quoted(identifier: $0))" }
        let order = table.key.map { "coalesce(o.\(SQL.quoted(identifier: $0)), n.\(SQL.quoted(identifier: $0)))" }
        let found = try await connection.query(
            """
            SELECT row_to_json(o)::text, row_to_json(n)::text
            FROM \(table.of(old)) o
            FULL JOIN \(table.of(new)) n ON \(unsafeRaw: same.joined(separator: " AND "))
            WHERE NOT coalesce(o *= n, false)
            ORDER BY \(unsafeRaw: order.joined(separator: ", "))
            LIMIT 1
            """
        ).optional()
        guard let found else { return }
        before = try found.get(0)
        after = try found.get(1)
    }
}
