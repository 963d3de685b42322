public import Delivery
public import EventSourcing
import HTTPTypes
import Hummingbird

/// What an order to one rollout is answered with.
public struct ActionReply: Sendable, Equatable, Codable {
    /// The rollout's cluster.
    public var cluster: String
    /// Its namespace.
    public var namespace: String
    /// Its name.
    public var name: String
    /// The stream's version after the order.
    public var version: StreamVersion
    /// A reader that has reached this position sees what the order did.
    public var position: GlobalPosition
    /// The decision version after it.
    public var decisionVersion: Int
    /// How the rollout stands after it.
    public var phase: RolloutPhase
    /// Why, in Argo's words.
    public var message: String
    /// The release that is under way, or the last one.
    public var release: Identifier?
    /// Whether the order changed anything.
    public var changed: Bool
    /// Whether the same order (by its Idempotency-Key) had been carried out before.
    public var duplicate: Bool
}

/// What `apply` is answered with.
public struct ApplyReply: Sendable, Equatable, Codable {
    /// What was taken, templates first.
    public var applied: [AppliedDocument]
    /// What lint had to say.
    public var warnings: [ManifestProblem]
}

/// One document that was taken.
public struct AppliedDocument: Sendable, Equatable, Codable {
    /// Such as `Rollout`.
    public var kind: String
    /// Its cluster.
    public var cluster: String
    /// Its namespace; `nil` for what has none.
    public var namespace: String?
    /// Its name.
    public var name: String
    /// What became of it.
    public var result: Outcome
    /// The stream's version after it.
    public var version: StreamVersion
    /// A reader that has reached this position sees it.
    public var position: GlobalPosition
    /// The release that is under way, or the last one; `nil` for a template.
    public var release: Identifier?

    /// What became of a document; kubectl's words.
    public enum Outcome: String, Sendable, Codable {
        /// It is new.
        case created
        /// It has changed.
        case configured
        /// It was so already.
        case unchanged
    }
}

/// What `lint` is answered with.
public struct LintReply: Sendable, Equatable, Codable {
    /// Whether the documents would be taken.
    public var valid: Bool
    /// Everything there is to say.
    public var problems: [ManifestProblem]
}

/// A list and what it reflects.
public struct RolloutList: Sendable, Equatable, Codable {
    /// By cluster, namespace, name.
    public var rollouts: [RolloutSummaryRow]
    /// Every event up to here is in the rows.
    public var position: GlobalPosition
}

/// The history of one rollout.
public struct HistoryReply: Sendable, Equatable, Codable {
    /// In the order of the log.
    public var events: [HistoryEntry]
    /// Its releases, in the order of their start.
    public var releases: [ReleaseRow]
}

/// The last events of one rollout.
public struct HistoryTail: Sendable, Equatable, Codable {
    /// In the order of the log.
    public var events: [HistoryEntry]
}

/// The aborts of one rollout.
public struct AuditReply: Sendable, Equatable, Codable {
    /// In the order of the log.
    public var aborts: [AbortAudit]
}

/// A replay of one rollout.
public struct ReplayReply: Sendable, Equatable, Codable {
    /// In the order of the log.
    public var frames: [ReplayFrame]
}

/// An event as the API gives it.
public struct EventReply: Sendable, Equatable, Codable {
    /// Place in the whole log.
    public var position: GlobalPosition
    /// The log's epoch.
    public var epoch: Int
    /// The stream it stands in.
    public var stream: StreamName
    /// Place in the stream.
    public var version: StreamVersion
    /// The event's id.
    public var id: Identifier
    /// Wire name with version.
    public var type: String
    /// When it happened.
    public var occurredAt: Instant
    /// When it was recorded.
    public var recordedAt: Instant
    /// Who caused it.
    public var actor: EventActor
    /// The event or command that led to it.
    public var causation: Identifier?
    /// The release or command it belongs to.
    public var correlation: Identifier
    /// The payload.
    public var data: JSONValue
    /// What no fold needs.
    public var metadata: JSONValue

    /// Shows a recorded event.
    /// - Throws: `DecodingError` if the log holds text that is no JSON.
    public init(_ recorded: RecordedEvent) throws {
        position = recorded.position
        epoch = recorded.epoch
        stream = recorded.stream
        version = recorded.version
        id = recorded.event.id
        type = recorded.event.type
        occurredAt = recorded.event.occurredAt
        recordedAt = recorded.recordedAt
        actor = recorded.event.actor
        causation = recorded.event.causation
        correlation = recorded.event.correlation
        data = try CanonicalJSON.read(from: recorded.event.data)
        metadata = try CanonicalJSON.read(from: recorded.event.metadata)
    }
}

/// A page of events.
public struct EventPage: Sendable, Equatable, Codable {
    /// In the order that was asked for.
    public var events: [EventReply]
    /// Give it as `cursor` for the next page; `nil` on the last one.
    public var next: String?
    /// The log's last position.
    public var head: GlobalPosition
}

/// A page of one stream.
public struct StreamEvents: Sendable, Equatable, Codable {
    /// The stream.
    public var stream: StreamName
    /// The version of its last event.
    public var version: StreamVersion
    /// In the order that was asked for.
    public var events: [EventReply]
    /// Give it as `cursor` for the next page; `nil` on the last one.
    public var next: String?
}

extension Response {
    /// A JSON answer.
    static func json(
        _ value: some Encodable, status: HTTPResponse.Status = .ok, type: String = "application/json",
        headers: HTTPFields = [:]
    ) -> Response {
        var headers = headers
        headers[.contentType] = type
        headers[.cacheControl] = "no-store"
        return Response(
            status: status, headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(string: CanonicalJSON.text(value) + "\n")))
    }
}

extension HTTPFields {
    /// The ETag of a decision version.
    static func eTag(_ decisionVersion: Int) -> HTTPFields { [.eTag: "\"\(decisionVersion)\""] }
}
