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
        var hash = SHA256()
        func add(_ bytes: [UInt8]?) {
            withUnsafeBytes(of: Int32(bytes?.count ?? -1).bigEndian) { hash.update(bufferPointer: $0) }
            if let bytes { hash.update(data: bytes) }
        }
        func add(_ text: String?) { add(text.map { Array($0.utf8) }) }
        func add(_ id: Identifier?) { add(id.map { id in withUnsafeBytes(of: id.uuid.uuid) { Array($0) } }) }
        add("rollbook.event.v1")
        add(event.type)
        add(withUnsafeBytes(of: event.occurredAt.microseconds.bigEndian) { Array($0) })
        add(event.correlation)
        add(event.causation)
        add(event.actor.subject)
        add(event.actor.issuer)
        add(event.actor.method.rawValue)
        add(event.actor.onBehalfOf)
        add(event.data)
        add(event.metadata)
        return Array(hash.finalize())
    }
}
