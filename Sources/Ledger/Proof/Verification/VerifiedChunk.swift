internal import Transparency

/// A stretch of the log that is verified by itself: up to 65,536 events, which are one subtree of the whole.
struct VerifiedChunk: Sendable {
    /// How many events a chunk has: a tile of tiles.
    static let width: Int64 = 65_536

    /// What is known from outside the events.
    struct Task: Sendable {
        /// From 0.
        var index: Int64
        /// The last position to read.
        var last: Int64
        /// The sizes at which the tree's root is wanted, within this chunk, ascending.
        var wantedSizes: [Int64]
        /// How many events are sealed, and the unfinished tiles of that size.
        var sealed: Int64
        var edges: [[MerkleHash]]
        /// The ranges of the log that stand in files, ascending.
        var archives: [ClosedRange<Int64>] = []
        /// What the names of streams begin with that keep their last event alone in such a range.
        var thinned: [[UInt8]] = []

        var first: Int64 { index * VerifiedChunk.width + 1 }
    }

    /// What a stream does in a chunk.
    struct StreamSpan: Sendable {
        var firstVersion: Int64
        var firstPosition: Int64
        var lastVersion: Int64
        /// Whether it keeps its last event alone in an archived range.
        var isThinned: Bool
    }

    /// What an archived range lacks.
    struct ArchivedPart: Sendable {
        /// How many positions have no event in the log, and the first of them.
        var missing: Int64 = 0
        var firstMissing: Int64?
        /// How many versions the events that are there pass over; each of them is one of the missing.
        var passedOver: Int64 = 0
    }

    let task: Task
    var events: Int64 = 0
    /// By the first position of each archived range.
    var archived: [Int64: ArchivedPart] = [:]
    var findings: [VerifyReport.Finding] = []
    var moreFindings = 0
    /// The tree of this chunk's leaves.
    var frontier = MerkleFrontier()
    /// The subtrees at each of the wanted sizes.
    var subtrees: [Int64: [MerkleHash]] = [:]
    var streams: [Int64: StreamSpan] = [:]
    var firstTime: Int64?
    var lastTime: Int64?
    var firstEpoch: Int32?
    var lastEpoch: Int32?

    init(_ task: Task) { self.task = task }

    mutating func report(_ finding: VerifyReport.Finding) {
        if findings.count < VerifyReport.mostFindings { findings.append(finding) } else { moreFindings += 1 }
    }
}
