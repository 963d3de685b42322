/// That a later tree head extends an earlier one: nothing below it was changed, removed or put in between.
public struct ConsistencyDocument: Sendable, Equatable, Codable {
    /// What ``format`` says.
    public static let format = "rollbook.consistency-proof.v1"

    /// Tells the kinds of proof apart.
    public var format = Self.format
    /// The earlier signed head.
    public var oldTreeHead: String
    /// The later signed head.
    public var newTreeHead: String
    /// As in RFC 9162 §2.1.4.
    public var path: [String]
    /// The announcements of keys that a reader may have to follow from an older key, in order.
    public var announcements: [String]

    /// Gathers them.
    public init(oldTreeHead: String, newTreeHead: String, path: [String], announcements: [String]) {
        self.oldTreeHead = oldTreeHead
        self.newTreeHead = newTreeHead
        self.path = path
        self.announcements = announcements
    }

    func verify(trusting keys: [VerifierKey]) throws(ProofDocument.Problem) -> String {
        let (old, _) = try ProofDocument.signedHead(oldTreeHead, announcements: announcements, trusting: keys)
        let (new, key) = try ProofDocument.signedHead(newTreeHead, announcements: announcements, trusting: keys)
        guard old.origin == new.origin else {
            throw .invalid("the heads are of two logs, \(old.origin) and \(new.origin)")
        }
        guard
            ProofCheck.isConsistent(
                oldSize: old.size, oldRoot: old.root, newSize: new.size, newRoot: new.root,
                path: try ProofDocument.hashes(path, field: "path"))
        else { throw .invalid("the log of \(new.size) events does not begin with that of \(old.size)") }
        return "the log \(new.origin) of \(new.size) events begins with that of \(old.size) events, signed by \(key)"
    }
}
