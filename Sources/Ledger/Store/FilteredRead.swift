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

    private let filter: EventFilter
    private let after: Int64
    private let through: Int64
    private let backwards: Bool
    private let connection: Connection

    /// Reads what `read` is to read, whose filter has no times.
    init(_ read: LogRead, _ connection: Connection) {
        (filter, after, through, backwards) = (read.filter, read.after, read.through ?? .max - 1, read.backwards)
        self.connection = connection
    }

    /// What was found.
    struct Found {
        /// The events that pass, in order.
        var events: [RecordedEvent] = []
        /// Whether there are as many as were asked for, or as a page has bytes.
        var isFull = false
        /// The first position of which the index knows one that is not there.
        var missing: Int64?
    }

    /// Up to `limit` events that pass.
    func events(_ limit: Int) async throws -> Found {
        guard let (index, reached, end) = try await index() else {
            return try await scan(after, through, limit, behind: Found())
        }
        let beyond = max(after, reached)
        // A filter whose names nobody has ever used finds nothing, in the index or after it.
        if index.actors?.isEmpty ?? false || index.types?.isEmpty ?? false || index.streams?.isEmpty ?? false {
            return Found()
        }
        if backwards {
            let found = beyond < end ? try await scan(beyond, end, limit, behind: Found()) : Found()
            return found.isFull ? found : try await read(index, limit, behind: found)
        }
        let found = try await read(index, limit, behind: Found())
        return found.isFull || beyond >= end ? found : try await scan(beyond, end, limit, behind: found)
    }

    /// What the filter's names stand for, how far the index goes, and how far the log does of what is to be read; nil if
    /// the index is of no use.
    private func index() async throws -> (AuditIndex, reached: Int64, end: Int64)? {
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
                   (SELECT last_position FROM ledger.append_batch ORDER BY last_position DESC LIMIT 1)
            """
        ).single()
        let (reached, head): (Int64, Int64) = (try row.get(0), try row.get(4))
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
        let end = min(head, through)
        (index.after, index.through) = (after, min(end, reached))
        return (index, reached, end)
    }

    /// Events that the index knows, and the first position of which it knows one that is not there.
    private func read(_ index: AuditIndex, _ limit: Int, behind found: Found) async throws -> Found {
        guard !index.isEmpty else { return found }
        let positions = try await connection.query(
            index.positions(backwards: backwards, limit: limit - found.events.count)
        ).map { try $0.get(0, as: Int64.self) }
        guard !positions.isEmpty else { return found }
        let chosen: SQL = "SELECT e.* FROM ledger.event e WHERE e.position = ANY (\(positions))"
        var more = try await page(chosen, limit, behind: found)
        let known = more.events.dropFirst(found.events.count)
        // A page that has no room for more says nothing of those behind it.
        let next = more.isFull || known.count == positions.count ? nil : positions[known.count]
        more.missing = zip(positions, known).first { $0 != $1.position.value }?.0 ?? next
        return more
    }

    /// Looks at each event of a range.
    private func scan(_ after: Int64, _ through: Int64, _ limit: Int, behind found: Found) async throws -> Found {
        let chosen: SQL = """
            SELECT e.*
            FROM ledger.event e
            WHERE e.position > \(after) AND e.position <= \(through)\(filter.conditions)
            ORDER BY \(order)
            LIMIT \(limit - found.events.count)
            """
        return try await page(chosen, limit, behind: found)
    }

    /// What was found, and behind it what `chosen` gives, up to `limit` in all and as many bytes as a page has.
    private func page(_ chosen: SQL, _ limit: Int, behind found: Found) async throws -> Found {
        let page = try await EventRows.page(
            chosen, order: order, limit: limit - found.events.count,
            spent: found.events.reduce(0) { $0 + $1.event.textBytes }, connection)
        var found = found
        found.events += page.events
        found.isFull = page.isCut || found.events.count >= limit
        return found
    }

    private var order: SQL { backwards ? "e.position DESC" : "e.position" }
}
