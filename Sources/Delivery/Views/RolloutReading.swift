public import EventSourcing

/// A rollout's stream as far as it was read: the core's state, and beside it what only views show.
///
/// A pure fold, so the same events always give the same views, whenever they are read.
public struct RolloutReading: Sendable, Equatable, Codable {
    /// The rollout.
    public let name: RolloutName
    /// What the events amount to.
    public private(set) var state = RolloutState.absent
    /// The last version that was read.
    public private(set) var version = StreamVersion.none
    /// The position of the last event that was read.
    public private(set) var position = GlobalPosition.start
    /// When the last event was recorded.
    public private(set) var recordedAt: Instant?
    /// When the first event happened.
    public private(set) var createdAt: Instant?
    /// When the last release of each revision began.
    private(set) var startedAt: [Int: Instant] = [:]
    /// AnalysisRuns of releases that have given way to another, by revision.
    private(set) var earlierRuns: [Int: [AnalysisRunState]] = [:]

    /// Nothing read yet.
    public init(_ name: RolloutName) { self.name = name }

    /// Folds the next event of the stream.
    /// - Throws: ``UnreadableEvent`` for an event that this build does not know.
    @discardableResult
    public mutating func fold(_ recorded: RecordedEvent) throws(UnreadableEvent) -> RolloutEvent {
        let event = try RolloutDecider.decode(recorded)
        fold(
            event,
            at: RolloutSummaryFold.Place(
                version: recorded.version, position: recorded.position, occurredAt: event.at,
                recordedAt: recorded.recordedAt))
        return event
    }

    /// Folds an event that was read already.
    mutating func fold(_ event: RolloutEvent, at place: RolloutSummaryFold.Place) {
        if case .releaseStarted(let started) = event.fact {
            startedAt[started.revision] = event.at
            if let release = state.rollout?.release, !release.runs.isEmpty {
                earlierRuns[release.revision, default: []] += release.runs
            }
        }
        RolloutDecider.evolve(&state, with: event)
        if case .releaseStarted = event.fact, let kept = state.rollout?.revisions.map(\.number) {
            startedAt = startedAt.filter { kept.contains($0.key) }
            earlierRuns = earlierRuns.filter { kept.contains($0.key) }
        }
        pass(place)
    }

    /// Goes past an event.
    mutating func pass(_ place: RolloutSummaryFold.Place) {
        version = place.version
        position = place.position
        recordedAt = place.recordedAt
        if createdAt == nil { createdAt = place.occurredAt }
    }
}

/// Reads rollouts out of the log, as they are and as they were.
public struct RolloutLookup: Sendable {
    private let reader: any EventReader
    private static let pageSize = 1000

    /// Reads through `reader`.
    public init(_ reader: any EventReader) { self.reader = reader }

    /// The rollout at `point` (`nil`: now); nothing is folded if it did not exist then.
    /// - Throws: `EventStoreFailure`, ``UnreadableEvent``.
    public func reading(_ name: RolloutName, at point: PointInTime? = nil) async throws -> RolloutReading {
        var reading = RolloutReading(name)
        try await forEach(name) { recorded in
            guard point?.includes(recorded) ?? true else { return false }
            try reading.fold(recorded)
            return true
        }
        return reading
    }

    /// Brings `reading` up to the present.
    /// - Throws: `EventStoreFailure`, ``UnreadableEvent``.
    public func refresh(_ reading: inout RolloutReading) async throws {
        while true {
            let page = try await reader.read(reading.name.stream, after: reading.version, limit: Self.pageSize)
            for recorded in page { try reading.fold(recorded) }
            if page.count < Self.pageSize { return }
        }
    }

    /// All events of the rollout up to `point`, in order; empty if there is no such rollout.
    /// - Throws: `EventStoreFailure`.
    public func events(_ name: RolloutName, at point: PointInTime? = nil) async throws -> [RecordedEvent] {
        var events: [RecordedEvent] = []
        try await forEach(name) { recorded in
            guard point?.includes(recorded) ?? true else { return false }
            events.append(recorded)
            return true
        }
        return events
    }

    /// The names of all rollouts, in order.
    /// - Throws: `EventStoreFailure`.
    public func names() async throws(EventStoreFailure) -> [RolloutName] {
        try await reader.streams(in: RolloutName.category).compactMap { RolloutName($0) }.sorted()
    }

    private func forEach(_ name: RolloutName, _ body: (RecordedEvent) throws -> Bool) async throws {
        var version = StreamVersion.none
        while true {
            let page = try await reader.read(name.stream, after: version, limit: Self.pageSize)
            for recorded in page {
                guard try body(recorded) else { return }
                version = recorded.version
            }
            if page.count < Self.pageSize { return }
        }
    }
}
