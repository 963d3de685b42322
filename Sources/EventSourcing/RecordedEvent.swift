/// An event that is about to be appended: everything but its place, which the store gives.
public struct NewEvent: Sendable, Hashable {
    /// Minted once by the caller and kept across retries.
    public var id: Identifier
    /// Wire name with version, such as `rollout.weight-decided.v1`.
    public var type: String
    /// When it happened out there.
    public var occurredAt: Instant
    /// Who caused it.
    public var actor: EventActor
    /// The event or command that led directly to it; `nil` for events from outside.
    public var causation: Identifier?
    /// The release it belongs to; outside a release, the command.
    public var correlation: Identifier
    /// The payload: JSON text, exactly as it will be hashed and given back.
    public var data: String
    /// JSON text of what no fold needs: request id, client, decider version.
    public var metadata: String

    /// Makes an event.
    public init(
        id: Identifier, type: String, occurredAt: Instant, actor: EventActor, causation: Identifier?,
        correlation: Identifier, data: String, metadata: String = "{}"
    ) {
        self.id = id
        self.type = type
        self.occurredAt = occurredAt
        self.actor = actor
        self.causation = causation
        self.correlation = correlation
        self.data = data
        self.metadata = metadata
    }
}

/// An event as it stands in the log.
public struct RecordedEvent: Sendable, Hashable {
    /// Place in the whole log.
    public var position: GlobalPosition
    /// The log's epoch; grows when a log that was cut short goes on.
    public var epoch: Int
    /// The stream it stands in.
    public var stream: StreamName
    /// Place in the stream, from 1.
    public var version: StreamVersion
    /// When the store wrote it; never decreases with position.
    public var recordedAt: Instant
    /// What was appended.
    public var event: NewEvent

    /// Makes a recorded event.
    public init(
        position: GlobalPosition, epoch: Int, stream: StreamName, version: StreamVersion, recordedAt: Instant,
        event: NewEvent
    ) {
        self.position = position
        self.epoch = epoch
        self.stream = stream
        self.version = version
        self.recordedAt = recordedAt
        self.event = event
    }
}
