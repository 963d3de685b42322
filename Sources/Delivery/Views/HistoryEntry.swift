public import EventSourcing

/// One event in one line of words.
public struct HistoryEntry: Sendable, Equatable, Codable {
    /// Place in the whole log.
    public var position: GlobalPosition
    /// Place in the rollout's stream.
    public var version: StreamVersion
    /// The event's id.
    public var id: Identifier
    /// When it happened.
    public var at: Instant
    /// When it was recorded.
    public var recordedAt: Instant
    /// Who caused it.
    public var actor: EventActor
    /// Wire name with version.
    public var type: String
    /// What happened, such as `weight 25 applied by nginx after 0.021 s`.
    public var text: String
    /// The release it belongs to.
    public var correlation: Identifier
    /// The event or command that led to it.
    public var causation: Identifier?

    /// Puts an event into words.
    public init(_ recorded: RecordedEvent, _ event: RolloutEvent) {
        position = recorded.position
        version = recorded.version
        id = recorded.event.id
        at = event.at
        recordedAt = recorded.recordedAt
        actor = recorded.event.actor
        type = recorded.event.type
        text = event.fact.words
        correlation = recorded.event.correlation
        causation = recorded.event.causation
    }
}

/// One event of a replay, and how the rollout stood right after it.
public struct ReplayFrame: Sendable, Equatable, Codable {
    /// The event.
    public var event: HistoryEntry
    /// How the rollout stood.
    public var phase: RolloutPhase
    /// Why, in Argo's words.
    public var message: String
    /// Such as `3/8`; `nil` without steps.
    public var step: String?
    /// The weight that the newest revision was to have.
    public var setWeight: Int
    /// The weight that it was seen to have.
    public var actualWeight: Int

    /// The frames of `events`, which begin with the stream's first one; only those that `isShown` are returned.
    /// - Throws: `UnreadableEvent`.
    public static func frames(
        of events: [RecordedEvent], rollout: RolloutName, where isShown: (RecordedEvent) -> Bool
    ) throws(UnreadableEvent) -> [ReplayFrame] {
        var reading = RolloutReading(rollout)
        var frames: [ReplayFrame] = []
        for recorded in events {
            let event = try reading.fold(recorded)
            guard isShown(recorded), let view = reading.view else { continue }
            frames.append(
                ReplayFrame(
                    event: HistoryEntry(recorded, event), phase: view.phase, message: view.message, step: view.step,
                    setWeight: view.setWeight, actualWeight: view.actualWeight))
        }
        return frames
    }
}
