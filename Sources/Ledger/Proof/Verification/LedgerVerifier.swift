internal import EventSourcing
internal import Foundation
internal import Postgres
internal import Synchronization
public import Transparency

/// Looks at every event, tile and tree head, and says whether the log is what was signed.
public struct LedgerVerifier: Sendable {
    private let store: PostgresEventStore
    private let workers: Int

    /// Reads over so many connections at once, by default as many as there are processors.
    public init(store: PostgresEventStore, workers: Int? = nil) {
        self.store = store
        self.workers = max(1, workers ?? ProcessInfo.processInfo.activeProcessorCount)
    }

    /// Everything that is known before an event is read, as of one moment.
    private struct Frame: Sendable {
        var length: Int64
        var sealed: Int64
        var edges: [[MerkleHash]]
        var heads: [TreeTables.StoredHead]
        /// The position at which each epoch after the first began.
        var epochs: [(epoch: Int, first: Int64)]
        /// The ranges that stand in files, and in the log only in part.
        var archives: [ArchivedRange]
    }

    /// Verifies the log: all of it, or up to the largest head that was held outside.
    ///
    /// - Parameters:
    ///   - outside: Heads that were kept where nobody who can write the database can reach them.
    ///   - keys: Keys that are trusted; without any, the key of the first stored head is believed, which shows mistakes
    ///     but not a forger.
    ///   - archives: The folder of the archive files, whose events are then looked at as well; without it, of what only
    ///     the files have the tree is believed.
    ///   - progress: Told now and then how many events were read.
    /// - Throws: `PostgresError`, `EventStoreFailure`, ``SealHalt`` (an announcement of a key that cannot be read).
    public func verify(
        against outside: [SignedTreeHead] = [], trusting keys: [VerifierKey] = [], archives: String? = nil,
        progress: @escaping @Sendable (Int64) -> Void = { _ in }
    ) async throws -> VerifyReport {
        let wanted = outside.map(\.head.size).max()
        let frame = try await frame(upTo: wanted)
        let through = min(frame.length, wanted ?? .max)
        let sizes = Set(frame.heads.map(\.size) + outside.map(\.head.size)).filter { $0 > 0 && $0 <= through }.sorted()
        let chunks = try await chunks(through: through, frame, sizes, progress)
        var fold = VerificationFold(through: through, archivedFrom: frame.archives.first?.positions.lowerBound)
        for chunk in chunks { fold.add(chunk) }
        var report = fold.report(sealed: min(frame.sealed, through))
        report.findings += try await upperTiles(fold.chunkRoots, frame, through)
        if wanted == nil || frame.sealed <= through, frame.sealed > frame.length {
            report.findings.append(
                .init(
                    .cut, at: frame.length + 1, through: frame.sealed,
                    "\(frame.sealed) events were sealed, and the log has \(frame.length)"))
        }
        try await compare(frame, outside, keys, fold, &report)
        try await look(at: frame.archives, in: archives, through, &report)
        report.sort()
        return report
    }

    private func frame(upTo wanted: Int64?) async throws -> Frame {
        try await store.pool.transaction(isolation: .repeatableRead, readOnly: true) { connection in
            let row = try await connection.query(
                """
                SELECT (SELECT coalesce(max(position), 0) FROM ledger.event),
                       (SELECT coalesce(max(last_position), 0) FROM ledger.append_batch),
                       (SELECT coalesce(max(size), 0) FROM ledger.sealed)
                """
            ).single()
            let epochs = try await connection.query(
                "SELECT epoch, min(first_position) FROM ledger.append_batch WHERE epoch > 1 GROUP BY epoch ORDER BY epoch"
            ).map { (epoch: try $0.get(0, as: Int.self), first: try $0.get(1, as: Int64.self)) }
            // The batches are believed about the length: what they say and the log lacks is missing.
            return Frame(
                length: max(try row.get(0), try row.get(1)), sealed: try row.get(2),
                edges: try await TreeTables.edges(connection),
                heads: try await TreeTables.heads(upTo: wanted ?? .max, connection), epochs: epochs,
                archives: try await ArchiveTable.ranges(connection))
        }
    }

