/// That a log will sign with another key from now on, said under the old key.
///
/// Its note is the payload of `ledger.key-announced.v1`.
public struct KeyAnnouncement: Sendable, Hashable {
    /// The first line of what is signed.
    public static let tag = "rollbook.key-announced.v1"

    /// The key to come.
    public let next: VerifierKey
    /// What is signed, with the signature of the key before.
    public let note: SignedNote

    /// Announces `next` under `current`; both must be of one log.
    ///
    /// - Throws: ``SignedNote/Problem/malformed(_:)`` if their names differ.
    public init(_ next: VerifierKey, signedWith current: SigningKey) throws(SignedNote.Problem) {
        let signature = current.signature(over: Array(Self.text(next).utf8))
        try self.init(
            next,
            signature: SignedNote.Signature(name: current.verifier.name, keyID: current.verifier.id, bytes: signature))
    }

    /// Joins what is announced with a signature over ``text(_:)``.
    ///
    /// - Throws: ``SignedNote/Problem/malformed(_:)`` if the signer is of another log.
    public init(_ next: VerifierKey, signature: SignedNote.Signature) throws(SignedNote.Problem) {
        guard next.name == signature.name else {
            throw .malformed("a key of \(signature.name) cannot announce one of \(next.name)")
        }
        self.next = next
        note = try SignedNote(text: Self.text(next), signatures: [signature])
    }

    /// Whether `key` has made it.
    public func isSigned(by key: VerifierKey) -> Bool {
        do throws(SignedNote.Problem) {
            return try !note.verified(by: [key]).isEmpty
        } catch { return false }
    }

    /// Reads a note; its signature is not looked at.
    ///
    /// - Throws: ``SignedNote/Problem/malformed(_:)``.
    public init(_ text: String) throws(SignedNote.Problem) {
        note = try SignedNote(text)
        let lines = note.text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count == 3, lines[0] == Self.tag, let key = VerifierKey(String(lines[1])), lines[2].isEmpty else {
            throw .malformed("an announcement has the line \(Self.tag) and a verifier key")
        }
        next = key
    }

    /// What is signed: the tag and the key, a line each.
    public static func text(_ next: VerifierKey) -> String { "\(tag)\n\(next)\n" }
}

/// The keys that may sign for a log: those that are trusted, and those that they announced, in order.
public struct KeyChain: Sendable, Equatable {
    /// In the order in which they came to be trusted.
    public private(set) var keys: [VerifierKey]

    /// Trusts `keys`.
    public init(_ keys: [VerifierKey]) { self.keys = keys }

    /// Trusts what `announcement` names, if a key that is trusted has signed it.
    ///
    /// - Throws: ``SignedNote/Problem`` otherwise.
    public mutating func follow(_ announcement: KeyAnnouncement) throws(SignedNote.Problem) {
        let signers = try announcement.note.verified(by: keys)
        guard signers.contains(where: { $0.name == announcement.next.name }) else {
            throw .malformed("\(signers[0].name) has announced a key of another log, \(announcement.next.name)")
        }
        if !keys.contains(announcement.next) { keys.append(announcement.next) }
    }
}
