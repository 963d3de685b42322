import API
import Delivery
import EventSourcing
import Foundation
import Synchronization
import TestKit
import Testing
import Transfer

@testable import rollbook

/// Who watches while the log goes on in an archive is shown what there is, or told what is in the way.
@Suite(.timeLimit(.minutes(2))) struct ArchivedWatchTests {
    @Test func `a watch whose rollout has to be brought back says so and ends`() async throws {
        let log = Mutex<GatedStore?>(nil)
        let wrap = { @Sendable (base: InMemoryEventStore) -> any EventStore in
            let store = GatedStore(base)
            log.withLock { $0 = store }
            return store
        }
        try await EndToEndTests.withShop(store: wrap) { client, _ in
            let _: ApplyReply = try await client.post("/api/v1/apply", EndToEndTests.manifest)
            let command = try RollbookProgram(server: client.server)
            let watches = [
                try command.start("get", "rollout", "shop", "--watch"), try command.start("status", "shop", "--watch"),
            ]
            for watch in watches { #expect(try await eventually { try !watch.text.isEmpty }) }
            let _: ActionReply = try await client.post(client.path("default", "shop", "pause"), [:])
            try await log.withLock { $0 }?.putAway { _ in false }
            for watch in watches {
                #expect(try await watch.ended() == 1)
                let said = try watch.said
                #expect(said.contains("between positions 1 and"), "\(said)")
                #expect(said.contains("rollbook archive --bring-back a.jsonl.gz"), "\(said)")
            }
            try command.remove()
        }
    }

    @Test(arguments: [true, false])
    func `a watch goes on behind an archive that its rollout does not need`(_ isPutAwayBefore: Bool) async throws {
        let log = Mutex<GatedStore?>(nil)
        let wrap = { @Sendable (base: InMemoryEventStore) -> any EventStore in
            let store = GatedStore(base)
            log.withLock { $0 = store }
            return store
        }
        try await EndToEndTests.withShop(store: wrap) { client, world in
            let _: ApplyReply = try await client.post("/api/v1/apply", EndToEndTests.manifest)
            let store = try #require(log.withLock { $0 })
            // What is put away stands behind the rollout's own last event, and before its next one.
            let putAway = {
                for _ in 0..<5 {
                    _ = try await store.append(SampleEvents.append(to: "inbox-\(SampleEvents.id())"))
                }
                try await store.putAway { !$0.stream.description.hasPrefix("inbox-") }
            }
            if isPutAwayBefore { try await putAway() }
            var watched: [RolloutView] = []
            try await client.watch("default", "shop", lost: { Issue.record("connection lost: \($0)") }) { view in
                watched.append(view)
                switch watched.count {
                case 1:
                    if !isPutAwayBefore { try await putAway() }
                    let _: ActionReply = try await client.post(client.path("default", "shop", "pause"), [:])
                case 2: let _: ActionReply = try await client.post(client.path("default", "shop", "resume"), [:])
                default: break
                }
                return watched.count < 3
            }
            #expect(watched.map(\.phase) == [.progressing, .paused, .progressing])
        }
    }

    @Test func `a stream of events that is awake reads the log no more than its follower does`() async throws {
        let reads = Counter()
        try await EndToEndTests.withShop(store: { CountedStore(base: $0, reads: reads) }) { client, _ in
            let _: ApplyReply = try await client.post("/api/v1/apply", EndToEndTests.manifest)
            var request = TransferRequest(url: client.server + "/api/v1/events/stream?after=0", headers: [])
            request.timeout = nil
            let stream = try await client.transfer.stream(request)
            let start: EventPage = try await client.get("/api/v1/events", query: [("limit", "1")])
            var reader = ServerSentEvents()
            var (seen, awake, before): (Int, Int, Int?) = (0, 0, nil)
            for try await bytes in stream {
                seen += reader.read(bytes).count
                guard seen >= Int(start.head.value) + awake else { continue }
                // One wake-up after another; the first comes with a look whether the log is still the same.
                if awake == 1 { before = reads.value }
                if awake == 11 { break }
                let _: ActionReply = try await client.post(
                    client.path("default", "shop", awake.isMultiple(of: 2) ? "pause" : "resume"), [:])
                let now: EventPage = try await client.get("/api/v1/events", query: [("limit", "1")])
                #expect(now.head.value == start.head.value + Int64(awake) + 1, "an event for each order")
                awake += 1
            }
            // Each order is followed by one page that the test itself asks for.
            #expect(reads.value - (before ?? 0) == 10)
        }
    }
}

/// Counts.
private final class Counter: Sendable {
    private let count = Mutex(0)

    var value: Int { count.withLock { $0 } }

    func add() { count.withLock { $0 += 1 } }
}

/// A log in memory that counts the pages that are read of it.
private struct CountedStore: ForwardingEventStore {
    let base: InMemoryEventStore
    let reads: Counter

    func readAll(
        after: GlobalPosition, before: GlobalPosition?, filter: EventFilter, backwards: Bool, limit: Int
    ) async throws(EventStoreFailure) -> LogPage {
        reads.add()
        return try await base.readAll(
            after: after, before: before, filter: filter, backwards: backwards, limit: limit)
    }
}
