/// What a verification of the log came to.
public struct VerifyReport: Sendable, Equatable, Codable {
    /// Something that is not as it was recorded.
    public struct Finding: Sendable, Equatable, Codable {
        /// What kind of thing is wrong; a closed list.
        public enum Kind: String, Sendable, Codable, CaseIterable {
            /// There is no event at a position, or at positions up to `through`.
            case missing
            /// An event's content does not have the hash that stands beside it.
            case content
            /// An event is another one than the one that was sealed at this position.
            case leaf
            /// An event has not the version that follows its stream's last.
            case version
            /// An event was recorded before the one in front of it.
            case time
            /// An event has an earlier epoch than the one in front of it.
            case epoch
            /// An event names a stream, a type or an actor that is not there.
            case name
            /// A stored tile is missing, or is not made of the hashes below it.
            case tile
            /// A stored tree head has another root than the log up to there.
            case head
            /// A stored tree head is not signed by a key of the log.
            case signature
            /// The log up to a tree head that was held outside has another root: it was rewritten.
            case fork
            /// The file of an archived range is missing, damaged, or another one.
            case archive
            /// The log is shorter than a tree head that was held outside, or than what was sealed.
            case cut
        }

        /// The position where it shows; with ``through``, the first of those among which it lies.
        public var position: Int64
        /// The last of those positions, if it cannot be said more exactly.
        public var through: Int64?
        /// What kind of thing is wrong.
        public var kind: Kind
        /// What is wrong, for people.
        public var detail: String

        /// Makes a finding.
        public init(_ kind: Kind, at position: Int64, through: Int64? = nil, _ detail: String) {
            self.kind = kind
            self.position = position
            self.through = through
            self.detail = detail
        }
    }

    /// How many findings are kept; the rest is only counted.
    public static let mostFindings = 100

    /// Whether nothing is wrong.
    public var intact: Bool { findings.isEmpty }
    /// The last position that was read.
    public var through: Int64
    /// How many events were read.
    public var events: Int64
    /// How many of them are under a signed head in the database.
    public var sealed: Int64
    /// How many stored heads were compared.
    public var storedHeads: Int
    /// How many heads from outside were compared.
    public var outsideHeads: Int
    /// The root of the log up to ``through``, base64.
    public var root: String
    /// What is wrong, the lowest position first; at the end signatures that do not count, of heads, and records of archives
    /// that may only follow from what is wrong before.
    public var findings: [Finding]
    /// How many more findings there are.
    public var moreFindings: Int
    /// What was not looked at, and why.
    public var remarks: [String]
    /// How many events stand in archives alone.
    public var archived: Int64 = 0
    /// How many archive files were looked at.
    public var archives = 0

    /// Puts the findings in order, and `following` at the end.
    mutating func sort(behind following: [Finding]) {
        func rank(_ finding: Finding) -> (Int, Int64, Int64) {
            (finding.kind == .signature ? 1 : 0, finding.position, finding.through ?? finding.position)
        }
        findings.sort { rank($0) < rank($1) }
        findings += following
        guard findings.count > Self.mostFindings else { return }
        moreFindings += findings.count - Self.mostFindings
        findings.removeLast(findings.count - Self.mostFindings)
    }

    /// The first bad position; nil if there is none.
    public var firstBadPosition: Int64? { findings.first?.position }
}
