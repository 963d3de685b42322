import Delivery
import EventSourcing
import Foundation
import Ledger
import Postgres
import TestKit
import Testing

/// Filtered reads of the log give the same events whether or not the audit index goes so far.
@Suite(.timeLimit(.minutes(5))) struct FilteredReadTests {
    @Test func `a filter finds the same through the index, after it, and across its end`() async throws {
        try await withLedger { store, owner in
            for name in ["one", "two"] { try await RolloutTales.tell(name, store) }
            // So many that the index is worth a look.
            try await Self.fill(1200, owner)
            for projector in Projector.all(store: store, logger: silent) { try await projector.catchUp() }
            for name in ["three", "four"] { try await RolloutTales.tell(name, store) }
            try await check(store)
            for projector in Projector.all(store: store, logger: silent) { try await projector.catchUp() }
            try await check(store)
        }
    }

    @Test func `an index of another log is not believed`() async throws {
        try await withLedger { store, owner in
            try await RolloutTales.tell("one", store)
            try await Self.fill(1200, owner)
            for projector in Projector.all(store: store, logger: silent) { try await projector.catchUp() }
            let connection = try await PostgresConnection.connect(owner)
            try await connection.script(
                """
                DELETE FROM views.audit_entry;
                UPDATE ledger.checkpoint SET event_id = gen_random_uuid() WHERE projection = 'audit-entry';
                """)
            await connection.close()
            try await check(store)
        }
    }

    @Test func `a page of long events that goes across the index's end has no more bytes than another`() async throws {
        try await withLedger { store, owner in
            try await Self.fill(1200, owner)
            for index in 0..<12 {
                // What the index has comes to 5 times 1.5 MiB, so that there is little room for what is behind it.
                if index == 5 {
                    for projector in Projector.all(store: store, logger: silent) { try await projector.catchUp() }
                }
                let event = SampleEvents.event(
                    by: "writer", data: #"{"text":"\#(String(repeating: "x", count: 3 << 19))"}"#)
                _ = try await store.append(
                    Append(
                        stream: SampleEvents.stream("long-1"), expecting: .exactly(StreamVersion(Int64(index))),
                        events: [event]))
            }
            for backwards in [false, true] {
                var (versions, last): ([Int64], GlobalPosition?) = ([], nil)
                while true {
                    let page = try await store.readAll(
                        after: backwards ? .start : last ?? .start, before: backwards ? last : nil,
                        filter: EventFilter(actor: "writer"), backwards: backwards, limit: 100)
                    #expect(page.events.reduce(0) { $0 + $1.event.textBytes } <= LogPage.mostBytes)
                    versions += page.events.map(\.version.value)
                    last = page.events.last?.position ?? last
                    if page.end == .complete { break }
                    try #require(!page.events.isEmpty)
                }
                #expect(versions == (backwards ? (1...12).reversed() : Array(1...12)))
            }
        }
    }

    private func check(_ store: PostgresEventStore) async throws {
        let log = try await store.readAll(
            after: .start, before: nil, filter: EventFilter(), backwards: false, limit: 10_000
        ).whole()
        let middle = log[log.count - 10]
        let filters = [
            EventFilter(types: ["rollout.aborted.v1"]), EventFilter(types: ["rollout.aborted.v1", "nobody.knows.v1"]),
            EventFilter(types: ["nobody.knows.v1"]), EventFilter(actor: "maria"), EventFilter(actor: "nobody"),
            EventFilter(streamPrefix: "rollout-default/default/t"), EventFilter(streamPrefix: "rollout-"),
            EventFilter(correlation: middle.event.correlation),
            EventFilter(types: ["rollout.aborted.v1"], streamPrefix: "rollout-default/default/o"),
            EventFilter(actor: "maria", from: log[3].recordedAt, until: middle.recordedAt),
        ]
        for filter in filters {
            let wanted = log.filter { filter.matches($0) }
            for backwards in [false, true] {
                for limit in [1, 5, 10_000] {
                    let read = try await store.readAll(
                        after: .start, before: nil, filter: filter, backwards: backwards, limit: limit
                    ).whole()
                    let expected = Array((backwards ? wanted.reversed() : wanted).prefix(limit))
                    #expect(read == expected, "\(filter), backwards \(backwards), limit \(limit)")
                }
                let (after, before) = (log[2].position, middle.position)
                let read = try await store.readAll(
                    after: after, before: before, filter: filter, backwards: backwards, limit: 10_000
                ).whole()
                let within = wanted.filter { $0.position > after && $0.position < before }
                #expect(read == (backwards ? within.reversed() : within), "\(filter) between, backwards \(backwards)")
            }
        }
    }

    /// Events of no rollout, by nobody in particular.
    private static func fill(_ count: Int, _ owner: PostgresConfiguration) async throws {
        let connection = try await PostgresConnection.connect(owner)
        try await connection.script(
            """
            INSERT INTO ledger.stream (name) VALUES ('bulk-1');
            INSERT INTO ledger.event_type (name) VALUES ('bulk.happened.v1');
            INSERT INTO ledger.actor (subject, issuer, method) VALUES ('filler', 'tests', 'token');
            INSERT INTO ledger.event (position, stream_id, version, recorded_at, occurred_at, event_id, correlation,
                                      type_id, actor_id, epoch, content_hash, data, metadata)
            SELECT h.last_position + g, s.stream_id, g, h.recorded_at, h.recorded_at, gen_random_uuid(),
                   gen_random_uuid(), t.type_id, a.actor_id, 1, sha256('x'), '{}', '{}'
            FROM generate_series(1, \(count)) g
            CROSS JOIN (SELECT * FROM ledger.append_batch ORDER BY last_position DESC LIMIT 1) h
            JOIN ledger.stream s ON s.name = 'bulk-1'
            JOIN ledger.event_type t ON t.name = 'bulk.happened.v1'
            JOIN ledger.actor a ON a.subject = 'filler';
            INSERT INTO ledger.append_batch
            SELECT h.last_position + \(count), h.last_position + 1, h.recorded_at, 1
            FROM ledger.append_batch h
            ORDER BY h.last_position DESC
            LIMIT 1;
            """)
        await connection.close()
    }
}
