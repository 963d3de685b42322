public import Delivery
internal import EventSourcing
internal import Foundation
internal import Postgres

/// Answers auditors from the index that the projection `audit-entry` keeps.
///
/// Every question is led by one ordered index, whose newest end is read: by event, word, release, stream, actor or type;
/// what else is asked is looked at row by row.
public struct LedgerAuditTrail: AuditTrail {
    private let pool: PostgresPool
    /// Streams of a prefix that are read one by one; with more of them the newest entries are looked through.
    private static let mostStreams = 200
    /// Entries from which on a word counts as frequent.
    private static let frequent = 5000

    /// Reads over the store's pool.
    public init(_ store: PostgresEventStore) { pool = store.pool }

    /// The newest entries that `query` asks for.
    public func page(_ query: AuditQuery) async throws -> AuditPage {
        do {
            let ids = try await Ids.look(up: query, pool)
            if let text = query.text, ids.words?.isEmpty ?? true { throw AuditQuery.NoWord(text: text) }
            guard !ids.findNothing else { return AuditPage(entries: [], position: ids.position, next: nil) }
            let limit = max(1, query.limit)
            var entries = try await entries(query, ids, limit: limit + 1)
            let isMore = entries.count > limit
            entries = Array(entries.prefix(limit))
            try await complete(&entries)
            return AuditPage(entries: entries, position: ids.position, next: isMore ? entries.last?.position : nil)
        } catch let error as PostgresError {
            throw EventStoreFailure(reading: error)
        }
    }

    /// What the names in a query stand for in the index; `nil`: not asked for.
    private struct Ids {
        var position = GlobalPosition.start
        var actors: [Int32]?
        var types: [Int32]?
        var streams: [Int64]?
        /// The rarest first.
        var words: [String]?
        var isFrequent = false
        var after: Int64 = 0
        var through: Int64 = 0

        var findNothing: Bool {
            actors?.isEmpty ?? false || types?.isEmpty ?? false || streams?.isEmpty ?? false || after >= through
        }

        static func look(up query: AuditQuery, _ pool: PostgresPool) async throws -> Ids {
            let streams: SQL =
                if let rollout = query.rollout {
                    "name = \(rollout.stream.description)"
                } else if let prefix = query.streamPrefix { "starts_with(name, \(prefix))" } else { "false" }
            let row = try await pool.query(
                """
                SELECT coalesce((SELECT position FROM ledger.checkpoint WHERE projection = 'audit-entry'), 0),
                       ARRAY(SELECT actor_id FROM ledger.actor WHERE subject = \(query.actor)),
                       ARRAY(SELECT type_id FROM ledger.event_type WHERE name = ANY (\(query.types))),
                       ARRAY(SELECT stream_id FROM ledger.stream WHERE \(streams)),
                       tsvector_to_array(to_tsvector('pg_catalog.simple', coalesce(\(query.text), ''))),
                       \(bound("<", query.from)), \(bound("<=", query.until))
                """
            ).single()
            var ids = Ids()
            ids.position = GlobalPosition(try row.get(0))
            if query.actor != nil { ids.actors = try row.get(1) }
            if !query.types.isEmpty { ids.types = try row.get(2) }
            if query.rollout != nil || query.streamPrefix != nil { ids.streams = try row.get(3) }
            ids.after = try row.get(5, as: Int64?.self) ?? 0
            ids.through = min(
                ids.position.value, try row.get(6, as: Int64?.self) ?? .max, (query.before?.value ?? .max) - 1)
            if query.text != nil { try await ids.rank(try row.get(4), pool) }
            return ids
        }

        /// Recorded time never falls, so a bound in time is a bound in position.
        private static func bound(_ comparison: SQL, _ instant: Instant?) -> SQL {
            guard let instant else { return "NULL::int8" }
            return """
                coalesce((
                    SELECT b.last_position
                    FROM ledger.append_batch b
                    WHERE b.recorded_at \(comparison) \(PostgresInstant(instant))
                    ORDER BY b.recorded_at DESC, b.last_position DESC
                    LIMIT 1), 0)
                """
        }

        private mutating func rank(_ words: [String], _ pool: PostgresPool) async throws {
            let rows = try await pool.query(
                """
                SELECT t.word, n.count
                FROM unnest(\(words)) t (word)
                CROSS JOIN LATERAL (
                    SELECT count(*)
                    FROM (SELECT FROM views.audit_word w WHERE w.word = t.word LIMIT \(LedgerAuditTrail.frequent)) w
                ) n
                ORDER BY n.count, t.word
                """)
            self.words = try rows.map { try $0.get(0) }
            isFrequent = try (rows.first?.get(1, as: Int.self) ?? 0) >= LedgerAuditTrail.frequent
        }
    }

