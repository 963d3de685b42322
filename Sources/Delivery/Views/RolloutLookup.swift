public import EventSourcing

/// Reads rollouts out of the log, as they are and as they were.
public struct RolloutLookup: Sendable {
    /// Versions between two snapshots: so many events are folded in a millisecond.
    public static let snapshotSpacing: Int64 = 20
    private static let longPayload = 2000

    private let reader: any EventReader
    private let snapshots: (any RolloutSnapshots)?
    private static let pageSize = 1000

    /// Reads through `reader`, and with `snapshots` begins at the last one.
    public init(_ reader: any EventReader, snapshots: (any RolloutSnapshots)? = nil) {
        self.reader = reader
        self.snapshots = snapshots
    }

    /// The rollout at `point` (`nil`: now); nothing is folded if it did not exist then.
    /// - Throws: `EventStoreFailure`, ``UnreadableEvent``.
    public func reading(_ name: RolloutName, at point: PointInTime? = nil) async throws -> RolloutReading {
        // After a snapshot few events are wanted, unless none was made yet of what follows.
        let few = Int(Self.snapshotSpacing)
        let kept = try await snapshots?.latest(of: name, at: point ?? .version(StreamVersion(.max)), following: few)
        var reading = kept?.reading ?? RolloutReading(name)
        var passed: [RolloutReading] = []
        try await forEach(
            name, after: reading.version, through: point?.version, limit: kept == nil ? Self.pageSize : few,
            first: kept?.following
        ) { recorded in
            guard point?.includes(recorded) ?? true else { return false }
            try reading.fold(recorded)
            // Also after what takes long to read, such as a manifest, so that hardly a question has to read it.
            let isLong = recorded.event.data.utf8.count > Self.longPayload
            if snapshots != nil, isLong || reading.version.value.isMultiple(of: Self.snapshotSpacing) {
                passed.append(reading)
            }
            return true
        } afterPage: {
            if !passed.isEmpty { await snapshots?.keep(passed) }
            passed = []
        }
        return reading
    }

    /// Brings `reading` up to the present.
    /// - Throws: `EventStoreFailure`, ``UnreadableEvent``.
    public func refresh(_ reading: inout RolloutReading) async throws {
        while true {
            let page = try await reader.read(
                reading.name.stream, after: reading.version, through: nil, backwards: false, limit: Self.pageSize)
            for recorded in try page.whole() { try reading.fold(recorded) }
            if page.end == .complete { return }
        }
    }

    /// All events of the rollout up to `point`, in order; empty if there is no such rollout.
    /// - Throws: `EventStoreFailure`.
    public func events(_ name: RolloutName, at point: PointInTime? = nil) async throws -> [RecordedEvent] {
        var events: [RecordedEvent] = []
        try await forEach(name, after: .none, through: point?.version, limit: Self.pageSize) { recorded in
            guard point?.includes(recorded) ?? true else { return false }
            events.append(recorded)
            return true
        }
        return events
    }

    /// The last `count` events of the rollout up to `point`, in order; empty if there is no such rollout.
    ///
    /// They are read from the end, however many there are before them.
    /// - Throws: `EventStoreFailure`.
    public func events(_ name: RolloutName, last count: Int, at point: PointInTime?) async throws -> [RecordedEvent] {
        var (newest, through): ([RecordedEvent], StreamVersion?) = ([], point?.version)
        while newest.count < count {
            // What a time or a position leaves out may be much, and is gone past by pages.
            let page = try await reader.read(
                name.stream, after: .none, through: through, backwards: true,
                limit: newest.isEmpty && point != nil && point?.version == nil ? max(count, Self.pageSize) : count)
            let events = try page.whole()
            newest += events.filter { point?.includes($0) ?? true }
            guard page.end == .limit, let first = events.last else { break }
            through = StreamVersion(first.version.value - 1)
        }
        return newest.prefix(count).reversed()
    }

    /// The names of all rollouts, in order.
    /// - Throws: `EventStoreFailure`.
    public func names() async throws(EventStoreFailure) -> [RolloutName] {
        try await reader.streams(in: RolloutName.category).compactMap { RolloutName($0) }.sorted()
    }

    /// Gives `body` the events above `after`, up to `through` if that is given, until it answers false: first `limit` of
    /// them, then more at a time.
    ///
    /// - Parameter first: The first page, if it was read already.
    private func forEach(
        _ name: RolloutName, after: StreamVersion, through: StreamVersion?, limit: Int, first: [RecordedEvent]? = nil,
        _ body: (RecordedEvent) throws -> Bool, afterPage: () async -> Void = {}
    ) async throws {
        var (version, limit, read) = (after, limit, first)
        while true {
            let events: [RecordedEvent]
            var goesOn: Bool
            if let read {
                (events, goesOn) = (read, read.count == limit)
            } else {
                let page = try await reader.read(
                    name.stream, after: version, through: through, backwards: false, limit: limit)
                (events, goesOn) = (try page.whole(), page.end != .complete)
            }
            read = nil
            for recorded in events {
                guard try body(recorded) else {
                    goesOn = false
                    break
                }
                version = recorded.version
            }
            await afterPage()
            if !goesOn { return }
            limit = min(Self.pageSize, 4 * limit)
        }
    }
}
