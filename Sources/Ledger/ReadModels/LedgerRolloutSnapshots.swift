public import Delivery
internal import EventSourcing
public import Logging
internal import Postgres
internal import Synchronization

/// Keeps snapshots of rollouts in the database, for all instances.
public struct LedgerRolloutSnapshots: RolloutSnapshots {
    /// Grows when ``Delivery/RolloutReading`` reads or keeps something else: older snapshots are then ignored.
    static let fold: Int32 = 1

    private let pool: PostgresPool
    private let logger: Logger
    /// What was asked for lately, so that it need not be read from its text again.
    private let recent = RecentReadings(most: 2000)

    /// Uses the store's pool.
    public init(_ store: PostgresEventStore, logger: Logger) {
        pool = store.pool
        self.logger = logger
    }

    /// The newest snapshot that `point` includes, if the log still has the event at which it was made.
    public func latest(of name: RolloutName, at point: PointInTime) async throws -> RolloutReading? {
        let bound: SQL =
            switch point {
            case .version(let version): "i.version <= \(version.value)"
            case .position(let position): "i.position <= \(position.value)"
            case .time(let instant): "i.recorded_at <= \(PostgresInstant(instant))"
            }
        do {
            let row = try await pool.query(
                """
                SELECT k.version, k.position, k.recorded_at
                FROM ledger.stream s
                CROSS JOIN LATERAL (
                    SELECT i.version, i.position, i.recorded_at
                    FROM views.rollout_snapshot i
                    WHERE i.stream_id = s.stream_id AND i.fold = \(Self.fold) AND \(bound)
                    ORDER BY i.version DESC
                    LIMIT 1) k
                JOIN ledger.event e ON e.position = k.position
                 AND (e.stream_id, e.version, e.recorded_at) = (s.stream_id, k.version, k.recorded_at)
                WHERE s.name = \(name.stream.description)
                """
            ).optional()
            guard let row else { return nil }
            let key = RecentReadings.Key(
                name: name, version: StreamVersion(try row.get(0)), position: GlobalPosition(try row.get(1)),
                recordedAt: Instant(try row.get(2)))
            if let reading = recent[key] { return reading }
            let state = try await pool.query(
                """
                SELECT k.state
                FROM views.rollout_snapshot k
                JOIN ledger.stream s USING (stream_id)
                WHERE s.name = \(name.stream.description) AND k.version = \(key.version.value)
                  AND k.fold = \(Self.fold) AND k.position = \(key.position.value)
                """
            ).optional()
            guard let state else { return nil }
            let reading = try CanonicalJSON.read(RolloutReading.self, from: try state.get(0))
            recent.put(reading)
            return reading
        } catch let error as PostgresError {
            throw EventStoreFailure(reading: error)
        } catch let error as DecodingError {
            logger.warning(
                "a snapshot cannot be read; the rollout is folded from its first event",
                metadata: ["rollout": "\(name)", "error": "\(error)"])
            return nil
        }
    }

    /// Keeps readings, in place of those at their versions that another fold or another log led to.
    public func keep(_ readings: [RolloutReading]) async {
        for reading in readings { recent.put(reading) }
        let kept = readings.compactMap { reading in reading.recordedAt.map { (reading, PostgresInstant($0)) } }
        guard let name = kept.first?.0.name else { return }
        do {
            try await pool.query(
                """
                INSERT INTO views.rollout_snapshot AS k (stream_id, version, fold, position, recorded_at, state)
                SELECT s.stream_id, n.version, \(Self.fold), n.position, n.recorded_at, n.state
                FROM ledger.stream s
                CROSS JOIN unnest(
                    \(kept.map(\.0.version.value)), \(kept.map(\.0.position.value)), \(kept.map(\.1)),
                    \(kept.map { CanonicalJSON.text($0.0) })) n (version, position, recorded_at, state)
                WHERE s.name = \(name.stream.description)
                ON CONFLICT (stream_id, version) DO UPDATE
                SET fold = excluded.fold, position = excluded.position, recorded_at = excluded.recorded_at,
                    state = excluded.state
                WHERE (k.fold, k.position, k.recorded_at)
                      IS DISTINCT FROM (excluded.fold, excluded.position, excluded.recorded_at)
                """)
        } catch {
            logger.warning(
                "snapshots could not be kept", metadata: ["rollout": "\(name)", "error": "\(error)"])
        }
    }
}

/// Readings that were made or asked for lately; the oldest give way.
private final class RecentReadings: Sendable {
    /// What tells a reading from any other, also of another log.
    struct Key: Hashable {
        var name: RolloutName
        var version: StreamVersion
        var position: GlobalPosition
        var recordedAt: Instant
    }

    private let most: Int
    private let kept = Mutex<(readings: [Key: RolloutReading], order: [Key])>(([:], []))

    init(most: Int) { self.most = most }

    subscript(key: Key) -> RolloutReading? { kept.withLock { $0.readings[key] } }

    func put(_ reading: RolloutReading) {
        guard let recordedAt = reading.recordedAt else { return }
        let key = Key(
            name: reading.name, version: reading.version, position: reading.position, recordedAt: recordedAt)
        kept.withLock { kept in
            guard kept.readings.updateValue(reading, forKey: key) == nil else { return }
            kept.order.append(key)
            guard kept.order.count > most else { return }
            // A good many at once, since the first places of an array are dear to remove.
            for old in kept.order.prefix(most / 4) { kept.readings[old] = nil }
            kept.order.removeFirst(most / 4)
        }
    }
}
