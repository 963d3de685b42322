internal import EventSourcing
internal import Foundation
internal import Transparency

/// What an archive file says of itself, in its last line: `{"manifest":{…}}`.
public struct ArchiveManifest: Sendable, Equatable, Codable {
    /// The form of the file that is described here.
    public static let format = "rollbook.archive.v1"

    /// ``format``.
    public var format = Self.format
    /// The position of the first event.
    public var firstPosition: Int64
    /// The position of the last event.
    public var lastPosition: Int64
    /// How many events there are; every position is there.
    public var events: Int64
    /// The partition that they stood in.
    public var table: String
    /// SHA-256 of the lines of the events with their line breaks, hexadecimal.
    public var sha256: String
    /// The root of the tree over the log up to the last position, base64.
    public var root: String
}

/// Why an archive was not made, not read, or not brought back; the log is as it was.
public struct ArchiveFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// The position that is to blame; nil if none is.
    public var position: Int64?
    /// What is wrong, and what to do.
    public var description: String

    init(_ description: String, at position: Int64? = nil) {
        self.description = description
        self.position = position
    }
}

/// A range of the log that stands in a file.
public struct ArchivedRange: Sendable, Equatable {
    /// The positions.
    public var positions: ClosedRange<Int64>
    /// The file's name, without its folder.
    public var file: String
    /// SHA-256 of the file.
    var sha256: [UInt8]
    var root: MerkleHash
    var events: Int64
    var kept: Int64
    var table: String
    var isDropped: Bool
    /// The id of the event that says so.
    var announcement: Identifier
    var archivedAt: Instant

    /// What is said to who needs an event of it.
    var failure: EventStoreFailure { .archived(words) }

    /// Where the events are, and what to do.
    var words: String {
        "events between positions \(positions.lowerBound) and \(positions.upperBound) stand in the archive \(file) and not in "
            + "the ledger: bring it back (rollbook archive --bring-back \(file)), or read after \(positions.upperBound)"
    }
}
