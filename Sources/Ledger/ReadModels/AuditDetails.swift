import Delivery
import EventSourcing
import Foundation
import Postgres

/// Looks up what stands at some positions of the log.
///
/// They lie far apart, so each is a read of its own, often from the disk: several connections share them.
struct AuditDetails {
    /// Connections at the most.
    private static let mostAtOnce = 4
    /// Positions that are worth a connection.
    private static let leastInPart = 12

    let pool: PostgresPool

    /// The entries at `positions`, in that order; one that has left the log is told as its index knows it.
    func entries(at positions: [Int64]) async throws -> [AuditEntry] {
        let parts = max(1, min(Self.mostAtOnce, positions.count / Self.leastInPart))
        let size = (positions.count + parts - 1) / parts
        let found = try await withThrowingTaskGroup(of: [AuditEntry].self) { group in
            for start in stride(from: 0, to: positions.count, by: max(1, size)) {
                let part = Array(positions[start..<min(start + size, positions.count)])
                group.addTask { try await read(part) }
            }
            return try await group.reduce(into: [Int64: AuditEntry]()) { entries, part in
                for entry in part { entries[entry.position.value] = entry }
            }
        }
        return positions.compactMap { found[$0] }
    }

    private func read(_ positions: [Int64]) async throws -> [AuditEntry] {
        let reasons = AuditReason.fields
        let rows = try await pool.query(
            """
            SELECT e.position, e.recorded_at, s.name, e.event_id, t.name, a.subject, a.issuer, a.method, a.on_behalf_of,
                   e.correlation, \(AuditEntries.reason), e.occurred_at, e.version, e.causation, e.data
            FROM ledger.event e
            JOIN ledger.stream s USING (stream_id)
            JOIN ledger.event_type t USING (type_id)
            JOIN ledger.actor a USING (actor_id)
            LEFT JOIN unnest(\(reasons.map(\.type)), \(reasons.map(\.field)), \(reasons.map(\.other)))
                      r (type, field, other) ON r.type = t.name
            WHERE e.position = ANY (\(positions))
            """)
        var entries = try rows.map { row in
            var entry = try Self.entry(row)
            entry.complete(
                at: Instant(try row.get(11)), version: StreamVersion(try row.get(12)),
                causation: (try row.get(13, as: UUID?.self)).map { Identifier($0) }, data: try row.get(14))
            return entry
        }
        if entries.count < positions.count {
            let found = Set(entries.map(\.position.value))
            entries += try await archived(positions.filter { !found.contains($0) })
        }
        return entries
    }

    /// What the index knows of events whose part of the log is not at hand.
    private func archived(_ positions: [Int64]) async throws -> [AuditEntry] {
        try await pool.query(
            """
            SELECT e.position, e.recorded_at, s.name, e.event_id, t.name, a.subject, a.issuer, a.method, a.on_behalf_of,
                   e.correlation, e.reason
            FROM views.audit_entry e
            JOIN ledger.stream s USING (stream_id)
            JOIN ledger.event_type t USING (type_id)
            JOIN ledger.actor a USING (actor_id)
            WHERE e.position = ANY (\(positions))
            """
        ).map(Self.entry)
    }

    private static func entry(_ row: PostgresRow) throws -> AuditEntry {
        let method = try row.get(7, as: String.self)
        guard let known = EventActor.Method(rawValue: method) else {
            throw PostgresError(.decoding, "position \(try row.get(0, as: Int64.self)): method \(method)")
        }
        return AuditEntry(
            position: GlobalPosition(try row.get(0)), recordedAt: Instant(try row.get(1)), stream: try row.get(2),
            id: Identifier(try row.get(3)), type: try row.get(4),
            actor: EventActor(
                subject: try row.get(5), issuer: try row.get(6), method: known, onBehalfOf: try row.get(8)),
            correlation: Identifier(try row.get(9)), reason: try row.get(10))
    }
}
