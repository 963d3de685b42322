public import EventSourcing
internal import Synchronization

/// A log in memory whose followers get nothing before a test says so, and then all that has gathered.
public final class GatedStore: ForwardingEventStore {
    /// The log.
    public let base: InMemoryEventStore
    /// Raised once they may go on.
    private let gate = HeadSignal()
    private let followed = Mutex(0)

    /// Makes a store over a log.
    public init(_ base: InMemoryEventStore) { self.base = base }

    /// How many followers there have been.
    public var followers: Int { followed.withLock { $0 } }

    /// Lets followers go on.
    public func open() { gate.raise(to: GlobalPosition(1)) }

    /// Puts everything away that is there now, but for what has to stay, and lets followers go on.
    public func putAway(keeping stays: (RecordedEvent) -> Bool) async throws {
        let head = try await base.head()
        base.putAway(
            1...head.value,
            words:
                "events between positions 1 and \(head) stand in an archive: rollbook archive --bring-back a.jsonl.gz",
            keeping: stays)
        open()
    }

    /// Follows the log once that is allowed.
    public func follow(after: GlobalPosition, seen: Identifier?, batchSize: Int) -> EventBatches {
        followed.withLock { $0 += 1 }
        return EventBatches {
            var batches = self.base.follow(after: after, seen: seen, batchSize: batchSize).makeAsyncIterator()
            return { () async throws(FollowerEnd) in
                await self.gate.wait(beyond: .start)
                return try await batches.next()
            }
        }
    }
}
