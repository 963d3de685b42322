import CLibpq
import EventSourcing
import Foundation
import Postgres
import Synchronization

/// The baseline of appending: prepared single-row INSERTs through libpq, a thread and a connection for each caller.
///
/// They go into a table of the log's own shape (same columns, same keys, partitioned the same way) with a sequence for
/// the position, and no order is kept: what PostgreSQL does when nobody asks for more.
final class RawInserts: Sendable {
    private let connectionString: String

    init(_ owner: PostgresConfiguration) throws { connectionString = try owner.libpqText() }

    static let schema = """
        CREATE SCHEMA bench;
        \(BenchRows.table("bench.event"))
        CREATE SEQUENCE bench.position CACHE 1;
        """

    private static let insert = """
        INSERT INTO bench.event ("position", stream_id, version, recorded_at, occurred_at, event_id, correlation, causation,
                                 type_id, actor_id, epoch, content_hash, data, metadata)
        VALUES (nextval('bench.position'), $1, $2, clock_timestamp(), $3, $4, $5, $5, 1, 1, 1, $6, $7, $8)
        """

    /// Inserts from `callers` connections for `duration`, after a tenth of it as warm-up; answers rows a second and how
    /// long each took.
    func run(callers: Int, for duration: Duration) async throws -> (rate: Double, durations: [Duration]) {
        let connections = try (0..<callers).map { _ in try connect() }
        defer { for connection in connections { PQfinish(connection.pointer) } }
        // Two rows of each first: no server process has anything to read up, nor to plan, while it is measured.
        let lives = try connections.enumerated().map { index, connection in
            var rows = Rows(connection, stream: Int64(index + 1))
            for _ in 0..<2 {
                if let failure = rows.insert() { throw BenchFailure("the baseline failed: \(failure)") }
            }
            return rows
        }
        let tally = Tally()
        let start = ContinuousClock.now + .milliseconds(20) + duration / 10
        let end = start + duration
        await withTaskGroup(of: Void.self) { group in
            for rows in lives {
                group.addTask {
                    await withCheckedContinuation { continuation in
                        let thread = Thread {
                            tally.add(Self.insert(rows, from: start, to: end))
                            continuation.resume()
                        }
                        thread.stackSize = 256 << 10
                        thread.start()
                    }
                }
            }
        }
        let (durations, failure) = tally.sum
        if let failure { throw BenchFailure("the baseline failed: \(failure)") }
        return (Double(durations.count) / duration.seconds, durations)
    }

    /// What all connections came to.
    private final class Tally: Sendable {
        private let kept = Mutex<(durations: [Duration], failure: String?)>(([], nil))

        var sum: (durations: [Duration], failure: String?) { kept.withLock { $0 } }

        func add(_ outcome: (durations: [Duration], failure: String?)) {
            kept.withLock { kept in
                kept.durations += outcome.durations
                kept.failure = kept.failure ?? outcome.failure
            }
        }
    }

    /// `@unchecked Sendable` because one thread uses it at a time.
    private struct Raw: @unchecked Sendable { let pointer: OpaquePointer }

    private func connect() throws -> Raw {
        guard let connection = PQconnectdb(connectionString), PQstatus(connection) == CONNECTION_OK else {
            throw BenchFailure("the baseline cannot connect")
        }
        for statement in ["SET plan_cache_mode = force_generic_plan"] { PQclear(PQexec(connection, statement)) }
        let prepared = PQprepare(connection, "insert", Self.insert, 0, nil)
        defer { PQclear(prepared) }
        guard PQresultStatus(prepared) == PGRES_COMMAND_OK else {
            throw BenchFailure("the baseline cannot prepare: \(String(cString: PQerrorMessage(connection)))")
        }
        return Raw(pointer: connection)
    }

    private static func insert(
        _ rows: Rows, from start: ContinuousClock.Instant, to end: ContinuousClock.Instant
    ) -> (durations: [Duration], failure: String?) {
        var (rows, durations): (Rows, [Duration]) = (rows, [])
        while true {
            let began = ContinuousClock.now
            if began >= end { return (durations, nil) }
            if let failure = rows.insert() { return (durations, failure) }
            if began >= start { durations.append(ContinuousClock.now - began) }
        }
    }

    /// The rows of one connection, one after the other; each goes in as a transaction of its own.
    private struct Rows: Sendable {
        let raw: Raw
        let stream: Int64
        private var version = Int64.random(in: 1...(1 << 60))
        private var events: BenchEvents
        private let correlation: Identifier

        init(_ raw: Raw, stream: Int64) {
            (self.raw, self.stream) = (raw, stream)
            events = BenchEvents(seed: UInt64(bitPattern: stream))
            correlation = events.identifier()
        }

        /// What went wrong; nil if nothing did.
        mutating func insert() -> String? {
            let event = events.event(correlation: correlation)
            let occurredAt = PostgresInstant(microsecondsSinceEpoch: event.occurredAt.microseconds)
            defer { version += 1 }
            return RawInserts.execute(
                raw.pointer,
                [
                    bytes(of: stream.bigEndian), bytes(of: version.bigEndian),
                    bytes(of: occurredAt.microsecondsSince2000.bigEndian), bytes(of: event.id.uuid.uuid),
                    bytes(of: correlation.uuid.uuid), [UInt8](repeating: 7, count: 32), Array(event.data.utf8),
                    Array(event.metadata.utf8),
                ])
        }
    }

    fileprivate static func bytes<Value>(of value: Value) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }

    /// What went wrong; nil if nothing did.
    private static func execute(_ connection: OpaquePointer, _ values: [[UInt8]]) -> String? {
        let joined = values.flatMap { $0 }
        return joined.withUnsafeBytes { block in
            var offset = 0
            let pointers: [UnsafePointer<CChar>?] = values.map { value in
                defer { offset += value.count }
                return block.baseAddress.map { UnsafePointer(($0 + offset).assumingMemoryBound(to: CChar.self)) }
            }
            let result = PQexecPrepared(
                connection, "insert", Int32(values.count), pointers, values.map { Int32($0.count) },
                Array(repeating: 1, count: values.count), 1)
            defer { PQclear(result) }
            return PQresultStatus(result) == PGRES_COMMAND_OK ? nil : String(cString: PQerrorMessage(connection))
        }
    }
}