    // MARK: - The events

    /// Reads all chunks, several at once; in the order of the log.
    private func chunks(
        through: Int64, _ frame: Frame, _ sizes: [Int64], _ progress: @escaping @Sendable (Int64) -> Void
    ) async throws -> [VerifiedChunk] {
        let count = (through + VerifiedChunk.width - 1) / VerifiedChunk.width
        guard count > 0 else { return [] }
        let configuration = store.pool.configuration
        let names = try await withConnection(configuration) { try await NameTables.read($0) }
        let queue = ChunkQueue(count: count)
        return try await withThrowingTaskGroup(of: [VerifiedChunk].self) { group in
            for _ in 0..<min(Int64(workers), count) {
                group.addTask { @concurrent in
                    try await withConnection(configuration) { connection in
                        var done: [VerifiedChunk] = []
                        while let index = queue.next() {
                            try Task.checkCancellation()
                            let first = index * VerifiedChunk.width
                            let last = min(first + VerifiedChunk.width, through)
                            let task = VerifiedChunk.Task(
                                index: index, last: last, wantedSizes: sizes.filter { $0 > first && $0 <= last },
                                sealed: frame.sealed, edges: frame.edges, archives: frame.archives.map(\.positions))
                            let chunk = try await ChunkReader.read(task, names: names, connection)
                            done.append(chunk)
                            progress(queue.count(chunk.events))
                        }
                        return done
                    }
                }
            }
            var chunks: [VerifiedChunk] = []
            for try await some in group { chunks += some }
            return chunks.sorted { $0.task.index < $1.task.index }
        }
    }

    // MARK: - The archives

    /// Looks at the files of archived ranges, or says that it did not.
    private func look(
        at archives: [ArchivedRange], in folder: String?, _ through: Int64, _ report: inout VerifyReport
    ) async throws {
        for range in archives where range.positions.lowerBound <= through {
            guard let folder else {
                report.remarks.append(
                    "positions \(range.positions.lowerBound) to \(range.positions.upperBound) stand in \(range.file): what is "
                        + "not in the log was taken from the tiles of the tree; give --archive FOLDER to look at the file"
                )
                continue
            }
            let path = folder + "/" + range.file
            do {
                guard try ArchiveReader(path: path).sum() == range.sha256 else {
                    throw ArchiveFailure("\(path) is not the file that was archived: it has another SHA-256")
                }
                _ = try await ArchiveCheck(store).run(path, range.positions) { _ in }
                report.archives += 1
            } catch let failure as ArchiveFailure {
                report.findings.append(
                    .init(
                        .archive, at: failure.position ?? range.positions.lowerBound,
                        through: range.positions.upperBound, failure.description))
            }
        }
    }

    // MARK: - The tree above the chunks

    /// Compares the tiles of level 2 and above, and the unfinished ones there.
    private func upperTiles(
        _ chunkRoots: [MerkleHash], _ frame: Frame, _ through: Int64
    ) async throws -> [VerifyReport.Finding] {
        var findings: [VerifyReport.Finding] = []
        var hashes = chunkRoots
        var level = 2
        while !hashes.isEmpty, level <= TileAddress.highestLevel {
            let span = Int64(1) << Int64(8 * level)
            let full = min(TileAddress.fullTiles(level: level, size: frame.sealed), Int64(hashes.count) / 256)
            let stored = full > 0 ? try await TreeTables.tiles(level: level, 0..<full, store.pool) : [:]
            for index in 0..<full {
                let made = Array(hashes[Int(index) * 256..<(Int(index) + 1) * 256])
                if stored[index] != made {
                    findings.append(
                        .init(
                            .tile, at: index * span * 256 + 1, through: (index + 1) * span * 256,
                            "the tile of level \(level) is missing, or not made of the hashes below it"))
                }
            }
            let edge = level < frame.edges.count ? frame.edges[level] : []
            let start = Int(TileAddress.fullTiles(level: level, size: frame.sealed)) * 256
            for (place, hash) in edge.enumerated() where start + place < hashes.count && hashes[start + place] != hash {
                findings.append(
                    .init(
                        .tile, at: Int64(start + place) * span + 1, through: Int64(start + place + 1) * span,
                        "the unfinished tile of level \(level) is not made of the hashes below it"))
            }
            hashes = (0..<hashes.count / 256).map { MerkleHash.root(of: hashes[$0 * 256..<($0 + 1) * 256]) }
            level += 1
        }
        return findings
    }

