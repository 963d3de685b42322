import Delivery
import EventSourcing
import Foundation
import Postgres

/// One row for each event: who, when, why, and what in a line of words.
struct AuditEntries: ReadModel {
    let name = "audit-entry"
    let version = 1
    let tables = [(name: "audit_entry", order: "\"position\"")]

    func apply(_ batch: [RecordedEvent], through connection: PostgresConnection) async throws {
        let summaries = try batch.map { recorded in
            RolloutName(recorded.stream) == nil
                ? recorded.event.type : HistoryEntry(recorded, try RolloutDecider.decode(recorded)).text
        }
        let events = batch.map(\.event)
        _ = try await connection.query(
            """
            INSERT INTO views.audit_entry ("position", recorded_at, occurred_at, stream, version, type, subject, issuer,
                                           method, on_behalf_of, event_id, correlation, causation, summary)
            SELECT *
            FROM unnest(
                \(batch.map(\.position.value)), \(batch.map { PostgresInstant($0.recordedAt) }),
                \(events.map { PostgresInstant($0.occurredAt) }), \(batch.map(\.stream.description)),
                \(batch.map(\.version.value)), \(events.map(\.type)), \(events.map(\.actor.subject)),
                \(events.map(\.actor.issuer)), \(events.map(\.actor.method.rawValue)),
                \(events.map(\.actor.onBehalfOf)), \(events.map(\.id.uuid)), \(events.map(\.correlation.uuid)),
                \(events.map { $0.causation?.uuid }), \(summaries))
            """)
    }

    func forget() {}
}
