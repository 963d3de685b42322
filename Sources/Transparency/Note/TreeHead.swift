/// How many leaves the log had, and the hash over them; what a signed tree head says.
///
/// - Source: C2SP tlog-checkpoint. (We call it a tree head: a checkpoint is a projector's place.)
public struct TreeHead: Sendable, Hashable {
    /// Which log; see ``origin(of:epoch:)``.
    public let origin: String
    /// How many leaves.
    public let size: Int64
    /// The root hash.
    public let root: MerkleHash

    /// Makes a head.
    ///
    /// - Precondition: `size >= 0`, and `origin` is one line of text.
    public init(origin: String, size: Int64, root: MerkleHash) {
        precondition(size >= 0 && !origin.isEmpty && !origin.utf8.contains(0x0A), "\(origin), \(size)")
        self.origin = origin
        self.size = size
        self.root = root
    }

    /// The origin of the log that is called `name` in a log epoch.
    ///
    /// A log that was cut short goes on in a new epoch, and under a new origin: its heads need not extend those of the
    /// old one. The first epoch has the bare name.
    public static func origin(of name: String, epoch: Int) -> String {
        epoch == 1 ? name : "\(name)/epoch-\(epoch)"
    }

    /// The epoch in an origin of the log that is called `name`; `nil` if it is another log's.
    public static func epoch(ofOrigin origin: String, name: String) -> Int? {
        if origin == name { return 1 }
        guard origin.hasPrefix(name + "/epoch-"), let epoch = Int(origin.dropFirst(name.count + 7)), epoch > 1,
            Self.origin(of: name, epoch: epoch) == origin
        else { return nil }
        return epoch
    }

    /// What is signed: origin, size and root, a line each.
    public var noteText: String { "\(origin)\n\(size)\n\(root.base64)\n" }

    /// Reads the text of a note; lines after the third are passed over, as the format asks.
    ///
    /// - Throws: ``SignedNote/Problem/malformed(_:)``.
    public init(noteText text: String) throws(SignedNote.Problem) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        guard lines.count >= 3, !lines.contains(where: \.isEmpty) else {
            throw .malformed("a tree head has an origin, a size and a root, a line each")
        }
        guard let size = Int64(lines[1]), size >= 0, String(size) == lines[1] else {
            throw .malformed("\"\(lines[1])\" is no size of a tree")
        }
        guard let root = MerkleHash(base64: lines[2]) else {
            throw .malformed("\"\(lines[2])\" is no SHA-256 hash in base64")
        }
        self.init(origin: String(lines[0]), size: size, root: root)
    }
}

/// A tree head as it was signed.
public struct SignedTreeHead: Sendable, Hashable {
    /// The note.
    public let note: SignedNote
    /// What it says.
    public let head: TreeHead

    /// Reads a note with a tree head in it; its signatures are not looked at.
    ///
    /// - Throws: ``SignedNote/Problem/malformed(_:)``.
    public init(_ note: String) throws(SignedNote.Problem) {
        self.note = try SignedNote(note)
        head = try TreeHead(noteText: self.note.text)
    }

    /// Joins a head with signatures over its text.
    ///
    /// - Throws: ``SignedNote/Problem/malformed(_:)``.
    public init(_ head: TreeHead, signatures: [SignedNote.Signature]) throws(SignedNote.Problem) {
        self.head = head
        note = try SignedNote(text: head.noteText, signatures: signatures)
    }

    /// The key, of those that are trusted, that has signed it for its own log.
    ///
    /// - Throws: ``SignedNote/Problem``, also when the signer's name is not that of the origin.
    @discardableResult
    public func verified(by keys: [VerifierKey]) throws(SignedNote.Problem) -> VerifierKey {
        let signers = try note.verified(by: keys)
        guard let signer = signers.first(where: { TreeHead.epoch(ofOrigin: head.origin, name: $0.name) != nil }) else {
            throw .malformed("\(signers[0].name) has signed a tree head of another log, \(head.origin)")
        }
        return signer
    }
}
