public import EventSourcing
internal import Foundation
public import Transparency

/// The log's own record of its keys: which key announced which, and when.
public struct KeyHistory: Sendable {
    /// The wire name of an announcement.
    public static let wireName = "ledger.key-announced.v1"
    /// The stream about the log itself.
    public static let stream = StreamName("ledger")!

    /// An announcement in the log.
    public struct Entry: Sendable {
        /// Where it stands.
        public var position: GlobalPosition
        /// What it says.
        public var announcement: KeyAnnouncement
    }

    /// In the order of the log.
    public var entries: [Entry]
    /// The version of the stream, for who wants to append another.
    public var version: StreamVersion
    /// Why some of a damaged log cannot be read, which are passed over.
    var unreadable: [SealHalt] = []

    private struct Payload: Codable { var note: String }

    /// Reads the announcements.
    ///
    /// - Throws: `EventStoreFailure`; ``SealHalt`` for one that cannot be read.
    public static func read(_ store: some EventReader) async throws -> KeyHistory {
        try await read {
            try await store.read(stream, after: $0, through: nil, backwards: false, limit: 500).whole()
        }
    }

    /// Reads the announcements in a log that may be damaged: one that is missing, or cannot be read, is passed over.
    static func readWhatIsThere(_ store: PostgresEventStore) async throws -> KeyHistory {
        try await read(passingOver: true) {
            try await StreamRead(stream, after: $0, limit: 500).there(store.pool).events
        }
    }

    private static func read(
        passingOver isLenient: Bool = false, _ next: (StreamVersion) async throws -> [RecordedEvent]
    ) async throws -> KeyHistory {
        var history = KeyHistory(entries: [], version: .none)
        while true {
            let page = try await next(history.version)
            for recorded in page where recorded.event.type == wireName {
                do {
                    let payload: Payload = try CanonicalJSON.read(from: recorded.event.data)
                    history.entries.append(
                        Entry(position: recorded.position, announcement: try KeyAnnouncement(payload.note)))
                } catch {
                    let halt = SealHalt(
                        "the announcement of a key at position \(recorded.position) cannot be read: \(error)")
                    guard isLenient else { throw halt }
                    history.unreadable.append(halt)
                }
            }
            guard let last = page.last else { return history }
            history.version = last.version
        }
    }

    /// The keys that may sign a head of `size` events, for who trusts `keys`.
    ///
    /// An announcement that leads on from none of them is passed over.
    public func chain(from keys: [VerifierKey], size: Int64 = .max) -> KeyChain {
        var chain = KeyChain(keys)
        for entry in entries where entry.position.value <= size {
            do { try chain.follow(entry.announcement) } catch { continue }
        }
        return chain
    }

    /// Whether `key` was announced, or has announced another one.
    private func names(_ key: VerifierKey) -> Bool {
        entries.contains { $0.announcement.next == key || $0.announcement.isSigned(by: key) }
    }

    /// Announces `next` in the log, signed by the key before; says where it stands.
    ///
    /// - Throws: ``SigningFailure`` if `current` is not the log's key now, or has another name, or if `next` is that key
    ///   already, or ever was; ``SealHalt`` if the log's key cannot be told; `EventStoreFailure`, `PostgresError`.
    @discardableResult
    public static func announce(
        _ next: VerifierKey, signedBy current: any LogSigner, in store: PostgresEventStore, id: Identifier, at: Instant,
        actor: EventActor
    ) async throws -> Appended {
        guard next.name == current.verifier.name else {
            throw SigningFailure(
                "the new key is one of \(next.name), the log is \(current.verifier.name): make a key with that name")
        }
        let history = try await read(store)
        // The key that has signed says whose the log is: announcements that came with imported events lead to another one's.
        var first = current.verifier
        if let head = try await TreeTables.head(of: nil, store.pool) {
            guard let key = VerifierKey(head.signer) else {
                throw SealHalt(
                    "the last tree head is said to be signed by \"\(head.signer)\", which is no verifier key")
            }
            first = key
        }
        let chain = history.chain(from: [first])
        if let last = chain.keys.last, last != current.verifier {
            throw SigningFailure("the log's key is \(last) now, not \(current.verifier)")
        }
        // Also one from before the last tree head: a chain cannot come back to where it was.
        guard !chain.keys.contains(next), !history.names(next) else {
            throw SigningFailure("\(next) is the log's key, or has been: make a new one with `rollbook keygen`")
        }
        let note = try await current.signed(KeyAnnouncement.text(next))
        let event = NewEvent(
            id: id, type: wireName, occurredAt: at, actor: actor, causation: nil, correlation: id,
            data: CanonicalJSON.text(Payload(note: note.description)))
        return try await store.append(
            Append(stream: stream, expecting: .exactly(history.version), events: [event]))
    }
}
