import EventSourcing
import Postgres
import TestKit
import Testing

@testable import Ledger

/// Followers that come to a range of the log that stands in a file.
@Suite(.timeLimit(.minutes(5))) struct ArchiveFollowTests {
    @Test func `a follower goes on after an event that was archived, if nothing is missing behind it`() async throws {
        try await withArchivable { bed in
            _ = try await bed.archive(through: 48)
            let gone = try #require(Set(1...48).subtracting(try await bed.positions()).max())
            for await batch in bed.store.follow(after: GlobalPosition(gone), batchSize: 10) {
                #expect(batch.map(\.position.value) == Array(gone + 1...gone + 10))
                break
            }
        }
    }

    @Test func `a projector that an archive was in the way of goes on once that is back`() async throws {
        try await withArchivable { bed in
            let projector = try #require(Projector.all(store: bed.store, logger: silent).first)
            try await projector.catchUp()
            let archived = try await bed.archive(through: 48)
            try await projector.reset()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await projector.run() }
                let isHalted = try await eventually { await projector.halt != nil }
                #expect(isHalted)
                for file in archived.map(\.path) {
                    #expect(await projector.halt != nil)
                    try await bed.archives.bringBack(file)
                }
                let head = try await bed.store.head()
                let isDone = try await eventually { await projector.position >= head }
                #expect(isDone)
                #expect(await projector.halt == nil)
                group.cancelAll()
            }
        }
    }

    @Test func `a follower is given all before an archive, says once what is in the way, and ends`() async throws {
        try await withArchivable { bed in
            let whole = try await bed.store.everything()
            let archived = try await bed.archive(through: 48)
            let gone = try #require(Set(1...48).subtracting(try await bed.positions()).min())
            let heard = HeardMessages()
            let store = PostgresEventStore(pool: bed.store.pool, logger: heard.logger)
            for (after, size) in [(0, 100), (0, 1), (gone - 2, 100), (gone - 1, 100), (gone - 1, 1)] {
                let told = heard.messages.count
                var seen: [RecordedEvent] = []
                for await batch in store.follow(after: GlobalPosition(after), batchSize: size) { seen += batch }
                #expect(
                    seen == whole.filter { $0.position.value > after && $0.position.value < gone }, "\(after), \(size)")
                let messages = heard.messages.dropFirst(told)
                #expect(messages.count == 1)
                #expect(messages.last?.contains("--bring-back ledger-0000000000000000001") == true, "\(messages)")
                let place = GlobalPosition(gone - 1)
                let end = try await store.end(ofFollowerAt: place, after: seen.last)
                guard case .archived? = end else {
                    Issue.record("\(String(describing: end))")
                    continue
                }
            }
            for file in archived.map(\.path) { try await bed.archives.bringBack(file) }
            var count = 0
            for await batch in store.follow(after: .start, batchSize: 10) {
                #expect(batch == Array(whole[count..<count + batch.count]))
                count += batch.count
                if count >= 48 { break }
            }
            let end = try await store.end(ofFollowerAt: GlobalPosition(48), after: whole[47])
            #expect(end == nil)
            guard case .cutShort? = try await store.end(ofFollowerAt: GlobalPosition(48), after: whole[46]) else {
                Issue.record("another event stands there")
                return
            }
        }
    }
}
