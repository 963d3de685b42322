internal import Crypto
public import EventSourcing
internal import Foundation
internal import Postgres

/// Who the subjects of actors are: names, addresses and whatever else a person may ask to have forgotten.
///
/// The log names subjects only. What is known of one stands beside the log, each field sealed with AES-256-GCM under a key
/// of that subject alone. To erase a subject is to destroy the key, and the sealed fields with it; the log says that it was
/// done, and none of its bytes, hashes and proofs change. Backups that were made before still hold the key: they have to
/// expire as well.
public struct SubjectDirectory: Sendable {
    /// The wire name of the event that says that a subject was erased.
    public static let wireName = "ledger.subject-erased.v1"
    /// How many bytes a detail may have.
    public static let longestDetail = 4096

    let store: PostgresEventStore

    /// Works over a store.
    public init(store: PostgresEventStore) { self.store = store }

    /// Why details were not kept or not read.
    public enum Failure: Error, Sendable, Equatable, CustomStringConvertible {
        /// Neither the directory nor any event's actor has that subject.
        case unknown(subject: String)
        /// The subject was erased.
        case erased(subject: String)
        /// A field cannot be kept; what is wrong with it, and what to do.
        case unusable(field: String, String)
        /// A sealed field does not open under the subject's key: it was changed.
        case damaged(subject: String, field: String)

        /// A sentence for people.
        public var description: String {
            switch self {
            case .unknown(let subject):
                "nothing is known of \(subject): give the subject as the log has it; nothing was erased"
            case .erased(let subject): "\(subject) was erased: use another subject for a person who comes back"
            case .unusable(let field, let why): "\(field) \(why)"
            case .damaged(let subject, let field):
                "\(field) of \(subject) does not open under its key: it was changed; describe the subject anew"
            }
        }
    }

    /// Keeps details of a subject, each in place of what the field held before.
    ///
    /// - Throws: ``Failure``; `EventStoreFailure` when the ledger does not answer.
    public func describe(_ subject: String, _ details: [String: String]) async throws {
        guard !subject.isEmpty, !subject.utf8.contains(0) else {
            throw Failure.unusable(field: "subject", "is empty or holds U+0000: give the subject as the log has it")
        }
        for (field, value) in details {
            guard !field.isEmpty, !field.utf8.contains(0) else {
                throw Failure.unusable(field: "a field's name", "is empty or holds U+0000: give another")
            }
            guard value.utf8.count <= Self.longestDetail else {
                throw Failure.unusable(
                    field: field, "has \(value.utf8.count) bytes: at most \(Self.longestDetail) are kept")
            }
        }
        try await answering {
            let fresh = SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) }
            let found = try await store.pool.query("SELECT ledger.open_subject(\(subject), \(fresh))").single()
            guard let key = try found.get(0, as: [UInt8]?.self) else { throw Failure.erased(subject: subject) }
            let fields = details.keys.sorted()
            let sealed = try fields.map { field in
                try AES.GCM.seal(
                    Data((details[field] ?? "").utf8), using: SymmetricKey(data: key),
                    authenticating: Self.context(subject, field)
                ).combined.map { Array($0) } ?? []
            }
            let kept = try await store.pool.query(
                "SELECT ledger.describe_subject(\(subject), \(fields), \(sealed))"
            ).single().get(0, as: Bool.self)
            guard kept else { throw Failure.erased(subject: subject) }
        }
    }

    /// What is known of a subject; nil if nothing ever was, or it was erased.
    ///
    /// - Throws: ``Failure/damaged(subject:field:)``; `EventStoreFailure`.
    public func details(of subject: String) async throws -> [String: String]? {
        try await answering {
            let rows = try await store.pool.query(
                """
                SELECT s.key, d.field, d.sealed
                FROM ledger.subject s
                LEFT JOIN ledger.subject_detail d ON d.subject = s.name
                WHERE s.name = \(subject) AND s.key IS NOT NULL
                """)
            guard !rows.isEmpty else { return nil }
            var details: [String: String] = [:]
            for row in rows {
                guard let field = try row.get(1, as: String?.self) else { continue }
                do {
                    let opened = try AES.GCM.open(
                        AES.GCM.SealedBox(combined: Data(try row.get(2, as: [UInt8].self))),
                        using: SymmetricKey(data: try row.get(0, as: [UInt8].self)),
                        authenticating: Self.context(subject, field))
                    details[field] = String(decoding: opened, as: UTF8.self)
                } catch is CryptoKitError { throw Failure.damaged(subject: subject, field: field) }
            }
            return details
        }
    }

    /// What the event says.
    private struct Payload: Codable {
        var subject: String
        var reason: String
    }

    /// Forgets a subject for ever, and says so in the log; a repeat says nothing more.
    ///
    /// - Parameters:
    ///   - reason: Why; not empty, and without what is to be forgotten, because it stays.
    ///   - order: Minted once for the order.
    /// - Returns: Where the log says so.
    /// - Throws: ``Failure/unusable(field:_:)``; ``Failure/unknown(subject:)``, and then nothing was written;
    ///   `EventStoreFailure`, and then a repeat is needed.
    @discardableResult
    public func erase(
        _ subject: String, reason: String, order: Identifier, at: Instant, by actor: EventActor
    ) async throws -> Appended {
        guard !subject.isEmpty, !subject.utf8.contains(0) else {
            throw Failure.unusable(field: "subject", "is empty or holds U+0000: give the subject as the log has it")
        }
        guard !reason.isEmpty, !reason.utf8.contains(0) else {
            throw Failure.unusable(field: "reason", "is empty or holds U+0000: say why, for who asks later")
        }
        return try await answering {
            let row = try await store.pool.query(
                "SELECT ledger.erase_subject(\(subject), \(order.uuid))"
            ).single()
            guard let uuid = try row.get(0, as: UUID?.self) else { throw Failure.unknown(subject: subject) }
            let first = Identifier(uuid)
            // Under the order that came first: its receipt tells a repeat, also of one that was cut off before this.
            return try await store.append(
                Append(
                    stream: KeyHistory.stream, expecting: .any,
                    events: [
                        NewEvent(
                            id: first, type: Self.wireName, occurredAt: at, actor: actor, causation: nil,
                            correlation: first, data: CanonicalJSON.text(Payload(subject: subject, reason: reason)))
                    ], command: first))
        }
    }

    private static func context(_ subject: String, _ field: String) -> Data {
        Data("\(subject.utf8.count):\(subject)\(field)".utf8)
    }

    func answering<Value>(_ body: () async throws -> Value) async throws -> Value {
        do { return try await body() } catch let error as PostgresError { throw EventStoreFailure(reading: error) }
    }
}
