public import EventSourcing
internal import Foundation
internal import Transparency

/// What the ledger keeps beside each event's content, so that a later change of any byte of it shows.
public enum ContentHash {
    /// SHA-256 over the event's content, 32 bytes, as `Sources/Transparency/FORMAT.md` says it byte by byte.
    public static func of(_ event: NewEvent) -> [UInt8] {
        var parts = HashedParts()
        let content = EventContent(
            type: event.type, occurredAt: event.occurredAt.microseconds, correlation: IDPart(event.correlation),
            causation: event.causation.map(IDPart.init), subject: event.actor.subject, issuer: event.actor.issuer,
            method: event.actor.method.rawValue, onBehalfOf: event.actor.onBehalfOf, data: event.data,
            metadata: event.metadata)
        return content.hash(using: &parts).bytes
    }

    /// The 16 bytes of an id.
    private struct IDPart: HashedPart {
        let id: Identifier

        init(_ id: Identifier) { self.id = id }

        func add(to parts: inout HashedParts) { withUnsafeBytes(of: id.uuid.uuid) { parts.add($0) } }
    }
}
