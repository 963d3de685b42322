public import EventSourcing

/// One release of a rollout, from its start to its end.
public struct ReleaseRow: Sendable, Equatable, Codable {
    /// Its id, which correlates its events.
    public var release: Identifier
    /// The revision that it brought or tried to bring into service.
    public var revision: Int
    /// Names that revision's set.
    public var podTemplateHash: String
    /// Image of each container.
    public var images: [String: String]
    /// Why it began.
    public var trigger: ReleaseStarted.Trigger
    /// Who caused it.
    public var actor: EventActor
    /// When it began.
    public var startedAt: Instant
    /// The position of its first event.
    public var startedPosition: GlobalPosition
    /// How it ended, or that it has not.
    public var outcome: ReleaseOutcome
    /// When it ended.
    public var endedAt: Instant?
    /// The position of the event that ended it.
    public var endedPosition: GlobalPosition?
    /// Who or what ended it.
    public var endedBy: EventActor?
    /// Argo's words for the end.
    public var message: String?
}

/// The releases of one rollout: a fold of its stream.
public struct ReleaseHistory: Sendable, Equatable {
    /// In the order of their start.
    public private(set) var rows: [ReleaseRow] = []

    /// None yet.
    public init() {}

    /// Folds one event of the stream.
    public mutating func fold(_ recorded: RecordedEvent, _ event: RolloutEvent) {
        switch event.fact {
        case .releaseStarted(let started):
            rows.append(
                ReleaseRow(
                    release: started.release, revision: started.revision, podTemplateHash: started.podTemplateHash,
                    images: started.images, trigger: started.trigger, actor: recorded.event.actor,
                    startedAt: event.at, startedPosition: recorded.position, outcome: .progressing))
        case .completed(let completed): end(.completed, completed.message, recorded, event)
        case .aborted(let aborted): end(.aborted, aborted.message, recorded, event)
        case .superseded(let superseded): end(.superseded, "superseded by release \(superseded.by)", recorded, event)
        default: break
        }
    }

    private mutating func end(
        _ outcome: ReleaseOutcome, _ message: String, _ recorded: RecordedEvent, _ event: RolloutEvent
    ) {
        guard let last = rows.indices.last, rows[last].outcome == .progressing else { return }
        rows[last].outcome = outcome
        rows[last].endedAt = event.at
        rows[last].endedPosition = recorded.position
        rows[last].endedBy = recorded.event.actor
        rows[last].message = message
    }
}
