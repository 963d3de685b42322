internal import Crypto
public import EventSourcing
internal import Foundation

/// What the ledger keeps beside each event's content, so that a later change of any byte of it shows.
public enum ContentHash {
    /// SHA-256 over the event's content, 32 bytes.
    ///
    /// The parts, in order: `rollbook.event.v1`, type, occurred at (microseconds since 1970, 8 bytes), correlation and
    /// causation (16 bytes each), the actor's subject, issuer, method and on-behalf-of, data, metadata. Before each stands
    /// its length in bytes as 4 bytes, the most significant first; a part that is absent has the length -1.
    public static func of(_ event: NewEvent) -> [UInt8] {
        var content = ByteWriter(capacity: 256 + event.data.utf8.count + event.metadata.utf8.count)
        content.part("rollbook.event.v1")
        content.part(event.type)
        content.int32(8)
        content.int64(event.occurredAt.microseconds)
        content.part(event.correlation)
        content.part(event.causation)
        content.part(event.actor.subject)
        content.part(event.actor.issuer)
        content.part(event.actor.method.rawValue)
        content.part(event.actor.onBehalfOf)
        content.part(event.data)
        content.part(event.metadata)
        return Array(SHA256.hash(data: content.bytes))
    }
}

extension ByteWriter {
    /// A text with its length before it; -1 for none.
    fileprivate mutating func part(_ text: String?) {
        if let text { counted { $0.utf8(text) } } else { int32(-1) }
    }

    /// The 16 bytes of an id with their number before them; -1 for none.
    fileprivate mutating func part(_ id: Identifier?) {
        if let id { counted { $0.uuid(id.uuid) } } else { int32(-1) }
    }
}
