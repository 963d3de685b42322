public import EventSourcing
internal import Synchronization

/// A log in memory whose followers get nothing before a test says so, and then all that has gathered.
public final class GatedStore: ForwardingEventStore {
    /// The log.
    public let base: InMemoryEventStore
    private let gate = Gate()
    private let followed = Mutex(0)

    /// Makes a store over a log.
    public init(_ base: InMemoryEventStore) { self.base = base }

    /// How many followers there have been.
    public var followers: Int { followed.withLock { $0 } }

    /// Lets followers go on.
    public func open() async { await gate.open() }

    /// Puts everything away that is there now, but for what has to stay, and lets followers go on.
    public func putAway(keeping stays: (RecordedEvent) -> Bool) async throws {
        let head = try await base.head()
        base.putAway(
            1...head.value,
            words:
                "events between positions 1 and \(head) stand in an archive: rollbook archive --bring-back a.jsonl.gz",
            keeping: stays)
        await open()
    }

    /// Follows the log once that is allowed.
    public func follow(after: GlobalPosition, batchSize: Int) -> AsyncStream<[RecordedEvent]> {
        followed.withLock { $0 += 1 }
        return AsyncStream { told in
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