    private func entries(_ query: AuditQuery, _ ids: Ids, limit: Int) async throws -> [AuditEntry] {
        let rows = try await pool.query(
            """
            SELECT x.position, x.recorded_at, s.name, x.event_id, t.name, a.subject, a.issuer, a.method, a.on_behalf_of,
                   x.correlation, x.reason
            FROM (\(newest(query, ids, limit))) x
            JOIN ledger.stream s USING (stream_id)
            JOIN ledger.event_type t USING (type_id)
            JOIN ledger.actor a USING (actor_id)
            ORDER BY x.position DESC
            """)
        return try rows.map { row in
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

    /// The newest rows of the index that fulfil the query.
    private func newest(_ query: AuditQuery, _ ids: Ids, _ limit: Int) -> SQL {
        let bounds: SQL = "e.position > \(ids.after) AND e.position <= \(ids.through)"
        var filter = bounds
        if let event = query.event { filter = filter + " AND e.event_id = \(event.uuid)" }
        if let correlation = query.correlation { filter = filter + " AND e.correlation = \(correlation.uuid)" }
        if let streams = ids.streams { filter = filter + " AND e.stream_id = ANY (\(streams))" }
        if let actors = ids.actors { filter = filter + " AND e.actor_id = ANY (\(actors))" }
        if let types = ids.types { filter = filter + " AND e.type_id = ANY (\(types))" }
        let isNarrow = query.event != nil || query.correlation != nil || query.rollout != nil
        if let words = ids.words, !(ids.isFrequent && isNarrow) {
            var all: SQL = "w.word = \(words[0]) AND w.position > \(ids.after) AND w.position <= \(ids.through)"
            for word in words.dropFirst() { all = all + " AND \(Self.has(word, at: "w.position"))" }
            return """
                SELECT e.*
                FROM views.audit_word w
                JOIN views.audit_entry e ON e.position = w.position
                WHERE \(all) AND \(filter)
                ORDER BY w.position DESC
                LIMIT \(limit)
                """
        }
        for word in ids.words ?? [] { filter = filter + " AND \(Self.has(word, at: "e.position"))" }
        if query.event != nil || query.correlation != nil { return last(filter, limit) }
        if let streams = ids.streams, streams.count <= Self.mostStreams {
            return last(filter, limit, ofEach: "stream_id", in: "\(streams)")
        }
        if ids.streams != nil { return last(filter, limit) }
        if let actors = ids.actors { return last(filter, limit, ofEach: "actor_id", in: "\(actors)") }
        if let types = ids.types { return last(filter, limit, ofEach: "type_id", in: "\(types)") }
        return last(filter, limit)
    }

    private static func has(_ word: String, at position: SQL) -> SQL {
        "EXISTS (SELECT FROM views.audit_word o WHERE o.word = \(word) AND o.position = \(position))"
    }

    private func last(_ filter: SQL, _ limit: Int) -> SQL {
        "SELECT e.* FROM views.audit_entry e WHERE \(filter) ORDER BY e.position DESC LIMIT \(limit)"
    }

    /// The newest of each key, merged: an index in the order of positions has one end for each key.
    private func last(_ filter: SQL, _ limit: Int, ofEach column: SQL, in keys: SQL) -> SQL {
        """
        SELECT n.*
        FROM unnest(\(keys)) k (id)
        CROSS JOIN LATERAL (
            SELECT e.*
            FROM views.audit_entry e
            WHERE e.\(column) = k.id AND \(filter)
            ORDER BY e.position DESC
            LIMIT \(limit)) n
        ORDER BY n.position DESC
        LIMIT \(limit)
        """
    }

    /// Adds what the events themselves say.
    private func complete(_ entries: inout [AuditEntry]) async throws {
        let rows = try await pool.query(
            """
            SELECT e.position, e.occurred_at, e.version, e.causation, e.data
            FROM ledger.event e
            WHERE e.position = ANY (\(entries.map(\.position.value)))
            """)
        let places = Dictionary(uniqueKeysWithValues: entries.enumerated().map { ($1.position.value, $0) })
        for row in rows {
            guard let place = places[try row.get(0)] else { continue }
            entries[place].complete(
                at: Instant(try row.get(1)), version: StreamVersion(try row.get(2)),
                causation: (try row.get(3, as: UUID?.self)).map { Identifier($0) }, data: try row.get(4))
        }
    }
}
