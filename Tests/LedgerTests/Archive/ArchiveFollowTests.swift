import EventSourcing
import TestKit
import Testing

@testable import Ledger

/// Followers that come to a range of the log that stands in a file.
@Suite(.timeLimit(.minutes(5))) struct ArchiveFollowTests {
    @Test func `a follower that ends before an archive names its file, and leaves it to others to say so`() async throws
    {
        try await withArchivable { bed in
            _ = try await bed.archive(through: 48)
            let heard = HeardMessages()
            let store = PostgresEventStore(pool: bed.store.pool, logger: heard.logger)
            do {
                for try await _ in store.follow(after: .start, batchSize: 10) {}
                Issue.record("nobody has cancelled it")
            } catch FollowerEnd.archived(let words) {
                #expect(words.contains("--bring-back ledger-0000000000000000001"))
            }
            #expect(heard.messages.isEmpty)
            #expect(store.whyCut == nil)
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
}
