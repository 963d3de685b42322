import API
import EventSourcing
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import TestKit
import Testing

/// Followers that come to a range of the log that stands in a file, or is not there any more.
@Suite(.timeLimit(.minutes(2))) struct ArchivedEventsTests {
    @Test func `a follower that begins right before an archive or in it is told of it at the beginning`() async throws {
        try await withHole(at: 7...9) { client in
            for place in 6...8 {
                let last: HTTPFields = [HTTPField.Name("Last-Event-ID")!: "1-\(place)"]
                for headers in [HTTPFields(), last] {
                    let problem: ProblemDocument = try await client.ask(
                        "/api/v1/events/stream?after=\(place)", headers: headers, expecting: 410)
                    #expect(problem.code == "archived")
                    #expect(problem.detail.contains("--bring-back"))
                }
            }
        }
    }

    @Test func `an answer that ends at once waits for the end of the request, which the process may die of else`()
        async throws
    {
        try await withHole(at: 2...4) { client in
            for _ in 0..<300 {
                let answer = try await client.follow("after=0")
                #expect(answer.ids == ["1-1"])
            }
        }
    }

    @Test(arguments: [7, 107] as [Int64])
    func `one that comes to an archive later is given all before it, and then told of it`(_ first: Int64) async throws {
        try await withHole(at: first...first + 2) { client in
            for place in [0, 1, first - 2] {
                let answer = try await client.follow("after=\(place)")
                #expect(answer.ids == (place + 1..<first).map { "1-\($0)" })
                #expect(answer.problem?.contains(#""code":"archived""#) == true)
            }
            // Who comes again with what it read last is told the same.
            try await client.execute(
                uri: "/api/v1/events/stream", method: .get,
                headers: [HTTPField.Name("Last-Event-ID")!: "1-\(first - 1)"]
            ) { response in
                #expect(response.status == .gone)
                #expect(String(buffer: response.body).contains("--bring-back"))
            }
        }
    }

    @Test func `who has read the last event of an archive is given all after it`() async throws {
        try await withHole(at: 7...9) { client in
            let answers = [try await client.follow("after=9"), try await client.follow("after=0", last: "1-9")]
            for answer in answers {
                #expect(answer.ids == (10...120).map { "1-\($0)" })
                #expect(answer.problem == nil)
            }
        }
    }

    @Test(arguments: [50, 100, 150])
    func `one that has read more than a log has that was cut short is told so, however far it has grown again`(
        _ regrown: Int64
    ) async throws {
        let cut = { @Sendable (log: InMemoryEventStore) in
            log.cutShort(after: GlobalPosition(40))
            for version in 40..<regrown { _ = try await log.append(SampleEvents.append(to: "s-1", after: version)) }
        }
        try await Self.with({ BrieflyFollowedStore(base: $0, afterFirst: cut) }) { client in
            let answer = try await client.follow("after=0")
            #expect(answer.ids == (1...100).map { "1-\($0)" })
            #expect(answer.problem?.contains(#""code":"other-log""#) == true)
            #expect(answer.problem?.contains(#""value":"1-100""#) == true)
        }
    }

    @Test(arguments: [1, 2, 5, 6, 7, 50])
    func `pages give all before an archive, whatever their size, and then the problem`(_ limit: Int) async throws {
        try await withHole(at: 7...9) { client in
            var (seen, next): ([Int64], String?) = ([], "0")
            while let cursor = next, cursor != "6" {
                let page: EventPage = try await client.ask("/api/v1/events?limit=\(limit)&cursor=\(cursor)")
                if limit <= 6 { #expect(page.events.count == min(limit, 6 - seen.count)) }
                seen += page.events.map(\.position.value)
                next = page.next
            }
            #expect(seen == [1, 2, 3, 4, 5, 6])
            #expect(next == "6")
            let problem: ProblemDocument = try await client.ask(
                "/api/v1/events?limit=\(limit)&cursor=6", expecting: 410)
            #expect(problem.code == "archived")
            // The same from the other side.
            let last: EventPage = try await client.ask("/api/v1/events?limit=3&backwards=true&before=13")
            #expect(last.events.map(\.position.value) == [12, 11, 10])
            #expect(last.next == "10")
            let other: ProblemDocument = try await client.ask(
                "/api/v1/events?limit=3&backwards=true&cursor=10", expecting: 410)
            #expect(other.code == "archived")
        }
    }

    private func withHole(
        at hole: ClosedRange<Int64>,
        _ body: @Sendable @escaping @concurrent (any TestClientProtocol) async throws -> Void
    ) async throws {
        let altered = { (log: InMemoryEventStore) in
            log.putAway(hole, words: "events stand in an archive: rollbook archive --bring-back ledger.jsonl.gz")
            return BrieflyFollowedStore(base: log)
        }
        try await Self.with(altered, body)
    }

    private static func with(
        _ altered: (InMemoryEventStore) -> BrieflyFollowedStore,
        _ body: @Sendable @escaping @concurrent (any TestClientProtocol) async throws -> Void
    ) async throws {
        var dependencies = Harness().dependencies
        dependencies.store = altered(try await log(120))
        try await Application(router: buildAPI(dependencies)).test(.router) { client in try await body(client) }
    }

    private static func log(_ count: Int) async throws -> InMemoryEventStore {
        let store = Harness().store
        for version in 0..<count {
            _ = try await store.append(SampleEvents.append(to: "s-1", after: Int64(version)))
        }
        return store
    }
}

extension TestClientProtocol {
    /// What a follower is sent until the end.
    @concurrent
    fileprivate func follow(_ query: String, last: String? = nil) async throws -> (ids: [String], problem: String?) {
        let headers: HTTPFields = last.map { [HTTPField.Name("Last-Event-ID")!: $0] } ?? [:]
        return try await execute(
            uri: "/api/v1/events/stream?\(query)", method: .get, headers: headers
        ) { response in
            #expect(response.status == .ok)
            let lines = String(buffer: response.body).split(separator: "\n")
            let ids = lines.filter { $0.hasPrefix("id: ") }.map { String($0.dropFirst(4)) }
            return (ids, lines.dropLast().last == "event: problem" ? lines.last.map { String($0) } : nil)
        }
    }
}

/// A log whose followers end at its end, as when a shutdown begins; something happens to it after their first batch.
private struct BrieflyFollowedStore: ForwardingEventStore {
    let base: InMemoryEventStore
    var afterFirst: (@Sendable (InMemoryEventStore) async throws -> Void)?

    func follow(after: GlobalPosition, seen: Identifier?, batchSize: Int) -> EventBatches {
        EventBatches {
            var batches = base.follow(after: after, seen: seen, batchSize: batchSize).makeAsyncIterator()
            var last: GlobalPosition?
            return { () async throws(FollowerEnd) in
                do {
                    if last != nil { try await afterFirst?(base) }
                    let head = try await base.head()
                    if afterFirst == nil, head == last ?? after { return nil }
                } catch { Issue.record(error) }
                let batch = try await batches.next()
                last = batch?.last?.position ?? last
                return batch
            }
        }
    }
}
