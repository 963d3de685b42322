public import EventSourcing

/// A rollout's stream as far as it was read: the core's state, and beside it what only views show.
///
/// A pure fold, so the same events always give the same views, whenever they are read.
public struct RolloutReading: Sendable, Equatable, Codable {
    /// The rollout.
    public let name: RolloutName
    /// What the events amount to.
    public internal(set) var state = RolloutState.absent
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
    /// What views show of the AnalysisRuns of releases that have given way to another, by revision; none of these changes
    /// any more.
    var earlierRuns: [Int: [AnalysisRunView]] = [:]

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
                earlierRuns[release.revision, default: []] += release.runs.map(AnalysisRunView.init)
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
