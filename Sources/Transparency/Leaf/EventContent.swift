/// What was appended, as far as its hash covers it: everything but the event's id and its place.
///
/// `Text` is what texts are kept as, `ID` what UUIDs are (16 bytes).
public struct EventContent<Text: HashedPart, ID: HashedPart> {
    /// The first part of what is hashed.
    public static var tag: String { "rollbook.event.v1" }

    /// The wire name with version.
    public var type: Text
    /// Microseconds since 1970-01-01T00:00:00Z.
    public var occurredAt: Int64
    /// The release; 16 bytes.
    public var correlation: ID
    /// What led to it; 16 bytes, or absent.
    public var causation: ID?
    /// Who caused it.
    public var subject: Text
    /// Who says so.
    public var issuer: Text
    /// How it was established.
    public var method: Text
    /// For whom the subject acted, if another.
    public var onBehalfOf: Text?
    /// The payload, exactly.
    public var data: Text
    /// What no fold needs, exactly.
    public var metadata: Text

    /// Gathers them.
    public init(
        type: Text, occurredAt: Int64, correlation: ID, causation: ID?, subject: Text, issuer: Text,
        method: Text, onBehalfOf: Text?, data: Text, metadata: Text
    ) {
        self.type = type
        self.occurredAt = occurredAt
        self.correlation = correlation
        self.causation = causation
        self.subject = subject
        self.issuer = issuer
        self.method = method
        self.onBehalfOf = onBehalfOf
        self.data = data
        self.metadata = metadata
    }

    /// The content hash; `parts` is memory to work in.
    public func hash(using parts: inout HashedParts) -> MerkleHash {
        parts.removeAll()
        parts.add(Self.tag)
        type.add(to: &parts)
        parts.add(occurredAt)
        correlation.add(to: &parts)
        if let causation { causation.add(to: &parts) } else { parts.addNothing() }
        subject.add(to: &parts)
        issuer.add(to: &parts)
        method.add(to: &parts)
        if let onBehalfOf { onBehalfOf.add(to: &parts) } else { parts.addNothing() }
        data.add(to: &parts)
        metadata.add(to: &parts)
        return parts.sha256
    }
}
