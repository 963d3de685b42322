import EventSourcing
import Foundation
import Ledger
import Postgres

/// Fills a log with the lives of many rollouts, by COPY with all rights, so that everything but the appending itself is
/// as if they had been appended: positions, versions, batches, content hashes.
struct BenchFill {
    let bed: BenchBed
    /// Events of one rollout, at least.
    private static let lifetime = 800
    private static let events = 20_000

    /// Writes `count` events; answers when the first one was recorded.
    func run(_ count: Int) async throws -> Instant {
        let tale = try await BenchTale.told(atLeast: min(Self.lifetime, count))
        let connection = try await PostgresConnection.connect(bed.owner)
        do {
            let start = try await write(count, tale, connection)
            await connection.close()
            return start
        } catch {
            await connection.close()
            throw error
        }
    }

    private func write(
        _ count: Int, _ tale: [RecordedEvent], _ connection: PostgresConnection
    ) async throws -> Instant {
        // All of it lies in the past, and the last event an hour ago.
        let span = Int64(count / BenchLife.batch + 1) * BenchLife.microsecondsBetweenBatches
        let start = Instant(microseconds: BenchEvents.now().microseconds - span - 3_600_000_000)
        let rollouts = count / tale.count + 1
        let names = try await names(rollouts, tale, connection)
        let life = try BenchLife(tale, names, start: start)
        var next = await Self.rows(life, min(Self.events, count))
        for first in stride(from: 0, to: count, by: Self.events) {
            let end = min(first + Self.events, count)
            let (rows, later) = next
            async let following = Self.rows(later, min(Self.events, count - end))
            try await connection.copyIn(
                "COPY ledger.event (\(unsafeRaw: BenchLife.columns)) FROM STDIN (FORMAT binary)", bytes: rows)
            try await connection.query(
                """
                INSERT INTO ledger.append_batch (last_position, first_position, recorded_at, epoch)
                SELECT max(e.position), min(e.position), e.recorded_at, 1
                FROM ledger.event e
                WHERE e.position > \(first) AND e.position <= \(end)
                GROUP BY e.recorded_at
                ORDER BY 1
                """)
            try await connection.query("SELECT ledger.prepare_partitions(2)")
            if end.isMultiple(of: 50 * Self.events) { Progress.say("  \(end) of \(count) events written") }
            next = await following
        }
        try await connection.query("SELECT ledger.roll_over()")
        for table in ["event", "append_batch", "stream", "actor", "event_type"] {
            try await connection.query("VACUUM (FREEZE, ANALYZE) ledger.\(identifier: table)")
        }
        try await connection.query("CHECKPOINT")
        return start
    }

    @concurrent private static func rows(_ life: BenchLife, _ count: Int) async -> ([UInt8], BenchLife) {
        var life = life
        return (count > 0 ? life.next(count) : [], life)
    }

    private func names(
        _ rollouts: Int, _ tale: [RecordedEvent], _ connection: PostgresConnection
    ) async throws -> BenchLife.Names {
        let streams = (0..<rollouts).map { Self.rollout($0).description }
        var streamIDs: [String: Int64] = [:]
        for row in try await connection.query("SELECT name, stream_id FROM ledger.open_streams(\(streams))") {
            streamIDs[try row.get(0)] = try row.get(1)
        }
        var types: [String: Int32] = [:]
        let wanted = Set(tale.map(\.event.type)).sorted()
        for row in try await connection.query("SELECT name, type_id FROM ledger.open_types(\(wanted))") {
            types[try row.get(0)] = try row.get(1)
        }
        let actors = [BenchTale.controller] + (0..<BenchLife.persons).map(BenchLife.person)
        let actorIDs = try await connection.query(
            """
            SELECT actor_id
            FROM ledger.open_actors(
                \(actors.map(\.subject)), \(actors.map(\.issuer)), \(actors.map(\.method.rawValue)),
                \(actors.map(\.onBehalfOf)))
            ORDER BY o
            """
        ).map { try $0.get(0, as: Int32.self) }
        return BenchLife.Names(
            streams: streams.map { streamIDs[$0]! }, types: types, controller: actorIDs[0],
            persons: Array(actorIDs.dropFirst()))
    }

    /// The stream of the rollout at `index`, from 0: forty namespaces have about as many each.
    static func rollout(_ index: Int) -> StreamName {
        StreamName(category: "rollout", identity: "default/team\(index % 40)/shop-\(index + 1)")
    }
}