    // MARK: - The heads

    private func compare(
        _ frame: Frame, _ outside: [SignedTreeHead], _ keys: [VerifierKey], _ fold: VerificationFold,
        _ report: inout VerifyReport
    ) async throws {
        let history = try await KeyHistory.read(store)
        var trusted = keys
        if keys.isEmpty {
            report.remarks.append(
                "no key was given: signatures were checked with the key that the database itself names; give --key")
            if let first = frame.heads.first.flatMap({ VerifierKey($0.signer) }) { trusted = [first] }
        }
        var lastGood: Int64 = 0
        for stored in frame.heads {
            let size = stored.size
            if size <= fold.through {
                report.storedHeads += 1
                if fold.root(at: size) == stored.root {
                    lastGood = size
                } else if report.findings.allSatisfy({ $0.position > size }) {
                    // If something below it is wrong, that is the news; the head is right.
                    report.findings.append(
                        .init(
                            .head, at: lastGood + 1, through: size,
                            "the stored tree head of \(size) events has another root"))
                }
            }
            if let problem = problem(stored, history.chain(from: trusted, size: size)) {
                report.findings.append(
                    .init(.signature, at: size, "the stored tree head of \(size) events: \(problem)"))
            }
        }
        if frame.heads.last?.size ?? 0 < min(frame.sealed, fold.through), outside.isEmpty {
            report.findings.append(
                .init(
                    .head, at: (frame.heads.last?.size ?? 0) + 1, through: frame.sealed,
                    "no tree head is stored of the \(frame.sealed) events that are sealed"))
        }
        lastGood = 0
        for signed in outside.sorted(by: { $0.head.size < $1.head.size }) {
            let head = signed.head
            report.outsideHeads += 1
            do {
                try signed.verified(by: history.chain(from: trusted, size: head.size).keys)
            } catch {
                report.findings.append(
                    .init(.signature, at: head.size, "the given tree head of \(head.size) events: \(error)"))
                continue
            }
            if let cut = cut(head, trusted, frame) {
                report.findings.append(
                    .init(.cut, at: cut, through: head.size, "the log was cut short here, and goes on in a later epoch")
                )
            } else if head.size > fold.through {
                report.findings.append(
                    .init(
                        .cut, at: frame.length + 1, through: head.size,
                        "the given tree head is of \(head.size) events, and the log has \(frame.length)"))
            } else if head.size == 0 ? head.root == .empty : fold.root(at: head.size) == head.root {
                lastGood = head.size
            } else {
                report.findings.append(try await fork(head, after: lastGood, report.findings))
            }
        }
    }

    /// That the log is not the one of a head that was held outside, as exactly as can be said.
    private func fork(
        _ head: TreeHead, after lastGood: Int64, _ findings: [VerifyReport.Finding]
    ) async throws -> VerifyReport.Finding {
        let words = "the log up to here is not the one of the given tree head"
        // The first event that contradicts a tile is the first that is wrong, if the tiles are those of that head.
        if try await storedRoot(head.size) == head.root,
            let first = findings.filter({ $0.kind == .leaf || $0.kind == .missing || $0.kind == .name }).map(\.position)
                .min()
        {
            return .init(.fork, at: first, through: head.size, words)
        }
        // Tiles were rewritten as well: it lies before whatever else is wrong.
        let known = findings.filter { $0.kind != .signature && $0.position > lastGood }.map(\.position).min()
        return .init(.fork, at: lastGood + 1, through: min(head.size, known ?? head.size), words)
    }

