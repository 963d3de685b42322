internal import EventSourcing
internal import Foundation
internal import Postgres

/// How events are selected and read: columns in one place.
enum EventRows {
    /// Events that `chosen`, a query of `ledger.event` with order and limit, gives; in that order.
    static func select(_ chosen: SQL, order: SQL) -> SQL {
        """
        SELECT e.position, e.epoch, s.name, e.version, e.recorded_at, e.event_id, t.name, e.occurred_at,
               a.subject, a.issuer, a.method, a.on_behalf_of, e.causation, e.correlation, e.data, e.metadata
        FROM (\(chosen)) e
        JOIN ledger.stream s USING (stream_id)
        JOIN ledger.event_type t USING (type_id)
        JOIN ledger.actor a USING (actor_id)
        ORDER BY \(order)
        """
    }

    static func read(_ rows: PostgresResult) throws -> [RecordedEvent] { try rows.map(read) }

    private static func read(_ row: PostgresRow) throws -> RecordedEvent {
        let (name, method): (String, String) = (try row.get(2), try row.get(10))
        guard let stream = StreamName(name), let method = EventActor.Method(rawValue: method) else {
            throw PostgresError(
                .decoding, "position \(try row.get(0, as: Int64.self)): stream \(name), method \(method)")
        }
        return RecordedEvent(
            position: GlobalPosition(try row.get(0)), epoch: try row.get(1), stream: stream,
            version: StreamVersion(try row.get(3)), recordedAt: Instant(try row.get(4)),
            event: NewEvent(
                id: Identifier(try row.get(5)), type: try row.get(6), occurredAt: Instant(try row.get(7)),
                actor: EventActor(
                    subject: try row.get(8), issuer: try row.get(9), method: method, onBehalfOf: try row.get(11)),
                causation: (try row.get(12, as: UUID?.self)).map { Identifier($0) },
                correlation: Identifier(try row.get(13)), data: try row.get(14), metadata: try row.get(15)))
    }
}

extension EventFilter {
    /// The filter, without its times, as conditions on `ledger.event e`, each beginning with AND.
    var conditions: SQL {
        var sql: SQL = ""
        if !types.isEmpty {
            sql =
                sql + """
                     AND e.type_id = ANY (ARRAY(SELECT type_id FROM ledger.event_type WHERE name = ANY (\(types))))
                    """
        }
        if let streamPrefix {
            sql =
                sql + """
                     AND e.stream_id = ANY (ARRAY(
                        SELECT stream_id FROM ledger.stream WHERE starts_with(name, \(streamPrefix))))
                    """
        }
        if let correlation { sql = sql + " AND e.correlation = \(correlation.uuid)" }
        if let actor {
            sql = sql + " AND e.actor_id = ANY (ARRAY(SELECT actor_id FROM ledger.actor WHERE subject = \(actor)))"
        }
        return sql
    }
}

extension PostgresInstant {
    init(_ instant: Instant) { self.init(microsecondsSinceEpoch: instant.microseconds) }
}
