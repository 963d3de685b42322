public import EventSourcing

/// Answers auditors' questions about the whole log; the port to its index.
public protocol AuditTrail: Sendable {
    /// The newest entries that `query` asks for.
    ///
    /// - Throws: ``AuditQuery/NoWord``; `EventStoreFailure`.
    func page(_ query: AuditQuery) async throws -> AuditPage
}

/// What an auditor asks; entries must fulfil all that is given.
public struct AuditQuery: Sendable, Equatable {
    /// The rollout that they are about.
    public var rollout: RolloutName?
    /// A prefix of stream names.
    public var streamPrefix: String?
    /// The subject of their actor.
    public var actor: String?
    /// Wire names (with version); empty wants every type.
    public var types: [String]
    /// The release or command they belong to.
    public var correlation: Identifier?
    /// The event's id.
    public var event: Identifier?
    /// Words that all stand in the reason that was given, in any order and case.
    public var text: String?
    /// Recorded at or after.
    public var from: Instant?
    /// Recorded before or at.
    public var until: Instant?
    /// Only entries before this position: where the page before ended.
    public var before: GlobalPosition?
    /// How many entries at the most, from 1.
    public var limit: Int

    /// The text has no word that could be looked for.
    public struct NoWord: Error, Sendable, Equatable {
        /// The text.
        public var text: String

        /// Makes the error.
        public init(text: String) { self.text = text }
    }

    /// Makes a query.
    public init(
        rollout: RolloutName? = nil, streamPrefix: String? = nil, actor: String? = nil, types: [String] = [],
        correlation: Identifier? = nil, event: Identifier? = nil, text: String? = nil, from: Instant? = nil,
        until: Instant? = nil, before: GlobalPosition? = nil, limit: Int = 100
    ) {
        self.rollout = rollout
        self.streamPrefix = streamPrefix
        self.actor = actor
        self.types = types
        self.correlation = correlation
        self.event = event
        self.text = text
        self.from = from
        self.until = until
        self.before = before
        self.limit = limit
    }
}

/// Entries, the newest first.
public struct AuditPage: Sendable, Equatable, Codable {
    /// The newest first.
    public var entries: [AuditEntry]
    /// Every event up to here was looked at, and none after it.
    public var position: GlobalPosition
    /// Where the next page begins (``AuditQuery/before``); `nil` if there is none.
    public var next: GlobalPosition?

    /// Makes a page.
    public init(entries: [AuditEntry], position: GlobalPosition, next: GlobalPosition?) {
        self.entries = entries
        self.position = position
        self.next = next
    }
}

/// One event as an auditor reads it: when, where, who, what, why.
public struct AuditEntry: Sendable, Equatable, Codable {
    /// Place in the whole log.
    public var position: GlobalPosition
    /// When it was recorded.
    public var recordedAt: Instant
    /// The stream it stands in.
    public var stream: String
    /// The event's id.
    public var id: Identifier
    /// Wire name with version.
    public var type: String
    /// Who caused it.
    public var actor: EventActor
    /// The release or command it belongs to.
    public var correlation: Identifier
    /// The reason that was given, if one was.
    public var reason: String?
    /// When it happened; `nil` if the event itself is not at hand, because its part of the log is archived.
    public var at: Instant?
    /// Place in the stream; `nil` as above.
    public var version: StreamVersion?
    /// The event or command that led to it.
    public var causation: Identifier?
    /// What happened, in one line; the type if there is no better word.
    public var text: String

    /// Makes an entry of what its index knows.
    public init(
        position: GlobalPosition, recordedAt: Instant, stream: String, id: Identifier, type: String, actor: EventActor,
        correlation: Identifier, reason: String?
    ) {
        self.position = position
        self.recordedAt = recordedAt
        self.stream = stream
        self.id = id
        self.type = type
        self.actor = actor
        self.correlation = correlation
        self.reason = reason
        text = type
    }

    /// Adds what the event itself says.
    public mutating func complete(at: Instant, version: StreamVersion, causation: Identifier?, data: String) {
        self.at = at
        self.version = version
        self.causation = causation
        guard type.hasPrefix("rollout.") else { return }
        do throws(UnreadableEvent) {
            text = try RolloutFact.words(type: type, data: data, occurredAt: at)
        } catch {
            text = error.description
        }
    }
}
