internal import EventSourcing
internal import Foundation
internal import Postgres

/// How events are selected and read: columns in one place.
enum EventRows {
    /// Some events, and whether a page had no room for more of those that were chosen.
    typealias Page = (events: [RecordedEvent], isCut: Bool)

    /// What `chosen` gives, a query of `ledger.event` with at most `limit` rows, in `order`; no more of it than fits into a
    /// page that has `spent` bytes already.
    ///
    /// Of a page that has none, one event always fits.
    /// - Parameter isNamed: Whether `chosen` gives the names of the streams too, as `stream_name`.
    static func page(
        _ chosen: SQL, isNamed: Bool = false, order: SQL, limit: Int, spent: Int = 0,
        _ connection: some PostgresQueryable
    ) async throws -> Page {
        let room = Int32(max(0, LogPage.mostBytes - spent))
        // To sum up costs a usual page more than a tenth of its time, and of events as small as this all fit.
        let small = room / Int32(clamping: max(1, limit))
        let usual = try await connection.query(
            select(
                chosen, isNamed: isNamed, order: order,
                texts: texts(upTo: small)))
        if let events = try whole(usual) { return (events, false) }
        let summed: SQL = """
            SELECT e.*, octet_length(e.data) + octet_length(e.metadata) AS own,
                   sum(octet_length(e.data) + octet_length(e.metadata)) OVER so_far AS bytes,
                   lead(e.position) OVER so_far AS following
            FROM (\(chosen)) e
            WINDOW so_far AS (ORDER BY \(order) ROWS UNBOUNDED PRECEDING)
            """
        let rows = try await connection.query(
            select(
                summed, isNamed: isNamed, order: order, texts: "e.data, e.metadata, e.following",
                where: "WHERE e.bytes <= \(room) OR e.bytes = e.own AND \(spent == 0)"))
        let isCut = try rows.last.map { try $0.get(16, as: Int64?.self) != nil } ?? (spent > 0)
        return (try whole(rows) ?? [], isCut)
    }

    /// The events; nil if the texts of one were too long to be given.
    private static func whole(_ rows: PostgresResult) throws -> [RecordedEvent]? {
        var events: [RecordedEvent] = []
        events.reserveCapacity(rows.count)
        for row in rows {
            guard let event = try read(row) else { return nil }
            events.append(event)
        }
        return events
    }

    /// Data and metadata of an event that has no more bytes than `small`; else NULL.
    static func texts(upTo small: Int32) -> SQL {
        """
        CASE WHEN octet_length(e.data) + octet_length(e.metadata) <= \(small) THEN e.data END,
        CASE WHEN octet_length(e.data) + octet_length(e.metadata) <= \(small) THEN e.metadata END
        """
    }

    /// The columns of an event, and its `texts`, of what `chosen` gives.
    static func select(
        _ chosen: SQL, isNamed: Bool, order: SQL, texts: SQL, where condition: SQL = ""
    ) -> SQL {
        """
        SELECT e.position, e.epoch, \(isNamed ? "e.stream_name" : "s.name" as SQL), e.version, e.recorded_at, e.event_id, t.name, e.occurred_at,
               a.subject, a.issuer, a.method, a.on_behalf_of, e.causation, e.correlation,
               \(texts)
        FROM (\(chosen)) e
        \(isNamed ? "" : "JOIN ledger.stream s USING (stream_id)" as SQL)
        JOIN ledger.event_type t USING (type_id)
        JOIN ledger.actor a USING (actor_id)
        \(condition)
        ORDER BY \(order)
        """
    }

    /// The event of a row that begins with the columns of ``select(_:isNamed:order:texts:where:)``; nil without its texts.
    static func read(_ row: PostgresRow) throws -> RecordedEvent? {
        guard let data = try row.get(14, as: String?.self) else { return nil }
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
                correlation: Identifier(try row.get(13)), data: data, metadata: try row.get(15)))
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
