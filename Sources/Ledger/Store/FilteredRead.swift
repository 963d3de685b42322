internal import EventSourcing
internal import Foundation
internal import Postgres

/// Reads the log by a filter: through the audit index as far as that goes, and by looking at each event after it.
///
/// The log itself has no index but those that appends and folds need. Both parts give the same events; only the time that
/// it takes differs, so an index that is behind, or not there, or of another log is no error.
///
/// In a transaction no archive comes or goes from the first look at the log on: for that, nobody may be reading it.
struct FilteredRead<Connection: PostgresQueryable> {
    /// Fewer events than this are looked at one by one.
    private static var fewest: Int64 { 1000 }

    let filter: EventFilter
    /// Positions above this.
    var after: Int64
    /// And up to this one.
    var through: Int64
    let backwards: Bool
    let connection: Connection

    /// Up to `limit` events that pass, in order.
    func events(_ limit: Int) async throws -> [RecordedEvent] {
        guard let (found, reached) = try await index() else { return try await scan(after, through, limit) }
        var index = found
        (index.after, index.through) = (max(after, index.after), min(through, index.through))
        let end = index.through
        index.through = min(end, reached)
        let beyond = max(index.after, reached)
        // A filter whose names nobody has ever used finds nothing, in the index or after it.
        if index.actors?.isEmpty ?? false || index.types?.isEmpty ?? false || index.streams?.isEmpty ?? false {
            return []
        }
        if backwards {
            let events = beyond < end ? try await scan(beyond, end, limit) : []
            return events.count < limit ? events + (try await read(index, limit - events.count)) : events
        }
        let events = try await read(index, limit)
        return events.count < limit && beyond < end
            ? events + (try await scan(beyond, end, limit - events.count)) : events
    }

    /// What the filter's names stand for, and how far the index goes; nil if the index is of no use.
    private func index() async throws -> (AuditIndex, reached: Int64)? {
        let isIndexed = !filter.types.isEmpty || filter.actor != nil || filter.correlation != nil
        guard isIndexed || filter.streamPrefix != nil, through - after > Self.fewest else { return nil }
        let prefix: SQL = filter.streamPrefix.map { "starts_with(name, \($0))" } ?? "false"
        let row = try await connection.query(
            """
            SELECT coalesce((
                       SELECT c.position
                       FROM ledger.checkpoint c
                       JOIN ledger.event e ON (e.position, e.event_id, e.epoch) = (c.position, c.event_id, c.epoch)
                       WHERE c.projection = 'audit-entry' AND c.version = \(Int32(AuditEntries().version))), 0),
                   ARRAY(SELECT actor_id FROM ledger.actor WHERE subject = \(filter.actor)),
                   ARRAY(SELECT type_id FROM ledger.event_type WHERE name = ANY (\(filter.types))),
                   ARRAY(SELECT stream_id FROM ledger.stream WHERE \(prefix)),
                   \(AuditIndex.bound("<", filter.from)), \(AuditIndex.bound("<=", filter.until)),
                   (SELECT last_position FROM ledger.append_batch ORDER BY last_position DESC LIMIT 1)
            """
        ).single()
        let (reached, head): (Int64, Int64) = (try row.get(0), try row.get(6))
        guard reached > after else { return nil }
        var index = AuditIndex(correlation: filter.correlation)
        if filter.actor != nil { index.actors = try row.get(1) }
        if !filter.types.isEmpty { index.types = try row.get(2) }
        if filter.streamPrefix != nil {
            let streams = try row.get(3, as: [Int64].self)
            // A prefix of very many streams is no narrower than the log.
            guard isIndexed || streams.count <= AuditIndex.mostStreams else { return nil }
            index.streams = streams
        }
        index.after = try row.get(4, as: Int64?.self) ?? 0
        index.through = min(head, try row.get(5, as: Int64?.self) ?? .max)
        return (index, reached)
    }

    private func read(_ index: AuditIndex, _ limit: Int) async throws -> [RecordedEvent] {
        guard !index.isEmpty else { return [] }
        let positions = try await connection.query(index.positions(backwards: backwards, limit: limit))
            .map { try $0.get(0, as: Int64.self) }
        guard !positions.isEmpty else { return [] }
        let chosen: SQL = "SELECT e.* FROM ledger.event e WHERE e.position = ANY (\(positions))"
        return try EventRows.read(try await connection.query(EventRows.select(chosen, order: order)))
    }

    /// Looks at each event of a range.
    private func scan(_ after: Int64, _ through: Int64, _ limit: Int) async throws -> [RecordedEvent] {
        let chosen: SQL = """
            SELECT e.*
            FROM ledger.event e
            WHERE e.position > \(after) AND e.position <= \(through)\(filter.conditions)
            ORDER BY \(order)
            LIMIT \(limit)
            """
        return try EventRows.read(try await connection.query(EventRows.select(chosen, order: order)))
    }

    private var order: SQL { backwards ? "e.position DESC" : "e.position" }
}
