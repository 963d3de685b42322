import EventSourcing
import Foundation
import Postgres

/// Finds positions of the log by who, what, where and why, in the tables that the projection `audit-entry` keeps.
///
/// Every question is led by one ordered index, whose end is read: by event, word, correlation, stream, actor or type; where
/// that index can tell, it alone is read. What else is asked is looked at row by row.
struct AuditIndex {
    /// Streams that are read one by one; with more of them entries are looked through in the order of the log.
    static let mostStreams = 200

    /// What is asked; `nil`: not asked for.
    var actors: [Int32]?
    var types: [Int32]?
    var streams: [Int64]?
    var correlation: Identifier?
    var event: Identifier?
    /// All of them, the rarest first.
    var words: [String]?
    /// Whether the rarest word leads; a frequent one does not where something else is narrow.
    var isLedByWord = true
    /// Whether there are several words and all are frequent.
    ///
    /// How many entries have each decides then whether one word's entries are looked up in the other's, or both are gone
    /// through side by side. A plan for any words does not know that: it is made anew for these.
    var isOfFrequentWords = false
    /// Positions above this.
    var after: Int64 = 0
    /// And up to this one.
    var through: Int64 = 0

    /// Whether nothing can be found.
    var isEmpty: Bool {
        actors?.isEmpty ?? false || types?.isEmpty ?? false || streams?.isEmpty ?? false || after >= through
    }

    /// How the statement of ``positions(backwards:limit:)`` is sent: with a plan of its own where the words decide.
    var options: StatementOptions { StatementOptions(isPrepared: !(isLedByWord && isOfFrequentWords)) }

    /// The statement for the first positions in the log's order, or the last ones with the newest first.
    func positions(backwards: Bool, limit: Int) -> SQL {
        let order: SQL = backwards ? "DESC" : "ASC"
        if let words, isLedByWord {
            var all: SQL = "w.word = \(words[0]) AND w.position > \(after) AND w.position <= \(through)"
            for word in words.dropFirst() { all = all + " AND \(Self.has(word, at: "w.position"))" }
            let others = conditions(besides: nil, words: [])
            let join: SQL = others.isEmpty ? "" : "JOIN views.audit_entry e ON e.position = w.position"
            return """
                SELECT w.position
                FROM views.audit_word w
                \(join)
                WHERE \(all)\(Self.and(others))
                ORDER BY w.position \(order)
                LIMIT \(limit)
                """
        }
        if event == nil, correlation == nil {
            if let streams, streams.count <= Self.mostStreams {
                return ends("stream_id", of: "\(streams)", order, limit)
            }
            if streams == nil, let actors { return ends("actor_id", of: "\(actors)", order, limit) }
            if streams == nil, let types { return ends("type_id", of: "\(types)", order, limit) }
        }
        return """
            SELECT e.position
            FROM views.audit_entry e
            WHERE \(bounds)\(Self.and(conditions(besides: nil, words: words ?? [])))
            ORDER BY e.position \(order)
            LIMIT \(limit)
            """
    }

    /// The end of each key, merged: an index in the order of positions has one for each key.
    ///
    /// Each key is looked for by itself: that it is one of the keys need not be asked again of every row.
    /// Compared as rows, key and position leave the planner no other way: it would go through the log where it takes a rare
    /// key for a usual one.
    private func ends(_ column: SQL, of keys: SQL, _ order: SQL, _ limit: Int) -> SQL {
        """
        SELECT n.position
        FROM unnest(\(keys)) k (id)
        CROSS JOIN LATERAL (
            SELECT e.position
            FROM views.audit_entry e
            WHERE (e.\(column), e.position) > (k.id, \(after)) AND (e.\(column), e.position) <= (k.id, \(through))
                  \(Self.and(conditions(besides: column, words: words ?? [])))
            ORDER BY e.\(column) \(order), e.position \(order)
            LIMIT \(limit)) n
        ORDER BY n.position \(order)
        LIMIT \(limit)
        """
    }

    /// What an entry must fulfil besides its place and the column that leads.
    private func conditions(besides column: SQL?, words: [String]) -> [SQL] {
        var all: [SQL] = []
        if let event { all.append("e.event_id = \(event.uuid)") }
        if let correlation { all.append("e.correlation = \(correlation.uuid)") }
        if let streams, column != "stream_id" { all.append("e.stream_id = ANY (\(streams))") }
        if let actors, column != "actor_id" { all.append("e.actor_id = ANY (\(actors))") }
        if let types, column != "type_id" { all.append("e.type_id = ANY (\(types))") }
        return all + words.map { Self.has($0, at: "e.position") }
    }

    private var bounds: SQL { "e.position > \(after) AND e.position <= \(through)" }

    private static func has(_ word: String, at position: SQL) -> SQL {
        "EXISTS (SELECT FROM views.audit_word o WHERE o.word = \(word) AND o.position = \(position))"
    }

    private static func and(_ conditions: [SQL]) -> SQL { conditions.reduce("") { $0 + " AND " + $1 } }

    /// Recorded time never falls, so a bound in time is a bound in position: of the last event recorded before (`<`) or
    /// until (`<=`) the instant; NULL without one.
    static func bound(_ comparison: SQL, _ instant: Instant?) -> SQL {
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
}
