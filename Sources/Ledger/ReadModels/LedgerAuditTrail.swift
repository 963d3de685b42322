public import Delivery
internal import EventSourcing
internal import Postgres

/// Answers auditors: finds positions in the index that the projection `audit-entry` keeps, and takes what the entries say
/// from the log itself.
public struct LedgerAuditTrail: AuditTrail {
    private let pool: PostgresPool
    /// Entries from which on a word counts as frequent.
    private static let frequent = 5000

    /// Reads over the store's pool.
    public init(_ store: PostgresEventStore) { pool = store.pool }

    /// The newest entries that `query` asks for.
    public func page(_ query: AuditQuery) async throws -> AuditPage {
        do {
            let (index, reached) = try await index(of: query)
            if let text = query.text, index.words?.isEmpty ?? true { throw AuditQuery.NoWord(text: text) }
            guard !index.isEmpty else { return AuditPage(entries: [], position: reached, next: nil) }
            let limit = max(1, query.limit)
            var positions = try await pool.query(
                index.positions(backwards: true, limit: limit + 1), index.options
            ).map { try $0.get(0, as: Int64.self) }
            let isMore = positions.count > limit
            positions = Array(positions.prefix(limit))
            let entries = try await AuditDetails(pool: pool).entries(at: positions)
            return AuditPage(
                entries: entries, position: reached, next: isMore ? positions.last.map { GlobalPosition($0) } : nil)
        } catch let error as PostgresError {
            throw EventStoreFailure(reading: error)
        }
    }

    /// What the names in a query stand for in the index, and how far the index goes.
    private func index(of query: AuditQuery) async throws -> (AuditIndex, GlobalPosition) {
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
                   \(AuditIndex.bound("<", query.from)), \(AuditIndex.bound("<=", query.until))
            """
        ).single()
        let reached = GlobalPosition(try row.get(0))
        var index = AuditIndex(correlation: query.correlation, event: query.event)
        if query.actor != nil { index.actors = try row.get(1) }
        if !query.types.isEmpty { index.types = try row.get(2) }
        if query.rollout != nil || query.streamPrefix != nil { index.streams = try row.get(3) }
        index.after = try row.get(5, as: Int64?.self) ?? 0
        index.through = min(
            reached.value, try row.get(6, as: Int64?.self) ?? .max, (query.before?.value ?? .max) - 1)
        if query.text != nil {
            let words: [String] = try row.get(4)
            let isNarrow = query.event != nil || query.correlation != nil || query.rollout != nil
            index.words = words
            if words.count > 1 || isNarrow {
                let ranked = try await Self.rarestFirst(words, pool)
                index.words = ranked.map(\.word)
                index.isOfFrequentWords = ranked.count > 1 && ranked.allSatisfy { $0.count == Self.frequent }
                index.isLedByWord = !isNarrow || (ranked.first?.count ?? 0) < Self.frequent
            }
        }
        return (index, reached)
    }

    /// The words, the rarest first, and how many entries have each, as far as they are counted.
    ///
    /// Of frequent ones the rarer is the one whose last entries go back further.
    static func rarestFirst(
        _ words: [String], _ connection: some PostgresQueryable
    ) async throws -> [(word: String, count: Int)] {
        try await connection.query(
            """
            SELECT t.word, n.count
            FROM unnest(\(words)) t (word)
            CROSS JOIN LATERAL (
                SELECT count(*), min(w.position) AS oldest
                FROM (
                    SELECT w.position
                    FROM views.audit_word w
                    WHERE w.word = t.word
                    ORDER BY w.position DESC
                    LIMIT \(frequent)) w
            ) n
            ORDER BY n.count, n.oldest, t.word
            """
        ).map { (try $0.get(0), try $0.get(1)) }
    }
}
