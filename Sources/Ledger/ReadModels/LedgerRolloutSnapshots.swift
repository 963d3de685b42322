public import Delivery
internal import EventSourcing
public import Logging
internal import Postgres
internal import Synchronization

/// Keeps snapshots of rollouts: the last ones in memory, and some of them in the database for all instances.
public struct LedgerRolloutSnapshots: RolloutSnapshots {
    /// Grows when ``Delivery/RolloutReading`` reads or keeps something else: older snapshots are then ignored.
    static let fold: Int32 = 1
    /// One of so many versions is written: to write a snapshot takes as long as to fold some twenty events.
    private static let spacing: Int64 = 100

    private let pool: PostgresPool
    private let logger: Logger
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
        let known = recent.latest(of: name, at: point)
        do {
            let row = try await pool.query(
                """
                SELECT e.version, e.position,
                       EXISTS (
                           SELECT
                           FROM ledger.event x
                           WHERE x.position = \(known?.position.value) AND x.stream_id = s.stream_id
                             AND x.version = \(known?.version.value)
                             AND x.recorded_at = \(known?.recordedAt.map { PostgresInstant($0) }))
                FROM ledger.stream s
                LEFT JOIN LATERAL (
                    SELECT i.version, i.position, i.recorded_at
                    FROM views.rollout_snapshot i
                    WHERE i.stream_id = s.stream_id AND i.fold = \(Self.fold) AND \(bound)
                    ORDER BY i.version DESC
                    LIMIT 1) k ON true
                LEFT JOIN ledger.event e ON e.position = k.position
                 AND (e.stream_id, e.version, e.recorded_at) = (s.stream_id, k.version, k.recorded_at)
                WHERE s.name = \(name.stream.description)
                """
            ).optional()
            guard let row else { return nil }
            let written = try row.get(0, as: Int64?.self)
            if let known, try row.get(2, as: Bool.self), known.version.value >= written ?? 0 { return known }
            guard let written, let position = try row.get(1, as: Int64?.self) else { return nil }
            return try await read(name, version: written, position: position)
        } catch let error as PostgresError {
            throw EventStoreFailure(reading: error)
        } catch let error as DecodingError {
            logger.warning(
                "a snapshot cannot be read; the rollout is folded from its first event",
                metadata: ["rollout": "\(name)", "error": "\(error)"])
            return nil
        }
    }

    private func read(_ name: RolloutName, version: Int64, position: Int64) async throws -> RolloutReading? {
        let row = try await pool.query(
            """
            SELECT k.state
            FROM views.rollout_snapshot k
            JOIN ledger.stream s USING (stream_id)
            WHERE s.name = \(name.stream.description) AND k.version = \(version)
              AND k.fold = \(Self.fold) AND k.position = \(position)
            """
        ).optional()
        guard let row else { return nil }
        let reading = try CanonicalJSON.read(RolloutReading.self, from: try row.get(0))
        recent.put([reading])
        return reading
    }

    /// Keeps readings of one rollout, in place of those at their versions that another fold or another log led to.
    public func keep(_ readings: [RolloutReading]) async {
        recent.put(readings)
        let kept = readings.filter { $0.version.value.isMultiple(of: Self.spacing) }
            .compactMap { reading in reading.recordedAt.map { (reading, PostgresInstant($0)) } }
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

/// Readings of the rollouts that were asked for lately.
private final class RecentReadings: Sendable {
    private struct State {
        /// By version.
        var readings: [RolloutName: [RolloutReading]] = [:]
        /// Those that came first give way first.
        var order: [RolloutName] = []
        var count = 0
    }

    private let most: Int
    private let state = Mutex(State())

    init(most: Int) { self.most = most }

    /// The newest that `point` includes, if any is kept.
    func latest(of name: RolloutName, at point: PointInTime) -> RolloutReading? {
        state.withLock { state in
            guard let readings = state.readings[name] else { return nil }
            var (low, high) = (0, readings.count)
            while low < high {
                let middle = (low + high) / 2
                if Self.includes(point, readings[middle]) { low = middle + 1 } else { high = middle }
            }
            return low > 0 ? readings[low - 1] : nil
        }
    }

    private static func includes(_ point: PointInTime, _ reading: RolloutReading) -> Bool {
        switch point {
        case .version(let version): reading.version <= version
        case .position(let position): reading.position <= position
        case .time(let instant): reading.recordedAt.map { $0 <= instant } ?? true
        }
    }

    /// Keeps readings of one rollout; the rollout that came first gives way, or every second reading of the only one.
    func put(_ readings: [RolloutReading]) {
        guard let name = readings.first?.name else { return }
        state.withLock { state in
            let before = state.readings.removeValue(forKey: name) ?? []
            let new = Set(readings.map(\.version))
            var all = (before.filter { !new.contains($0.version) } + readings).sorted { $0.version < $1.version }
            if all.count > most { all = all.enumerated().filter { $0.offset.isMultiple(of: 2) }.map(\.element) }
            state.count += all.count - before.count
            state.order.removeAll { $0 == name }
            state.order.append(name)
            state.readings[name] = all
            while state.count > most, state.order.count > 1 {
                state.count -= state.readings.removeValue(forKey: state.order.removeFirst())?.count ?? 0
            }
        }
    }
}
