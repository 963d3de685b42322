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
public struct ReleaseHistory: Sendable, Equatable, Codable {
    /// In the order of their start.
    public private(set) var rows: [ReleaseRow] = []
    /// The first of `rows` that changed since ``takeChanged()``; what comes after it is newer and changed as well.
    private var firstChanged = 0

    /// None yet.
    public init() {}

    /// Folds one event of the stream.
    public mutating func fold(_ recorded: RecordedEvent, _ event: RolloutEvent) {
        fold(event, at: recorded.position, by: recorded.event.actor)
    }

    /// Folds one event of the stream, which stands at `position` and was caused by `actor`.
    mutating func fold(_ event: RolloutEvent, at position: GlobalPosition, by actor: EventActor) {
        switch event.fact {
        case .releaseStarted(let started):
            rows.append(
                ReleaseRow(
                    release: started.release, revision: started.revision, podTemplateHash: started.podTemplateHash,
                    images: started.images, trigger: started.trigger, actor: actor, startedAt: event.at,
                    startedPosition: position, outcome: .progressing))
        case .completed(let completed): end(.completed, completed.message, event.at, position, actor)
        case .aborted(let aborted): end(.aborted, aborted.message, event.at, position, actor)
        case .superseded(let superseded):
            end(.superseded, "superseded by release \(superseded.by)", event.at, position, actor)
        default: break
        }
    }

    /// The rows that changed since the last call; only one that is under way is kept, since the others are final.
    mutating func takeChanged() -> [ReleaseRow] {
        let changed = Array(rows[firstChanged...])
        rows.removeAll { $0.outcome != .progressing }
        rows = rows.suffix(1)
        firstChanged = rows.count
        return changed
    }

    /// The rows that have ended, which nothing changes any more, and forgets them.
    mutating func takeEnded() -> [ReleaseRow] {
        let ended = rows.filter { $0.outcome != .progressing }
        if !ended.isEmpty {
            rows.removeAll { $0.outcome != .progressing }
            firstChanged = 0
        }
        return ended
    }

    private mutating func end(
        _ outcome: ReleaseOutcome, _ message: String, _ at: Instant, _ position: GlobalPosition, _ actor: EventActor
    ) {
        guard let last = rows.indices.last, rows[last].outcome == .progressing else { return }
        rows[last].outcome = outcome
        rows[last].endedAt = at
        rows[last].endedPosition = position
        rows[last].endedBy = actor
        rows[last].message = message
        firstChanged = min(firstChanged, last)
    }
}
