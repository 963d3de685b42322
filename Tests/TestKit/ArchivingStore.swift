public import EventSourcing
internal import Synchronization

/// A log in memory whose followers are behind: they get nothing, until all that there is by then is put away in an archive.
///
/// Then they end, and so does at once who follows from before that; from its end on the log is followed as ever.
public final class ArchivingStore: ForwardingEventStore {
    /// The log.
    public let base: InMemoryEventStore
    private let gate = Gate()
    private let end = Mutex<GlobalPosition?>(nil)
    private let keepsStreams: Bool
    private let followed = Mutex(0)

    /// How many followers there have been.
    public var followers: Int { followed.withLock { $0 } }

    /// Makes a store over a log.
    ///
    /// - Parameter keepsStreams: Whether streams can still be read whole after it was put away.
    public init(_ base: InMemoryEventStore, keepsStreams: Bool = true) {
        self.base = base
        self.keepsStreams = keepsStreams
    }

    /// Puts everything away that is there now.
    public func putAway() async throws(EventStoreFailure) {
        let head = try await base.head()
        end.withLock { $0 = head }
        await gate.open()
    }

    private func check(_ after: GlobalPosition) throws(EventStoreFailure) {
        if let end = end.withLock({ $0 }), after < end {
            throw .archived(
                "events between positions 1 and \(end) stand in an archive: rollbook archive --bring-back a.jsonl.gz")
        }
    }

    /// Reads a stream, if it is whole.
    public func read(
        _ stream: StreamName, after: StreamVersion, limit: Int
    ) async throws(EventStoreFailure) -> [RecordedEvent] {
        if !keepsStreams { try check(.start) }
        return try await base.read(stream, after: after, limit: limit)
    }

    /// Reads what was not put away.
    public func readAll(
        after: GlobalPosition, before: GlobalPosition?, filter: EventFilter, backwards: Bool, limit: Int
    ) async throws(EventStoreFailure) -> [RecordedEvent] {
        try check(after)
        return try await base.readAll(
            after: after, before: before, filter: filter, backwards: backwards, limit: limit)
    }

    /// Follows what was not put away.
    public func follow(after: GlobalPosition, batchSize: Int) -> AsyncStream<[RecordedEvent]> {
        followed.withLock { $0 += 1 }
        if let end = end.withLock({ $0 }), after >= end { return base.follow(after: after, batchSize: batchSize) }
        return AsyncStream { told in
            // Ends with the stream that it ends.
            let task = Task {
                await gate.passed()
                told.finish()
            }
            told.onTermination = { _ in task.cancel() }
        }
    }
}
