import API
import EventSourcing
import Hummingbird
import HummingbirdTesting
import TestKit
import Testing

/// One stream over HTTP.
@Suite struct StreamTests {
    private static let path = "/api/v1/streams/rollout-default/default/shop"

    private static func harness(_ count: Int = 10) async throws -> Harness {
        let harness = Harness()
        _ = try await harness.store.append(SampleEvents.append(count, to: "rollout-default/default/shop"))
        _ = try await harness.store.append(SampleEvents.append(3, to: "rollout-default/default/shop-2"))
        return harness
    }

    @Test func `a stream is read between two versions in both directions, and by its name alone`() async throws {
        try await Self.harness().run { client in
            for (query, wanted) in [
                ("", Array(1...10)), ("after=3&through=6", [4, 5, 6]), ("backwards=true&limit=3", [10, 9, 8]),
                ("backwards=true&through=6&after=3", [6, 5, 4]), ("through=99&after=8", [9, 10]),
                ("after=6&cursor=2", [7, 8, 9, 10]), ("backwards=true&through=3&cursor=9", [3, 2, 1]),
                ("after=9223372036854775807", []), ("backwards=true&after=9223372036854775807&limit=1", []),
            ] as [(String, [Int64])] {
                let page: StreamEvents = try await client.ask("\(Self.path)?\(query)")
                #expect(page.events.map(\.version.value) == wanted)
                #expect(page.version == StreamVersion(10))
                #expect(page.stream.description == "rollout-default/default/shop")
                #expect(page.events.allSatisfy { $0.stream == page.stream })
            }
        }
    }

    @Test(arguments: [1, 2, 3, 5, 10, 11]) func `pages follow one on another, and the last one says so`(
        _ limit: Int
    ) async throws {
        try await Self.harness().run { client in
            for (query, wanted) in [
                ("after=0", Array(1...10)), ("after=2&through=8", Array(3...8)),
                ("backwards=true", (1...10).reversed()), ("backwards=true&after=2&through=8", (3...8).reversed()),
            ] as [(String, [Int64])] {
                var (seen, cursor): ([Int64], String?) = ([], nil)
                var pages = 0
                repeat {
                    let page: StreamEvents = try await client.ask(
                        "\(Self.path)?\(query)&limit=\(limit)" + (cursor.map { "&cursor=\($0)" } ?? ""))
                    seen += page.events.map(\.version.value)
                    cursor = page.next
                    pages += 1
                } while cursor != nil
                #expect(seen == wanted)
                #expect(pages == (wanted.count + limit - 1) / limit)
            }
        }
    }

    @Test func `slashes stand as they are in the name of a stream, also two in a row`() async throws {
        let harness = Harness()
        for name in ["x-a/b", "x-a//b", "x-a//b/"] { _ = try await harness.store.append(SampleEvents.append(to: name)) }
        try await harness.run { client in
            for name in ["x-a/b", "x-a//b", "x-a//b/", "x-a%2F/b"] {
                let page: StreamEvents = try await client.ask("/api/v1/streams/\(name)")
                #expect(page.stream.description == name.replacing("%2F", with: "/"))
            }
        }
    }

    @Test func `a stream that nobody has written to is answered with the nearest name`() async throws {
        try await Self.harness().run { client in
            let problem: ProblemDocument = try await client.ask(
                "/api/v1/streams/rollout-default/default/shpo", expecting: 404)
            #expect(problem.code == "unknown-stream")
            #expect(problem.nearest == "rollout-default/default/shop")
            let encoded: StreamEvents = try await client.ask("/api/v1/streams/rollout-default%2Fdefault%2Fshop-2")
            #expect(encoded.events.count == 3)
        }
    }

    @Test func `what stands in an archive is told where it is reached, from either side`() async throws {
        let harness = try await Self.harness()
        harness.store.putAway(4...6, words: "events stand in an archive: rollbook archive --bring-back a.jsonl.gz")
        try await harness.run { client in
            let before: StreamEvents = try await client.ask(Self.path)
            #expect(before.events.map(\.version.value) == [1, 2, 3])
            #expect(before.next == "3")
            let behind: StreamEvents = try await client.ask("\(Self.path)?backwards=true")
            #expect(behind.events.map(\.version.value) == [10, 9, 8, 7])
            #expect(behind.next == "7")
            for query in ["cursor=3", "backwards=true&cursor=7", "after=4&through=6"] {
                let problem: ProblemDocument = try await client.ask("\(Self.path)?\(query)", expecting: 410)
                #expect(problem.code == "archived")
                #expect(problem.detail.contains("--bring-back"))
            }
        }
    }
}
