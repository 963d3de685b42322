import Delivery
import EventSourcing
import Foundation
import Postgres

/// One row for each event: when, where, who, what and why; and one for each word of a reason.
///
/// The server does the work: an event's envelope is taken over as it is, and only the payloads that hold a reason are
/// looked at. What an event says in words is put together by whoever asks for a page of entries.
struct AuditEntries: ReadModel {
    let name = "audit-entry"
    let version = 1
    let tables = [
        ReadModelTable(name: "audit_entry", key: ["position"]),
        ReadModelTable(name: "audit_word", key: ["word", "position"]),
    ]
    /// The reason that the event `e` of type `t` holds, where `r` says of its type which members of the payload hold one.
    ///
    /// As `json`: `jsonb` would have to make numbers of those that the payload holds, and there are some that it cannot.
    static let reason: SQL = """
        CASE WHEN r.type IS NOT NULL THEN coalesce(e.data::json ->> r.field, e.data::json ->> r.other)
             WHEN NOT starts_with(t.name, 'rollout.') THEN e.data::json ->> 'reason'
        END
        """
    /// The words of a `reason`, as far as they are kept: the server takes no text of any length apart.
    private static func words(of reason: SQL) -> SQL {
        "tsvector_to_array(to_tsvector('pg_catalog.simple', left(\(reason), 100000)))"
    }
    /// Events in one transaction of a rebuild.
    private static let fillSize = 50_000

    func opening(_ range: PositionRange, into generation: Int) -> [SQL] {
        let reasons = AuditReason.fields
        return [
            """
            WITH reason (type, field, other) AS (
                SELECT * FROM unnest(\(reasons.map(\.type)), \(reasons.map(\.field)), \(reasons.map(\.other)))
            ), entry AS (
                INSERT INTO \(tables[0].of(generation)) ("position", recorded_at, stream_id, event_id, correlation, type_id,
                                                         actor_id, reason)
                SELECT e.position, e.recorded_at, e.stream_id, e.event_id, e.correlation, e.type_id, e.actor_id,
                       \(Self.reason)
                FROM ledger.event e
                JOIN ledger.event_type t USING (type_id)
                LEFT JOIN reason r ON r.type = t.name
                WHERE e.position > \(range.after.value) AND e.position <= \(range.through.value)
                RETURNING "position", type_id, reason
            ), word AS (
                INSERT INTO \(tables[1].of(generation)) (word, "position")
                SELECT w.word, entry.position
                FROM entry
                CROSS JOIN LATERAL unnest(\(Self.words(of: "entry.reason"))) w (word)
                WHERE entry.reason IS NOT NULL
            )
            SELECT count(*),
                   min(entry.position) FILTER (
                       WHERE starts_with(t.name, 'rollout.') AND t.name <> ALL (\(RolloutFact.wireNames)))
            FROM entry
            JOIN ledger.event_type t USING (type_id)
            """
        ]
    }

    mutating func project(
        _ range: PositionRange, _ opened: [PostgresResult], _ recent: [RecentAppends.Entry]?, into generation: Int,
        through connection: PostgresConnection, _ courtesy: Courtesy?
    ) async throws -> [SQL] {
        guard let row = try opened.first?.single() else { return [] }
        // An event of a rollout whose type this build does not know; what was written goes with the transaction.
        if let unknown = try row.get(1, as: Int64?.self) { throw try await Self.unknown(unknown, through: connection) }
        try range.check(rows: try row.get(0))
        return []
    }

    mutating func fill(_ shadow: ShadowTables) async throws {
        guard await shadow.row.pass == 0 else { return }
        let target = await shadow.row.target
        while await shadow.row.position < target {
            let range = PositionRange(after: await shadow.row.position, through: target).prefix(Self.fillSize)
            var model = self
            try await shadow.advance(to: range.through) { connection in
                try await model.project(range, into: shadow.generation, through: connection)
            }
            await shadow.report(range.through)
        }
        try await shadow.closePass { _ in }
    }

    func culprit(of error: any Error, in range: PositionRange, pool: PostgresPool) async throws -> PoisonEvent? {
        guard Self.isOfWhatStandsThere(error) else { return nil }
        var at = range
        while at.count > 0 {
            let part = at.prefix(1000)
            if try await Self.problem(in: part, pool) != nil { return try await Self.first(in: part, pool) }
            at.after = part.through
        }
        return nil
    }

    /// Whether the server failed over a value: a data exception, or a limit of its own.
    private static func isOfWhatStandsThere(_ error: any Error) -> Bool {
        ["22", "54"].contains((error as? PostgresError)?.sqlState?.classCode)
    }

    /// What keeps the server from reading the reasons in `range`; nil if nothing does.
    private static func problem(in range: PositionRange, _ pool: PostgresPool) async throws -> PostgresError? {
        let reasons = AuditReason.fields
        do {
            try await pool.query(
                """
                SELECT count(\(words(of: reason)))
                FROM ledger.event e
                JOIN ledger.event_type t USING (type_id)
                LEFT JOIN unnest(\(reasons.map(\.type)), \(reasons.map(\.field)), \(reasons.map(\.other)))
                          r (type, field, other) ON r.type = t.name
                WHERE e.position > \(range.after.value) AND e.position <= \(range.through.value)
                """)
            return nil
        } catch let error as PostgresError where isOfWhatStandsThere(error) {
            return error
        }
    }

    /// The first event of `range` with which there is a problem, of which there is one.
    private static func first(in range: PositionRange, _ pool: PostgresPool) async throws -> PoisonEvent? {
        var range = range
        while range.count > 1 {
            let half = range.prefix(range.count / 2)
            if try await problem(in: half, pool) != nil { range = half } else { range.after = half.through }
        }
        let problem = try await problem(in: range, pool)
        let data: String? = try await pool.query(
            "SELECT data FROM ledger.event WHERE position = \(range.through.value)"
        ).optional()?.get(0)
        guard let problem, let data else { return nil }
        let reason: String
        do throws(JSONText.Problem) {
            try JSONText.check(data)
            reason = "its reason cannot be read: \(problem.message)"
        } catch {
            reason = "its data is no JSON: \(error)"
        }
        return PoisonEvent(position: range.through, reason: reason)
    }

    mutating func forget() {}

    private static func unknown(_ position: Int64, through connection: PostgresConnection) async throws -> PoisonEvent {
        let type: String = try await connection.query(
            "SELECT t.name FROM ledger.event e JOIN ledger.event_type t USING (type_id) WHERE e.position = \(position)"
        ).single().get(0)
        return PoisonEvent(
            position: GlobalPosition(position),
            reason: UnreadableEvent(type: type, detail: "this build knows no such type").description)
    }
}
