internal import Delivery
internal import EventSourcing
internal import Postgres

/// One look for a rollout's newest snapshot and the events that follow it: one statement, so both are of one moment.
///
/// Rows begin with the columns of an event, all NULL where none follows; the columns of the snapshot come after them, its
/// contents in the first row alone.
struct SnapshotRead {
    let name: RolloutName
    let point: PointInTime
    /// The newest reading at hand, which a snapshot in the database must be newer than.
    let known: RolloutReading?
    /// Events that are read along, at the most.
    let limit: Int

    /// The column that says whether the log still has the event at which `known` was made.
    static let knownStands = 16
    /// The first column of the written snapshot: version, position, time, JSON, packed part, digest.
    static let written = 17

    /// The statement; `OFFSET 0` has what stands asked once and not wherever it is looked at.
    var sql: SQL {
        let known = known?.version.value
        return """
            SELECT e.*, v.stands, k.version, k.position, k.recorded_at, f.state, f.packed, f.digest
            FROM ledger.stream s
            CROSS JOIN LATERAL (
                SELECT EXISTS (
                    SELECT
                    FROM ledger.event x
                    WHERE x.position = \(self.known?.position.value) AND x.stream_id = s.stream_id
                      AND x.version = \(known) AND x.recorded_at = \(self.known?.recordedAt.map(PostgresInstant.init)))
                OFFSET 0) v (stands)
            LEFT JOIN LATERAL (
                SELECT i.*
                FROM (\(newest)) n
                JOIN views.rollout_snapshot i ON (i.stream_id, i.version) = (s.stream_id, n.version)
                JOIN ledger.event x ON x.position = i.position
                 AND (x.stream_id, x.version, x.recorded_at) = (s.stream_id, i.version, i.recorded_at)
                WHERE NOT v.stands OR i.version > \(known)) k ON true
            LEFT JOIN LATERAL (\(events)) e
                      (position, epoch, stream, version, recorded_at, event_id, type, occurred_at, subject, issuer, method,
                       on_behalf_of, causation, correlation, data, metadata) ON true
            LEFT JOIN LATERAL (
                SELECT k.state, k.packed, k.digest
                WHERE e.version IS NULL OR e.version = k.version + 1) f ON true
            WHERE s.name = \(name.stream.description)
            ORDER BY e.version
            """
    }

    /// The newest written snapshot of the stream that the point includes; found in the index alone.
    private var newest: SQL {
        let bound: SQL =
            switch point {
            case .version(let version): "i.version <= \(version.value)"
            case .position(let position): "i.position <= \(position.value)"
            case .time(let instant): "i.recorded_at <= \(PostgresInstant(instant))"
            }
        return """
            SELECT i.version
            FROM views.rollout_snapshot i
            WHERE i.stream_id = s.stream_id AND i.fold = \(RolloutSnapshot.fold) AND \(bound)
            ORDER BY i.version DESC
            LIMIT 1
            """
    }

    /// Those of ``following`` as rows; without the texts of one that is so long that not all of them may fit into a page.
    private var events: SQL {
        let small = Int32(LogPage.mostBytes) / Int32(clamping: max(1, limit))
        return EventRows.select(
            following, isNamed: false, order: "e.version", texts: EventRows.texts(upTo: small))
    }

    /// Events behind the snapshot, or behind what is at hand.
    private var following: SQL {
        let end: SQL = if case .version(let version) = point { "AND e.version <= \(version.value)" } else { "" }
        return """
            SELECT e.*
            FROM ledger.event e
            WHERE e.stream_id = s.stream_id
              AND e.version > coalesce(k.version, CASE WHEN v.stands THEN \(known?.version.value) END) \(end)
            ORDER BY e.version
            LIMIT \(limit)
            """
    }
}
