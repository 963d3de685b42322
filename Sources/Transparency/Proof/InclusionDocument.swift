/// That an event stands at its position in the log whose signed head is given.
public struct InclusionDocument: Sendable, Equatable, Codable {
    /// What ``format`` says.
    public static let format = "rollbook.inclusion-proof.v1"

    /// What the leaf is made of.
    public struct Leaf: Sendable, Equatable, Codable {
        /// The place in the log, from 1.
        public var position: Int64
        /// The log epoch.
        public var epoch: Int64
        /// The name of the stream.
        public var stream: String
        /// The place in the stream, from 1.
        public var version: Int64
        /// The event's id.
        public var event: String
        /// Microseconds.
        public var recordedAt: Int64
        /// SHA-256 of the content.
        public var contentHash: String

        /// Gathers them.
        public init(
            position: Int64, epoch: Int64, stream: String, version: Int64, event: String, recordedAt: Int64,
            contentHash: String
        ) {
            self.position = position
            self.epoch = epoch
            self.stream = stream
            self.version = version
            self.event = event
            self.recordedAt = recordedAt
            self.contentHash = contentHash
        }
    }

    /// What was appended, as the content hash covers it.
    public struct Content: Sendable, Equatable, Codable {
        /// The wire name with version.
        public var type: String
        /// Microseconds.
        public var occurredAt: Int64
        /// The release.
        public var correlation: String
        /// What led to it.
        public var causation: String?
        /// Who.
        public var subject: String
        /// Who says so.
        public var issuer: String
        /// How it was established.
        public var method: String
        /// For whom.
        public var onBehalfOf: String?
        /// The payload, as text.
        public var data: String
        /// The metadata, as text.
        public var metadata: String

        /// Gathers them.
        public init(
            type: String, occurredAt: Int64, correlation: String, causation: String?, subject: String, issuer: String,
            method: String, onBehalfOf: String?, data: String, metadata: String
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

        /// The content hash.
        func hash() throws(ProofDocument.Problem) -> MerkleHash {
            var parts = HashedParts()
            var cause: [UInt8]?
            if let causation { cause = try ProofDocument.uuid(causation, field: "content.causation") }
            return EventContent(
                type: type, occurredAt: occurredAt,
                correlation: try ProofDocument.uuid(correlation, field: "content.correlation"), causation: cause,
                subject: subject, issuer: issuer, method: method, onBehalfOf: onBehalfOf, data: data, metadata: metadata
            ).hash(using: &parts)
        }
    }

    /// Tells the kinds of proof apart.
    public var format = Self.format
    /// The event's place.
    public var leaf: Leaf
    /// The event itself; absent if the proof is to show no more than that something with this hash was recorded.
    public var content: Content?
    /// From the leaf's sibling up to below the root.
    public var path: [String]
    /// The signed head whose tree it is.
    public var treeHead: String
    /// The announcements of keys that a reader may have to follow from an older key, in order.
    public var announcements: [String]

    /// Gathers them.
    public init(leaf: Leaf, content: Content?, path: [String], treeHead: String, announcements: [String]) {
        self.leaf = leaf
        self.content = content
        self.path = path
        self.treeHead = treeHead
        self.announcements = announcements
    }

    func verify(trusting keys: [VerifierKey]) throws(ProofDocument.Problem) -> String {
        let (head, key) = try ProofDocument.signedHead(treeHead, announcements: announcements, trusting: keys)
        let path = try ProofDocument.hashes(path, field: "path")
        guard let contentHash = MerkleHash(base64: leaf.contentHash) else {
            throw .malformed("leaf.contentHash is no hash in base64")
        }
        let entry = LeafEntry(
            position: leaf.position, epoch: leaf.epoch, stream: leaf.stream, version: leaf.version,
            eventID: try ProofDocument.uuid(leaf.event, field: "leaf.event"), recordedAt: leaf.recordedAt,
            contentHash: contentHash)
        guard leaf.position >= 1, leaf.position <= head.size else {
            throw .invalid("position \(leaf.position) does not stand in a log of \(head.size) events")
        }
        if let content, try content.hash() != contentHash {
            throw .invalid("the content has another hash than the leaf names")
        }
        guard
            ProofCheck.isIncluded(
                entry.hash, at: leaf.position - 1, size: head.size, path: path, root: head.root)
        else { throw .invalid("the path does not lead from the leaf to the root of the tree head") }
        let what = content.map { " (\($0.type) by \($0.subject))" } ?? ""
        return "event \(leaf.event)\(what) stands at position \(leaf.position), version \(leaf.version) of "
            + "\(leaf.stream), in the log \(head.origin) of \(head.size) events, signed by \(key)"
    }
}
