import Delivery
import EventSourcing
import Foundation
import Postgres
import TestKit
import Testing

@testable import Ledger

@Suite(.timeLimit(.minutes(5))) struct AuditTrailTests {
    @Test func `each question is answered as the log itself answers it, page by page`() async throws {
        try await withLedger { store, _ in
            for name in ["one", "two", "three"] { try await RolloutTales.tell(name, store) }
            for projector in Projector.all(store: store, logger: silent) { try await projector.catchUp() }
            let log = try await store.everything()
            let middle = log[log.count / 2]
            let aborted = "rollout.aborted.v1"
            let one = RolloutName(namespace: "default", name: "one")!
            let questions: [(AuditQuery, (RecordedEvent) -> Bool)] = [
                (AuditQuery(limit: 7), { _ in true }),
                (AuditQuery(actor: "maria", limit: 5), { $0.event.actor.subject == "maria" }),
                (AuditQuery(actor: "nobody"), { _ in false }),
                (AuditQuery(rollout: one, limit: 4), { $0.stream == one.stream }),
                (
                    AuditQuery(streamPrefix: "rollout-default/default/t", limit: 9),
                    { $0.stream.description.hasPrefix("rollout-default/default/t") }
                ),
                (AuditQuery(types: [aborted], limit: 2), { $0.event.type == aborted }),
                (
                    AuditQuery(rollout: one, types: [aborted, "rollout.manifest-recorded.v1"]),
                    {
                        $0.stream == one.stream
                            && [aborted, "rollout.manifest-recorded.v1"].contains($0.event.type)
                    }
                ),
                (
                    AuditQuery(correlation: middle.event.correlation, limit: 3),
                    { $0.event.correlation == middle.event.correlation }
                ),
                (AuditQuery(event: middle.event.id), { $0.event.id == middle.event.id }),
                (AuditQuery(text: "ODD", limit: 2), { $0.event.type == aborted }),
                (AuditQuery(rollout: one, text: "odd it"), { $0.stream == one.stream && $0.event.type == aborted }),
                (AuditQuery(text: "odd even"), { _ in false }),
                (
                    AuditQuery(from: middle.recordedAt, until: middle.recordedAt),
                    { $0.recordedAt == middle.recordedAt }
                ),
            ]
            let trail = LedgerAuditTrail(store)
            for (question, isMeant) in questions {
                var query = question
                var found: [AuditEntry] = []
                repeat {
                    let page = try await trail.page(query)
                    #expect(page.entries.count <= query.limit)
                    #expect(page.position == log.last?.position)
                    found += page.entries
                    query.before = page.next
                } while query.before != nil
                #expect(found.map(\.id) == log.reversed().filter(isMeant).map(\.event.id), "\(question)")
            }
        }
    }

    @Test func `an entry says who, when, where, what and why`() async throws {
        try await withLedger { store, _ in
            try await RolloutTales.tell("shop", store)
            for projector in Projector.all(store: store, logger: silent) { try await projector.catchUp() }
            let recorded = try await store.everything().last { $0.event.type == "rollout.aborted.v1" }!
            let entry = try await LedgerAuditTrail(store).page(AuditQuery(text: "odd")).entries[0]
            #expect(entry.position == recorded.position)
            #expect(entry.recordedAt == recorded.recordedAt)
            #expect(entry.at == recorded.event.occurredAt)
            #expect(entry.stream == recorded.stream.description)
            #expect(entry.version == recorded.version)
            #expect(entry.actor == recorded.event.actor)
            #expect(entry.causation == recorded.event.causation)
            #expect(entry.correlation == recorded.event.correlation)
            #expect(entry.reason == "it's \"odd\"")
            let words = HistoryEntry(recorded, try RolloutDecider.decode(recorded)).text
            #expect(entry.text == words)
        }
    }

    @Test func `the rarest word leads, also of those that are more frequent than anybody counts`() async throws {
        try await withLedger { _, owner in
            let connection = try await PostgresConnection.connect(owner)
            try await connection.script(
                """
                INSERT INTO views.audit_word_1
                SELECT 'always', n FROM generate_series(1, 20000) n
                UNION ALL SELECT 'often', n FROM generate_series(1, 20000, 3) n
                UNION ALL SELECT 'so', n FROM generate_series(1, 20000, 2) n
                UNION ALL SELECT 'twice', n FROM generate_series(19999, 20000) n
                """)
            let words = try await LedgerAuditTrail.rarestFirst(["always", "so", "never", "often", "twice"], connection)
            #expect(words.map(\.word) == ["never", "twice", "often", "so", "always"])
            #expect(words.map(\.count) == [0, 2, 5000, 5000, 5000])
            var index = AuditIndex(words: ["often", "always"], through: 20_000)
            #expect(index.options.isPrepared)
            index.isOfFrequentWords = true
            #expect(!index.options.isPrepared, "what is found out about these words counts")
            let found = try await connection.query(index.positions(backwards: true, limit: 3), index.options)
            #expect(try found.map { try $0.get(0, as: Int.self) } == [19_999, 19_996, 19_993])
            index.isLedByWord = false
            #expect(index.options.isPrepared)
            await connection.close()
        }
    }

    @Test func `text without a word is refused`() async throws {
        try await withLedger { store, _ in
            await #expect(throws: AuditQuery.NoWord(text: "?!")) {
                _ = try await LedgerAuditTrail(store).page(AuditQuery(text: "?!"))
            }
            let empty = try await LedgerAuditTrail(store).page(AuditQuery(text: "word"))
            #expect(empty == AuditPage(entries: [], position: .start, next: nil))
        }
    }
}

@Suite(.timeLimit(.minutes(5))) struct LedgerRolloutViewsTests {
    @Test func `the list is what folding gives, and says what it reflects`() async throws {
        try await withLedger { store, _ in
            for name in ["one", "two"] { try await RolloutTales.tell(name, store) }
            let views = LedgerRolloutViews(store)
            let nothing = try await views.list(namespace: nil, reflecting: nil)
            #expect(nothing == RolloutListing(rows: [], position: .start))
            for projector in Projector.all(store: store, logger: silent) { try await projector.catchUp() }
            let head = try await store.head()
            let listing = try await views.list(namespace: nil, reflecting: head)
            let folded = try await FoldedRolloutViews(store).list(namespace: nil, reflecting: nil)
            #expect(listing == folded)
            #expect(listing.rows.count == 2)
            #expect(listing.position == head)
            let none = try await views.list(namespace: "other", reflecting: nil)
            #expect(none == RolloutListing(rows: [], position: head))
        }
    }

    @Test func `an answer waits for a projector, and does not wait for what never was`() async throws {
        try await withLedger { store, _ in
            try await RolloutTales.tell("shop", store)
            let head = try await store.head()
            let views = LedgerRolloutViews(store)
            await #expect(throws: ViewBehind(wanted: GlobalPosition(head.value + 1), position: .start)) {
                try await views.list(namespace: nil, reflecting: GlobalPosition(head.value + 1))
            }
            async let waited = views.list(namespace: nil, reflecting: head)
            for projector in Projector.all(store: store, logger: silent) { try await projector.catchUp() }
            let rows = try await waited.rows
            #expect(rows.count == 1)
        }
    }
}
