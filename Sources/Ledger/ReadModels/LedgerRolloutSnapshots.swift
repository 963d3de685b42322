public import Delivery
internal import EventSourcing
public import Logging
internal import Postgres

/// Keeps snapshots of rollouts: the last ones in memory, and some of them in the database for all instances.
///
/// One row is a whole snapshot with a digest of its own: nothing that it needs can be missing, and what is damaged is
/// thrown away, told of, and made anew out of the log.
public struct LedgerRolloutSnapshots: RolloutSnapshots {
    /// One of so many versions is written.
    static let spacing: Int64 = 2 * RolloutLookup.snapshotSpacing
    /// So many measurements in a snapshot make its neighbours as rare once more, so that all of a stream's snapshots take
    /// space in proportion to its length, also while a release measures for weeks.
    private static let roomy: Int64 = 1000

    private let pool: PostgresPool
    private let logger: Logger
    private let recent = RecentReadings(most: 2000)

    /// Uses the store's pool.
    public init(_ store: PostgresEventStore, logger: Logger) {
        pool = store.pool
        self.logger = logger
    }

    /// The newest snapshot that `point` includes, if the log still has the event at which it was made, with the events
    /// that follow it, in one round trip.
    public func latest(
        of name: RolloutName, at point: PointInTime, following limit: Int
    ) async throws -> KeptReading? {
        let known = recent.latest(of: name, at: point)
        do {
            // On the connection's thread, so that no other has to be woken for the statement and for its answer.
            let rows = try await pool.onConnection { connection in
                try await connection.query(SnapshotRead(name: name, point: point, known: known, limit: limit).sql)
            }
            guard let row = rows.first else { return nil }
            let found: RolloutReading
            if let written = try WrittenSnapshot(row, of: name) {
                do { found = try written.reading() } catch {
                    await discard(written, because: error)
                    return nil
                }
                recent.put([found])
            } else if let known, try row.get(SnapshotRead.knownStands, as: Bool.self) {
                found = known
            } else {
                return nil
            }
            return KeptReading(found, following: try following(found, rows))
        } catch let error as PostgresError {
            throw EventStoreFailure(reading: error)
        }
    }

    /// The events that follow on a reading; `nil` if one is missing or too long to be read along, which is for those to
    /// deal with who read the stream.
    private func following(_ found: RolloutReading, _ rows: PostgresResult) throws -> [RecordedEvent]? {
        var (events, version): ([RecordedEvent], Int64) = ([], found.version.value)
        for row in rows where try row.get(0, as: Int64?.self) != nil {
            version += 1
            guard let event = try EventRows.read(row), event.version.value == version else { return nil }
            events.append(event)
        }
        return events
    }

    /// Keeps readings of one rollout, in place of those at their versions that another fold or another log led to.
    public func keep(_ readings: [RolloutReading]) async {
        recent.put(readings)
        let kept = readings.compactMap { reading -> WrittenSnapshot? in
            let rarity = 1 + Int64(reading.measurementCount) / Self.roomy
            guard reading.version.value.isMultiple(of: Self.spacing * rarity) else { return nil }
            return WrittenSnapshot(reading)
        }
        guard let name = readings.first?.name, !kept.isEmpty else { return }
        do {
            try await pool.query(
                """
                INSERT INTO views.rollout_snapshot AS k
                       (stream_id, version, fold, position, recorded_at, state, packed, digest)
                SELECT s.stream_id, n.version, \(RolloutSnapshot.fold), n.position, n.recorded_at, n.state, n.packed,
                       n.digest
                FROM ledger.stream s
                CROSS JOIN unnest(
                    \(kept.map(\.version.value)), \(kept.map(\.position.value)), \(kept.map(\.recordedAt)),
                    \(kept.map(\.snapshot.state)), \(kept.map(\.snapshot.packed)),
                    \(kept.map(\.digest))) n (version, position, recorded_at, state, packed, digest)
                WHERE s.name = \(name.stream.description)
                ON CONFLICT (stream_id, version) DO UPDATE
                SET fold = excluded.fold, position = excluded.position, recorded_at = excluded.recorded_at,
                    state = excluded.state, packed = excluded.packed, digest = excluded.digest
                WHERE (k.fold, k.position, k.recorded_at, k.digest)
                      IS DISTINCT FROM (excluded.fold, excluded.position, excluded.recorded_at, excluded.digest)
                """)
        } catch {
            logger.warning(
                "snapshots could not be kept", metadata: ["rollout": "\(name)", "error": "\(error)"])
        }
    }

    /// Says that a snapshot is of no use and removes it, so that the next one finds a whole one in its place.
    private func discard(_ snapshot: WrittenSnapshot, because error: any Error) async {
        logger.warning(
            "a snapshot cannot be read; the rollout is folded from its first event",
            metadata: [
                "rollout": "\(snapshot.name)", "stream.version": "\(snapshot.version)", "error": "\(error)",
            ])
        do {
            try await pool.query(
                """
                DELETE FROM views.rollout_snapshot k
                USING ledger.stream s
                WHERE s.name = \(snapshot.name.stream.description) AND k.stream_id = s.stream_id
                  AND k.version = \(snapshot.version.value) AND k.digest = \(snapshot.digest)
                """)
        } catch {
            logger.warning(
                "a snapshot that cannot be read could not be removed",
                metadata: ["rollout": "\(snapshot.name)", "error": "\(error)"])
        }
    }
}
