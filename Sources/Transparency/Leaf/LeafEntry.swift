/// What the tree says of one event: its place, its id and its time, and the hash of its content.
public struct LeafEntry: Sendable, Hashable {
    /// The first part of what is hashed.
    public static let tag = "rollbook.leaf.v1"

    /// The place in the log, from 1; the leaf's index is one less.
    public var position: Int64
    /// The log epoch.
    public var epoch: Int64
    /// The name of the stream.
    public var stream: String
    /// The place in the stream, from 1.
    public var version: Int64
    /// 16 bytes.
    public var eventID: [UInt8]
    /// Microseconds since 1970-01-01T00:00:00Z.
    public var recordedAt: Int64
    /// The hash of what was appended.
    public var contentHash: MerkleHash

    /// Gathers them.
    public init(
        position: Int64, epoch: Int64, stream: String, version: Int64, eventID: [UInt8], recordedAt: Int64,
        contentHash: MerkleHash
    ) {
        self.position = position
        self.epoch = epoch
        self.stream = stream
        self.version = version
        self.eventID = eventID
        self.recordedAt = recordedAt
        self.contentHash = contentHash
    }

    /// The entry, byte for byte.
    public var bytes: [UInt8] {
        var parts = HashedParts()
        LeafHasher.add(
            to: &parts, position: position, epoch: epoch, stream: stream, version: version, eventID: eventID,
            recordedAt: recordedAt, contentHash: contentHash.bytes)
        return parts.bytes
    }

    /// The hash of the leaf: SHA-256 of 0x00 and ``bytes``.
    public var hash: MerkleHash { .leaf(bytes) }
}

/// Makes leaf hashes one after the other in one piece of memory.
public struct LeafHasher {
    private var parts = HashedParts()

    /// Makes a hasher.
    public init() {}

    /// The leaf hash of an event whose columns lie in memory as PostgreSQL's binary form has them.
    ///
    /// - Parameters:
    ///   - stream: UTF-8.
    ///   - eventID: 16 bytes.
    ///   - contentHash: The bytes that stand in the column.
    public mutating func hash(
        position: Int64, epoch: Int64, stream: UnsafeRawBufferPointer, version: Int64, eventID: UnsafeRawBufferPointer,
        recordedAt: Int64, contentHash: UnsafeRawBufferPointer
    ) -> MerkleHash {
        parts.removeAll()
        parts.beginLeaf()
        Self.add(
            to: &parts, position: position, epoch: epoch, stream: stream, version: version, eventID: eventID,
            recordedAt: recordedAt, contentHash: contentHash)
        return parts.sha256
    }

    /// The one place that says what an entry consists of.
    static func add<ID: HashedPart>(
        to parts: inout HashedParts, position: Int64, epoch: Int64, stream: some HashedPart, version: Int64,
        eventID: ID, recordedAt: Int64, contentHash: ID
    ) {
        parts.add(LeafEntry.tag)
        parts.add(position)
        parts.add(epoch)
        stream.add(to: &parts)
        parts.add(version)
        eventID.add(to: &parts)
        parts.add(recordedAt)
        contentHash.add(to: &parts)
    }
}

extension HashedParts {
    /// Puts down the byte that tells a leaf from a node.
    mutating func beginLeaf() { addRaw(0) }
}
