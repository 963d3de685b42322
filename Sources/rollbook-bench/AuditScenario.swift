import Delivery
import EventSourcing
import Foundation
import Ledger
import Postgres

/// The first page of 100 entries of an auditor's questions, one after the other, each about another person, rollout, time.
struct AuditScenario {
    let bed: BenchBed
    let plan: BenchPlan

    func run() async throws {
        try await bed.withStore { store in
            let head = try await store.head()
            if let audit = Rebuild("audit-entry", store: store, logger: BenchBed.logger) {
                _ = try await audit.run { _ in }
            }
            // As autovacuum has it soon after.
            for table in ["audit_entry", "audit_word"] {
                try await bed.script("VACUUM ANALYZE views.\(table)_\(try await generation(store))")
            }
            try await bed.script("CHECKPOINT")
            let known = try await Known(store, bed, head: head)
            for (what, question) in questions(known) { try await measure(what, store, head, question) }
        }
    }

    private func generation(_ store: PostgresEventStore) async throws -> Int32 {
        try await store.pool.query("SELECT generation FROM views.projection WHERE name = 'audit-entry'")
            .single().get(0)
    }

    private func measure(
        _ what: String, _ store: PostgresEventStore, _ head: GlobalPosition, _ question: (Int) -> AuditQuery
    ) async throws {
        let trail = LedgerAuditTrail(store)
        var durations: [Duration] = []
        var entries = 0
        for index in 0..<plan.questions {
            let query = question(index)
            let begun = ContinuousClock.now
            entries += try await trail.page(query).entries.count
            durations.append(ContinuousClock.now - begun)
        }
        let (p50, p99) = (Percentiles.milliseconds(durations, at: 0.5), Percentiles.milliseconds(durations, at: 0.99))
        Progress.say("  \(what): p50 \(p50 ?? 0) ms, p99 \(p99 ?? 0) ms, \(entries / plan.questions) entries a page")
        try Figures(
            scenario: "audit", what: what, p50_ms: p50, p99_ms: p99, events: Int(head.value), settings: bed.settings
        ).say()
    }

    /// What there is to be asked about.
    private struct Known {
        var head: Int64
        var start: Instant
        var streams: Int
        var types: [String]
        var releases: [Identifier]
        var events: [Identifier]

        init(_ store: PostgresEventStore, _ bed: BenchBed, head: GlobalPosition) async throws {
            self.head = head.value
            start = bed.start
            streams = try await store.pool.query("SELECT count(*) FROM ledger.stream WHERE name LIKE '%/shop-%'")
                .single().get(0)
            types = try await store.pool.query("SELECT name FROM ledger.event_type ORDER BY name")
                .map { try $0.get(0, as: String.self) }
            let some = (1...500).map { $0 * head.value / 501 + 1 }
            let rows = try await store.pool.query(
                "SELECT correlation, event_id FROM ledger.event WHERE position = ANY (\(some))")
            releases = try rows.map { Identifier(try $0.get(0)) }
            events = try rows.map { Identifier(try $0.get(1)) }
        }

        /// When the event so far into the log was recorded.
        func time(_ share: Double) -> Instant {
            BenchLife.recorded(max(1, Int64(Double(head) * share)), since: start)
        }

        func rollout(_ index: Int) -> RolloutName? {
            RolloutName(BenchFill.rollout(index * 7919 % streams))
        }
    }

    private func questions(_ known: Known) -> [(String, (Int) -> AuditQuery)] {
        /// A tenth of the log, another each time.
        func span(_ index: Int) -> (from: Instant, until: Instant) {
            let share = Double(index * 37 % 90) / 100
            return (known.time(share), known.time(share + 0.1))
        }
        func person(_ index: Int) -> String { BenchLife.person(index % BenchLife.persons).subject }
        let frequent = ["approved", "latency", "failed", "analysis", "odd"]
        return [
            ("actor", { AuditQuery(actor: person($0)) }),
            (
                "actor and time",
                { AuditQuery(actor: person($0), from: span($0).from, until: span($0).until) }
            ),
            (
                "controller and time",
                { AuditQuery(actor: BenchTale.controller.subject, from: span($0).from, until: span($0).until) }
            ),
            ("rollout", { AuditQuery(rollout: known.rollout($0)) }),
            ("namespace", { AuditQuery(streamPrefix: "rollout-default/team\($0 % 40)/") }),
            ("type", { AuditQuery(types: [known.types[$0 % known.types.count]]) }),
            (
                "type and time",
                { AuditQuery(types: [known.types[$0 % known.types.count]], until: span($0).until) }
            ),
            (
                "actor and type",
                { AuditQuery(actor: person($0), types: [known.types[$0 % known.types.count]]) }
            ),
            ("correlation", { AuditQuery(correlation: known.releases[$0 % known.releases.count]) }),
            ("event", { AuditQuery(event: known.events[$0 % known.events.count]) }),
            ("text, a frequent word", { AuditQuery(text: frequent[$0 % frequent.count]) }),
            ("text, a word of a team", { AuditQuery(text: "team\($0 % 40 < 10 ? "0" : "")\($0 % 40)") }),
            (
                "text, a rare word",
                { index in
                    let digits = String(index * 7 % 5000)
                    return AuditQuery(text: "incident-" + String(repeating: "0", count: 5 - digits.count) + digits)
                }
            ),
            ("text, two frequent words", { AuditQuery(text: "approved " + frequent[1 + $0 % 4]) }),
            ("text and rollout", { AuditQuery(rollout: known.rollout($0), text: "approved") }),
            ("text and time", { AuditQuery(text: "approved", from: span($0).from, until: span($0).until) }),
        ]
    }
}
