import EventSourcing

/// A log in memory whose followers get nothing before a test says so, and then all that has gathered.
struct GatedStore: EventAppender, EventReader, EventFollower {
    /// Opens once.
    actor Gate {
        private var isOpen = false
        private var waiting: [CheckedContinuation<Void, Never>] = []

        func open() {
            isOpen = true
            for continuation in waiting { continuation.resume() }
            waiting = []
        }

        func passed() async {
            if isOpen { return }
            await withCheckedContinuation { waiting.append($0) }
        }
    }

    let base: InMemoryEventStore
    let gate: Gate

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
        try await base.readAll(after: after, before: before, filter: filter, backwards: backwards, limit: limit)
    }

    func head() async throws(EventStoreFailure) -> GlobalPosition { try await base.head() }

    func streams(in category: String) async throws(EventStoreFailure) -> [StreamName] {
        try await base.streams(in: category)
    }

    func follow(after: GlobalPosition, batchSize: Int) -> AsyncStream<[RecordedEvent]> {
        AsyncStream { told in
            // Ends with the stream that it feeds.
            let task = Task {
                await gate.passed()
                for await batch in base.follow(after: after, batchSize: batchSize) { told.yield(batch) }
                told.finish()
            }
            told.onTermination = { _ in task.cancel() }
        }
    }
}
