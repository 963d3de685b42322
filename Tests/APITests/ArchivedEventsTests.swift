import API
import EventSourcing
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import TestKit
import Testing

/// Followers that come to a range of the log that stands in a file.
@Suite(.timeLimit(.minutes(2))) struct ArchivedEventsTests {
    @Test func `a follower that begins before an archive is told of it at the beginning`() async throws {
        try await withHole(at: 7...9) { client in
            for place in 0...8 {
                let problem: ProblemDocument = try await client.ask(
                    "/api/v1/events/stream?after=\(place)", expecting: 410)
                #expect(problem.code == "archived")
                #expect(problem.detail.contains("--bring-back"))
            }
        }
    }

    @Test func `one that comes to an archive later is given all before it, and then told of it`() async throws {
        try await withHole(at: 107...109) { client in
            try await client.execute(uri: "/api/v1/events/stream?after=0", method: .get) { response in
                #expect(response.status == .ok)
                let lines = String(buffer: response.body).split(separator: "\n")
                #expect(lines.filter { $0.hasPrefix("id: ") } == (1...100).map { "id: 1-\($0)" })
                #expect(lines.dropLast().last == "event: problem")
                #expect(lines.last?.contains(#""code":"archived""#) == true)
            }
            // Who comes again with what it read last is told the same.
            try await client.execute(
                uri: "/api/v1/events/stream", method: .get, headers: [HTTPField.Name("Last-Event-ID")!: "1-100"]
            ) { response in
                #expect(response.status == .gone)
                #expect(String(buffer: response.body).contains("--bring-back"))
            }
        }
    }

    private func withHole(
        at hole: ClosedRange<Int64>,
        _ body: @Sendable @escaping @concurrent (any TestClientProtocol) async throws -> Void
    ) async throws {
        let harness = Harness()
        for version in 0..<120 {
            _ = try await harness.store.append(SampleEvents.append(to: "s-1", after: Int64(version)))
        }
        var dependencies = harness.dependencies
        dependencies.store = HoledStore(base: harness.store, hole: hole)
        try await Application(router: buildAPI(dependencies)).test(.router) { client in try await body(client) }
    }
}

/// A log of which a range stands in a file; a follower waits there until it is brought back.
private struct HoledStore: EventAppender, EventReader, EventFollower {
    let base: InMemoryEventStore
    let hole: ClosedRange<Int64>

    func append(_ append: Append) async throws(EventStoreFailure) -> Appended { try await base.append(append) }

    func receipt(
        for command: Identifier, fingerprint: [UInt8]?, on stream: StreamName
    ) async throws(EventStoreFailure) -> Appended? {
        try await base.receipt(for: command, fingerprint: fingerprint, on: stream)
    }

    func read(
        _ stream: StreamName, after: StreamVersion, limit: Int
    ) async throws(EventStoreFailure) -> [RecordedEvent] {
        try await base.read(stream, after: after, limit: limit)
    }

    func readAll(
        after: GlobalPosition, before: GlobalPosition?, filter: EventFilter, backwards: Bool, limit: Int
    ) async throws(EventStoreFailure) -> [RecordedEvent] {
        let page = try await base.readAll(
            after: after, before: before, filter: filter, backwards: backwards, limit: limit)
        guard !page.contains(where: { hole.contains($0.position.value) }) else {
            throw .archived("events stand in an archive: rollbook archive --bring-back ledger.jsonl.gz")
        }
        return page
    }

    func head() async throws(EventStoreFailure) -> GlobalPosition { try await base.head() }

    func streams(in category: String) async throws(EventStoreFailure) -> [StreamName] {
        try await base.streams(in: category)
    }

    func follow(after: GlobalPosition, batchSize: Int) -> AsyncStream<[RecordedEvent]> {
        AsyncStream { _ in }
    }
}
