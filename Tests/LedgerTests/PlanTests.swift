import Delivery
import EventSourcing
import Foundation
import Postgres
import Synchronization
import TestKit
import Testing

@testable import Ledger

/// How PostgreSQL carries out what the log is asked for, where there is enough of it that a plan matters.
@Suite(.timeLimit(.minutes(5))) struct PlanTests {
    /// Events of each kind that a page is asked for.
    private static let limit = 20

    @Test func `reads of the log and of a stream are led by an index, and look at few rows besides`() async throws {
        try await withLedger { store, owner in
            let connection = try await PostgresConnection.connect(owner)
            try await connection.script(Self.fill)
            let explained = ExplainedConnection(base: connection)
            let release = try await store.readAll(
                after: GlobalPosition(9_999), before: nil, filter: EventFilter(), backwards: false, limit: 1
            ).events[0]
            for (filter, index) in [
                (EventFilter(types: ["bulk.rare.v1"]), "audit_entry_1_type"),
                (EventFilter(types: ["bulk.common.v1", "bulk.rare.v1"]), "audit_entry_1_type"),
                (EventFilter(actor: "clerk-7"), "audit_entry_1_actor"),
                (EventFilter(streamPrefix: "bulk-s7"), "audit_entry_1_stream"),
                (EventFilter(correlation: release.event.correlation), "audit_entry_1_correlation"),
                (EventFilter(types: ["bulk.rare.v1"], streamPrefix: "bulk-s25"), "audit_entry_1_stream"),
                (EventFilter(from: release.recordedAt), "append_batch_recorded_at"),
                (EventFilter(actor: "clerk-7", until: release.recordedAt), "append_batch_recorded_at"),
                (EventFilter(), "using event_0"),
            ] {
                for backwards in [false, true] {
                    let read = LogRead(
                        filter: filter, after: 0, through: 20_000, backwards: backwards, limit: Self.limit)
                    let found = try await read.page(explained).events
                    #expect(!found.isEmpty && found.allSatisfy(filter.matches), "\(filter)")
                    let plans = explained.take()
                    #expect(plans.joined().contains(index), "\(filter): \(plans)")
                    Self.check(plans, "\(filter), backwards \(backwards)")
                }
            }
            for (backwards, after, through) in [
                (true, 0, nil), (true, 0, 5000), (false, 5000, nil), (false, 0, 5000),
            ] as [(Bool, Int64, Int64?)] {
                let read = StreamRead(
                    SampleEvents.stream("bulk-long"), after: StreamVersion(after),
                    through: through.map { StreamVersion($0) }, backwards: backwards, limit: Self.limit)
                #expect(try await read.there(explained).events.count == Self.limit)
                let plans = explained.take()
                #expect(plans.contains { $0.contains("Index Scan \(backwards ? "Backward " : "")using event_") })
                Self.check(plans, "a stream, backwards \(backwards), after \(after)")
            }
            for backwards in [false, true] {
                var index = AuditIndex(words: ["sometimes", "often"], through: 20_000)
                index.isOfFrequentWords = true
                let sql = index.positions(backwards: backwards, limit: Self.limit)
                let found = try await explained.query(sql, index.options).map { try $0.get(0, as: Int.self) }
                let both = Array(stride(from: 15, through: 20_000, by: 15))
                #expect(found == Array((backwards ? both.reversed() : both).prefix(Self.limit)))
                Self.check(explained.take(), "two words, backwards \(backwards)")
            }
            let found = try await LedgerProver.position(of: release.event.id, explained)
            #expect(found == release.position)
            let plans = explained.take()
            #expect(plans.count == 1 && plans[0].contains("audit_entry_1_event"), "\(plans)")
            Self.check(plans, "the position of an event")
            await connection.close()
        }
    }

    /// Demands that no plan goes through a table, and that few rows of the log and its index are looked at.
    private static func check(_ plans: [String], _ question: String) {
        for plan in plans {
            var looked = 0
            var isLooking = false
            for line in plan.split(separator: "\n") {
                if line.contains("->") || line.contains("Scan") {
                    isLooking = ["event_0", "audit_entry_1", "audit_word_1", "append_batch"].contains {
                        line.contains($0)
                    }
                }
                guard isLooking else { continue }
                #expect(!line.contains("Seq Scan"), "\(question): \(plan)")
                let numbers = line.replacing("(", with: " ").replacing(")", with: " ").split(separator: " ")
                let (rows, loops) = (number(numbers, "rows="), number(numbers, "loops="))
                looked += (rows ?? 0) * (loops ?? 1)
                if line.contains("Rows Removed by Filter: ") { looked += Int(numbers.last ?? "") ?? 0 }
            }
            #expect(looked <= 40 * limit, "\(question): \(looked) rows in \(plan)")
        }
    }

    private static func number(_ words: [Substring], _ name: String) -> Int? {
        words.last { $0.hasPrefix(name) }.flatMap { Int($0.dropFirst(name.count)) }
    }

    /// 20,000 events in partitions of 2,500: every other one of one long stream, the rest of hundreds, each appended alone;
    /// and the index of them all.
    private static let fill = """
        \(partitions(of: 2500, ahead: 8))
        INSERT INTO ledger.stream (name) VALUES ('bulk-long');
        INSERT INTO ledger.stream (name) SELECT 'bulk-s' || n FROM generate_series(1, 499) n;
        INSERT INTO ledger.event_type (name) VALUES ('bulk.common.v1'), ('bulk.other.v1'), ('bulk.rare.v1');
        INSERT INTO ledger.actor (subject, issuer, method)
        SELECT 'clerk-' || n, 'tests', 'token' FROM generate_series(1, 100) n;
        INSERT INTO ledger.event (position, stream_id, version, recorded_at, occurred_at, event_id, correlation,
                                  type_id, actor_id, epoch, content_hash, data, metadata)
        SELECT n, s.stream_id, CASE WHEN n % 2 = 0 THEN n / 2 ELSE 1 + n / 2 / 499 END,
               timestamptz '2026-01-01 00:00:00+00' + n * interval '1 second',
               timestamptz '2026-01-01 00:00:00+00' + n * interval '1 second', gen_random_uuid(),
               md5((n / 20)::text)::uuid, t.type_id, a.actor_id, 1, sha256('x'), '{"n":' || n || '}', '{}'
        FROM generate_series(1, 20000) n
        JOIN ledger.stream s ON s.name = CASE WHEN n % 2 = 0 THEN 'bulk-long' ELSE 'bulk-s' || 1 + n / 2 % 499 END
        JOIN ledger.event_type t
          ON t.name = CASE WHEN n % 499 = 0 THEN 'bulk.rare.v1' WHEN n % 3 = 0 THEN 'bulk.common.v1'
                           ELSE 'bulk.other.v1' END
        JOIN ledger.actor a ON a.subject = 'clerk-' || 1 + n % 97;
        INSERT INTO ledger.append_batch
        SELECT n, n, timestamptz '2026-01-01 00:00:00+00' + n * interval '1 second', 1
        FROM generate_series(1, 20000) n;
        RESET ROLE;
        INSERT INTO views.audit_entry_1
        SELECT e.position, e.recorded_at, e.stream_id, e.event_id, e.correlation, e.type_id, e.actor_id, NULL
        FROM ledger.event e;
        INSERT INTO views.audit_word_1
        SELECT 'often', n FROM generate_series(3, 20000, 3) n
        UNION ALL SELECT 'sometimes', n FROM generate_series(5, 20000, 5) n;
        INSERT INTO ledger.checkpoint
        SELECT 'audit-entry', \(AuditEntries().version), e.position, e.event_id, e.epoch
        FROM ledger.event e
        WHERE e.position = 20000;
        ANALYZE
        """
}

/// A connection that keeps how each of its queries was carried out.
private final class ExplainedConnection: PostgresQueryable {
    private let base: PostgresConnection
    private let plans = Mutex<[String]>([])

    init(base: PostgresConnection) { self.base = base }

    /// The plans since the last time.
    func take() -> [String] {
        plans.withLock { plans in
            defer { plans = [] }
            return plans
        }
    }

    func query(_ sql: SQL, _ options: StatementOptions) async throws -> PostgresResult {
        let lines = try await base.query(
            "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) " + sql, options
        ).map { try $0.get(0, as: String.self) }
        plans.withLock { $0.append(lines.joined(separator: "\n")) }
        return try await base.query(sql, options)
    }
}
