import EventSourcing
import Foundation
import Ledger
import Postgres

/// What the one order of all events costs: the same functions with the append lock and without it.
///
/// Without the lock the head cannot be read, so a sequence gives each call a block of positions; the log that comes of
/// it is good for nothing else. Everything else in the functions is what the ledger has.
struct OrderPrice {
    let bed: BenchBed
    let plan: BenchPlan

    private static let callers = 64
    private static let functions = ["append", "append_one"]
    private static let lock = "lock table append_lock in exclusive mode;"
    private static let head = "select b.last_position, greatest("

    func run() async throws {
        try await bed.script(
            """
            CREATE SEQUENCE ledger.bench_position CACHE 1;
            GRANT USAGE ON SEQUENCE ledger.bench_position TO rollbook_ledger;
            """)
        let ordered = try await definitions()
        let unordered = try ordered.map(Self.withoutLock)
        try await bed.withStore { store in
            let streams = try await AppendScenario.opened(store, named: "ordered")
            // Blocks begin after what is there; a call has no more events than there are callers.
            let start = Int(try await store.head().value) / Self.callers + 1
            try await bed.script("ALTER SEQUENCE ledger.bench_position RESTART WITH \(start)")
            var durations: [Duration] = []
            let comparison = try await Comparison.run("64 callers, ordered", rounds: plan.rounds) {
                try await define(unordered, store)
                return try await AppendScenario.append(Self.callers, to: streams, through: store, for: plan.duration)
                    .rate
            } measuring: {
                try await define(ordered, store)
                let measured = try await AppendScenario.append(
                    Self.callers, to: streams, through: store, for: plan.duration)
                durations += measured.durations
                // What has been appended in order stands after the blocks that were given out.
                let next = Int(try await store.head().value) / Self.callers + 1
                try await bed.script("ALTER SEQUENCE ledger.bench_position RESTART WITH \(next)")
                return measured.rate
            }
            try Figures(
                scenario: "append", what: "the price of the global order", callers: Self.callers, rate: comparison.rate,
                against: "the same functions without the append lock", baseline: comparison.baseline,
                ratio: comparison.ratio, p50_ms: Percentiles.milliseconds(durations, at: 0.5),
                p99_ms: Percentiles.milliseconds(durations, at: 0.99), settings: bed.settings
            ).say()
        }
    }

    private func definitions() async throws -> [String] {
        let connection = try await PostgresConnection.connect(bed.owner)
        var definitions: [String] = []
        for name in Self.functions {
            definitions.append(
                try await connection.query("SELECT pg_get_functiondef(\("ledger." + name)::regproc)").single().get(0))
        }
        await connection.close()
        return definitions
    }

    private func define(_ definitions: [String], _ store: PostgresEventStore) async throws {
        // Replaced as its owner: a function that is SECURITY DEFINER works with the rights of whoever owns it.
        try await bed.script("SET ROLE rollbook_ledger; " + definitions.joined(separator: ";\n"))
        try await bed.settle(store)
    }

    /// The definition without its lock.
    /// - Throws: ``BenchFailure`` if it does not have the statements that are to be replaced, each once.
    private static func withoutLock(_ definition: String) throws -> String {
        let blocks = "select nextval('ledger.bench_position') * \(callers), greatest("
        return try replacing(head, with: blocks, in: replacing(lock, with: "", in: definition))
    }

    private static func replacing(_ wanted: String, with other: String, in definition: String) throws -> String {
        let parts = definition.components(separatedBy: wanted)
        guard parts.count == 2 else {
            throw BenchFailure(
                "the function has \"\(wanted)\" \(parts.count - 1) times, not once: what was measured without the lock "
                    + "would not be what it is said to be; look at migrations/0001_ledger.sql and OrderPrice.swift")
        }
        return parts.joined(separator: other)
    }
}