    /// The root of the log of `size` events as the stored tiles of level 0 have it; nil if one is missing.
    private func storedRoot(_ size: Int64) async throws -> MerkleHash? {
        var frontier = MerkleFrontier()
        let tiles = (size + 255) >> 8
        for first in stride(from: Int64(0), to: tiles, by: 256) {
            let stored = try await TreeTables.tiles(level: 0, first..<min(first + 256, tiles), store.pool)
            for index in first..<min(first + 256, tiles) {
                let width = Int(min(256, size - index << 8))
                var hashes = stored[index]
                if hashes == nil { hashes = try await TreeTables.edges(store.pool).first }
                guard let hashes, hashes.count >= width else { return nil }
                for hash in hashes.prefix(width) { frontier.append(hash) }
            }
        }
        return frontier.root
    }

    /// Where a log went on in a later epoch below a head; nil if it did not.
    private func cut(_ head: TreeHead, _ keys: [VerifierKey], _ frame: Frame) -> Int64? {
        guard let epoch = keys.lazy.compactMap({ TreeHead.epoch(ofOrigin: head.origin, name: $0.name) }).first else {
            return nil
        }
        return frame.epochs.first { $0.epoch > epoch && $0.first <= head.size }?.first
    }

    /// What is wrong with a stored head by itself.
    private func problem(_ stored: TreeTables.StoredHead, _ chain: KeyChain) -> String? {
        do {
            let signed = try SignedTreeHead(stored.note)
            guard signed.head.size == stored.size, signed.head.root == stored.root else {
                return "its note says something else than its row"
            }
            let key = try signed.verified(by: chain.keys)
            guard signed.head.origin == TreeHead.origin(of: key.name, epoch: stored.epoch) else {
                return "its origin is \(signed.head.origin), its epoch \(stored.epoch)"
            }
            return nil
        } catch {
            return "\(error)"
        }
    }
}

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
    private var archived: Int64 = 0
    private let archivedFrom: Int64?

    init(through: Int64, archivedFrom: Int64? = nil) {
        self.through = through
        self.archivedFrom = archivedFrom
    }

    /// The root of the log of `size` events, for a size that was asked for.
    func root(at size: Int64) -> MerkleHash? { roots[size] }

    /// Adds the next chunk.
    mutating func add(_ chunk: VerifiedChunk) {
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
        for (stream, span) in chunk.streams {
            let expected = versions[stream, default: 0] + 1
            // What stands in an archive is missing from its stream; the tree says that nothing else is.
            let isArchived = span.firstVersion > expected && archivedFrom ?? .max <= span.firstPosition
            if span.firstVersion != expected, !isArchived {
                findings.append(
                    .init(
                        .version, at: span.firstPosition,
                        "the event has version \(span.firstVersion) of its stream, where \(expected) follows"))
            }
            versions[stream] = span.lastVersion
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
        archived += chunk.archived
        findings += chunk.findings
        moreFindings += chunk.moreFindings
    }

    /// What the events themselves have shown.
    func report(sealed: Int64) -> VerifyReport {
        VerifyReport(
            through: through, events: events, sealed: sealed, storedHeads: 0, outsideHeads: 0,
            root: frontier.root.base64, findings: findings, moreFindings: moreFindings, remarks: [],
            archived: archived)
    }
}

/// Hands out the chunks to who is free, and counts what was read.
private final class ChunkQueue: Sendable {
    private let total: Int64
    private let state = Mutex((next: Int64(0), events: Int64(0)))

    init(count: Int64) { total = count }

    func next() -> Int64? {
        state.withLock { state in
            guard state.next < total else { return nil }
            defer { state.next += 1 }
            return state.next
        }
    }

    func count(_ events: Int64) -> Int64 {
        state.withLock { state in
            state.events += events
            return state.events
        }
    }
}

/// Opens a connection for `body`, and closes it.
private func withConnection<Value>(
    _ configuration: PostgresConfiguration, _ body: (PostgresConnection) async throws -> Value
) async throws -> Value {
    let connection = try await PostgresConnection.connect(configuration)
    do {
        let value = try await body(connection)
        await connection.close()
        return value
    } catch {
        await connection.close()
        throw error
    }
}
