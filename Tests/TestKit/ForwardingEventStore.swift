public import EventSourcing

/// An event store that hands every call on to another one: a double says only what it does otherwise.
public protocol ForwardingEventStore: EventAppender, EventReader, EventFollower {
    /// What it hands calls on to.
    associatedtype Base: EventAppender & EventReader & EventFollower

    /// Where calls go.
    var base: Base { get }

    /// Called before each call that is answered once; what it throws is the answer.
    func admit() async throws(EventStoreFailure)
}

extension ForwardingEventStore {
    /// Lets every call pass.
    public func admit() async throws(EventStoreFailure) {}

    /// Hands on.
    public func append(_ append: Append) async throws(EventStoreFailure) -> Appended {
        try await admit()
        return try await base.append(append)
    }

    /// Hands on.
    public func receipt(
        for command: Identifier, fingerprint: [UInt8]?, on stream: StreamName
    ) async throws(EventStoreFailure) -> Appended? {
        try await admit()
        return try await base.receipt(for: command, fingerprint: fingerprint, on: stream)
    }

    /// Hands on.
    public func read(
        _ stream: StreamName, after: StreamVersion, through: StreamVersion?, backwards: Bool, limit: Int
    ) async throws(EventStoreFailure) -> StreamPage {
        try await admit()
        return try await base.read(stream, after: after, through: through, backwards: backwards, limit: limit)
    }

    /// Hands on.
    public func readAll(
        after: GlobalPosition, before: GlobalPosition?, filter: EventFilter, backwards: Bool, limit: Int
    ) async throws(EventStoreFailure) -> LogPage {
        try await admit()
        return try await base.readAll(
            after: after, before: before, filter: filter, backwards: backwards, limit: limit)
    }

    /// Hands on.
    public func head() async throws(EventStoreFailure) -> GlobalPosition {
        try await admit()
        return try await base.head()
    }

    /// Hands on.
    public func streams(in category: String) async throws(EventStoreFailure) -> [StreamName] {
        try await admit()
        return try await base.streams(in: category)
    }

    /// Hands on.
    public func follow(after: GlobalPosition, seen: Identifier?, batchSize: Int) -> EventBatches {
        base.follow(after: after, seen: seen, batchSize: batchSize)
    }
}
