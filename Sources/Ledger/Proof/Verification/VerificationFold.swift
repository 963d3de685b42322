internal import Transparency

/// Puts the chunks together again.
struct VerificationFold {
    let through: Int64
    private var frontier = MerkleFrontier()
    private(set) var chunkRoots: [MerkleHash] = []
    private var roots: [Int64: MerkleHash] = [:]
    private var versions: [Int64: Int64] = [:]
    private var lastTime: Int64?
    private var lastEpoch: Int32?
    private var findings: [VerifyReport.Finding] = []
    private var moreFindings = 0
    private var events: Int64 = 0
    private let archives: [ArchivedRange]
    private let ranges: [ClosedRange<Int64>]
    /// By the first position of each archived range.
    private var archived: [Int64: VerifiedChunk.ArchivedPart] = [:]

    init(through: Int64, archives: [ArchivedRange]) {
        self.through = through
        self.archives = archives
        ranges = archives.map(\.positions)
    }

    /// The root of the log of `size` events, for a size that was asked for.
    func root(at size: Int64) -> MerkleHash? { roots[size] }

    /// Adds the next chunk.
    mutating func add(_ chunk: VerifiedChunk) {
        addTree(of: chunk)
        for (stream, span) in chunk.streams {
            let expected = versions[stream, default: 0] + 1
            versions[stream] = span.lastVersion
            guard span.firstVersion != expected else { continue }
            if let range = ranges.range(
                passedOverAt: span.firstPosition, span.isThinned, version: span.firstVersion, expected: expected)
            {
                archived[range.lowerBound, default: .init()].passedOver += span.firstVersion - expected
            } else {
                findings.append(
                    .init(
                        .version, at: span.firstPosition,
                        "the event has version \(span.firstVersion) of its stream, where \(expected) follows"))
            }
        }
        if let last = lastTime, let first = chunk.firstTime, first < last {
            findings.append(.init(.time, at: chunk.task.first, "the event was recorded before the one in front of it"))
        }
        if let last = lastEpoch, let first = chunk.firstEpoch, first < last {
            findings.append(
                .init(.epoch, at: chunk.task.first, "the event has epoch \(first), the one in front of it \(last)"))
        }
        lastTime = chunk.lastTime ?? lastTime
        lastEpoch = chunk.lastEpoch ?? lastEpoch
        events += chunk.events
        for (first, part) in chunk.archived { add(part, to: first) }
        findings += chunk.findings
        moreFindings += chunk.moreFindings
    }

    private mutating func addTree(of chunk: VerifiedChunk) {
        for (size, subtrees) in chunk.subtrees {
            roots[size] = MerkleHash.root(ofSubtrees: frontier.subtrees + subtrees)
        }
        if chunk.frontier.size == VerifiedChunk.width {
            chunkRoots.append(chunk.frontier.root)
            frontier.append(subtree: chunk.frontier.root, height: 16)
        } else {
            var rest = chunk.frontier.size
            for subtree in chunk.frontier.subtrees {
                let height = 63 - rest.leadingZeroBitCount
                frontier.append(subtree: subtree, height: height)
                rest -= 1 << Int64(height)
            }
        }
    }

    private mutating func add(_ part: VerifiedChunk.ArchivedPart, to first: Int64) {
        var sum = archived[first] ?? .init()
        sum.missing += part.missing
        sum.firstMissing = sum.firstMissing ?? part.firstMissing
        sum.passedOver += part.passedOver
        archived[first] = sum
    }

    /// What the events themselves have shown.
    func report(sealed: Int64) -> VerifyReport {
        VerifyReport(
            through: through, events: events, sealed: sealed, storedHeads: 0, outsideHeads: 0,
            root: frontier.root.base64, findings: findings + archives.compactMap(lack), moreFindings: moreFindings,
            remarks: [], archived: archived.values.reduce(0) { $0 + $1.missing })
    }

    /// Whether an archived range lacks events that have to stay in the log.
    ///
    /// Two counts say so. One is kept beside the archive, and in the log. The other nobody can keep from being right: every
    /// event that went into the file has a later one of its stream in the same range, which passes over its version.
    private func lack(_ range: ArchivedRange) -> VerifyReport.Finding? {
        let positions = range.positions
        guard positions.upperBound <= through else { return nil }
        let part = archived[positions.lowerBound] ?? .init()
        let away = range.events - range.kept
        // An event with another version than it had is found as such, and passes over what it does not.
        let isKnown = findings.contains {
            positions.contains($0.position) && [.leaf, .version, .name, .missing].contains($0.kind)
        }
        guard part.missing != away || (part.missing != part.passedOver && !isKnown) else { return nil }
        return .init(
            .missing, at: part.firstMissing ?? positions.lowerBound, through: positions.upperBound,
            "of positions \(positions.lowerBound) to \(positions.upperBound), which stand in \(range.file), \(range.kept) "
                + "events were kept in the log; \(range.events - part.missing) are there, and their streams pass over "
                + "\(part.passedOver) of \(part.missing); give --archive FOLDER to have each named")
    }
}
