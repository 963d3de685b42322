import EventSourcing
import Foundation
import Ledger
import Postgres
import Synchronization

/// Appends of one event each by N callers to 1,000 streams, expected versions on, acknowledged when durable; against as
/// many connections that insert single rows, and against COPY of such rows, all in one transaction.
struct AppendScenario {
    let bed: BenchBed
    let plan: BenchPlan

    private static let streams = 1000
    private static let copied = "bench.copied"

    func run() async throws {
        try await bed.script(RawInserts.schema)
        try await bed.script(BenchRows.table(Self.copied))
        let raw = try RawInserts(bed.owner)
        let rows = BenchRows(round: 1, count: plan.rowsCopied, streams: Self.streams)
        try await bed.withStore { store in
            let streams = try await Self.opened(store)
            for callers in plan.callers { try await measure(callers, raw, rows, store, streams) }
        }
        try await bed.script("DROP SCHEMA bench CASCADE")
        try await HalfLoad(bed: bed, plan: plan).run()
        try await OrderPrice(bed: bed, plan: plan).run()
    }

    private func measure(
        _ callers: Int, _ raw: RawInserts, _ rows: BenchRows, _ store: PostgresEventStore, _ streams: [BenchStream]
    ) async throws {
        var durations: [Duration] = []
        var copies: [Double] = []
        var peak = 0.0
        let comparison = try await Comparison.run("\(callers) callers", rounds: plan.rounds) {
            try await bed.script("TRUNCATE \(Self.copied); CHECKPOINT")
            copies.append(try await rows.copied(into: Self.copied, bed.owner))
            try await bed.script("CHECKPOINT")
            return try await raw.run(callers: callers, for: plan.duration).rate
        } measuring: {
            try await bed.settle(store)
            try ResidentMemory.resetPeak()
            let measured = try await Self.append(callers, to: streams, through: store, for: plan.duration)
            peak = max(peak, try ResidentMemory.peak())
            durations += measured.durations
            return measured.rate
        }
        let bytes = try await bed.number(
            """
            SELECT (sum(pg_total_relation_size(format('ledger.%I', table_name)::regclass))
                    / (SELECT max(last_position) FROM ledger.append_batch))::float8
            FROM ledger.event_partition
            """)
        for (against, compared) in [
            ("single-row prepared INSERT on as many connections", comparison),
            ("COPY of such rows on one connection", comparison.against(copies)),
        ] {
            try Figures(
                scenario: "append", callers: callers, rate: compared.rate, against: against,
                baseline: compared.baseline, ratio: compared.ratio,
                p50_ms: Percentiles.milliseconds(durations, at: 0.5),
                p99_ms: Percentiles.milliseconds(durations, at: 0.99), bytes_per_row: bytes.rounded(), peak_mib: peak,
                settings: bed.settings
            ).say()
        }
    }

    /// Streams with one event each, and their versions.
    static func opened(_ store: PostgresEventStore, named name: String = "service") async throws -> [BenchStream] {
        try await withThrowingTaskGroup(of: BenchStream.self) { group in
            for index in 0..<streams {
                group.addTask {
                    let stream = BenchStream(index, named: name)
                    try await stream.append(through: store)
                    return stream
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    /// Appends from `callers` tasks for `duration`, after a tenth of it as warm-up.
    static func append(
        _ callers: Int, to streams: [BenchStream], through store: PostgresEventStore, for duration: Duration
    ) async throws -> (rate: Double, durations: [Duration]) {
        let start = ContinuousClock.now + duration / 10
        let end = start + duration
        let durations = try await withThrowingTaskGroup(of: [Duration].self) { group in
            for caller in 0..<callers {
                group.addTask {
                    let own = stride(from: caller, to: streams.count, by: callers).map { streams[$0] }
                    var durations: [Duration] = []
                    var turn = 0
                    while true {
                        let began = ContinuousClock.now
                        if began >= end { return durations }
                        try await own[turn % own.count].append(through: store)
                        turn += 1
                        if began >= start { durations.append(ContinuousClock.now - began) }
                    }
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        return (Double(durations.count) / duration.seconds, durations)
    }
}

/// A stream and its version, used by one caller at a time.
final class BenchStream: Sendable {
    private struct State {
        var version = StreamVersion.none
        var events: BenchEvents
        let correlation: Identifier
    }

    let name: StreamName
    private let state: Mutex<State>

    init(_ index: Int, named prefix: String) {
        name = StreamName(category: "rollout", identity: "bench/default/\(prefix)-\(index)")
        var events = BenchEvents(seed: UInt64(index) &* 7919)
        let correlation = events.identifier()
        state = Mutex(State(events: events, correlation: correlation))
    }

    /// Appends one event after the version that is known.
    func append(through store: PostgresEventStore) async throws {
        let append = state.withLock { state in
            Append(
                stream: name, expecting: .exactly(state.version),
                events: [state.events.event(correlation: state.correlation)])
        }
        let appended = try await store.append(append)
        state.withLock { $0.version = appended.version }
    }
}
