internal import EventSourcing
internal import Foundation
internal import Postgres
internal import Synchronization
public import Transparency

/// Looks at every event, tile and tree head, and says whether the log is what was signed.
public struct LedgerVerifier: Sendable {
    let store: PostgresEventStore
    private let workers: Int

    /// Reads over so many connections at once, by default as many as there are processors.
    public init(store: PostgresEventStore, workers: Int? = nil) {
        self.store = store
        self.workers = max(1, workers ?? ProcessInfo.processInfo.activeProcessorCount)
    }

    /// Everything that is known before an event is read, as of one moment.
    struct Frame: Sendable {
        var length: Int64
        var sealed: Int64
        var edges: [[MerkleHash]]
        var heads: [TreeTables.StoredHead]
        /// The position at which each epoch after the first began.
        var epochs: [(epoch: Int, first: Int64)]
        /// The ranges that stand in files, and in the log only in part.
        var archives: [ArchivedRange]
        /// What the names of streams begin with that keep their last event alone in an archived range.
        var thinned: [[UInt8]]
    }

    /// Verifies the log: all of it, or up to the largest head that was held outside (or the end of the archived range that
    /// this head lies in).
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
        var frame = try await frame(upTo: wanted)
        var chunks = try await chunks(upTo: wanted, frame, outside, progress)
        // Who archives, or brings back, meanwhile, takes rows away that were looked for, or puts some there.
        while case let now = try await self.frame(upTo: wanted), now.archives != frame.archives {
            frame = now
            chunks = try await self.chunks(upTo: wanted, frame, outside, progress)
        }
        let through = through(upTo: wanted, frame)
        var fold = VerificationFold(through: through, archives: frame.archives)
        for chunk in chunks { fold.add(chunk) }
        var report = fold.report(sealed: min(frame.sealed, through))
        report.findings += try await upperTiles(fold.chunkRoots, frame, through)
        report.findings += edgeWidths(frame, through)
        if wanted == nil || frame.sealed <= through, frame.sealed > frame.length {
            report.findings.append(
                .init(
                    .cut, at: frame.length + 1, through: frame.sealed,
                    "\(frame.sealed) events were sealed, and the log has \(frame.length)"))
        }
        try await compare(frame, outside, keys, fold, &report)
        let following = try await compareRecords(frame.archives, through, &report)
        try await look(at: frame, in: archives, through, &report)
        report.sort(behind: following)
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
                archives: try await ArchiveTable.ranges(connection),
                thinned: try await ArchiveTable.thinned(connection))
        }
    }

    /// The last position to read: what stays of an archived range is counted, so one is read to its end.
    private func through(upTo wanted: Int64?, _ frame: Frame) -> Int64 {
        let through = min(frame.length, wanted ?? .max)
        let whole = frame.archives.first { $0.positions.contains(through) }?.positions.upperBound ?? through
        return min(frame.length, whole)
    }

    // MARK: - The events

    /// Reads all chunks, several at once; in the order of the log.
    private func chunks(
        upTo wanted: Int64?, _ frame: Frame, _ outside: [SignedTreeHead],
        _ progress: @escaping @Sendable (Int64) -> Void
    ) async throws -> [VerifiedChunk] {
        let through = through(upTo: wanted, frame)
        let sizes = Set(frame.heads.map(\.size) + outside.map(\.head.size)).filter { $0 > 0 && $0 <= through }.sorted()
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
                                sealed: frame.sealed, edges: frame.edges, archives: frame.archives.map(\.positions),
                                thinned: frame.thinned)
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

    // MARK: - The tree above the chunks

    /// The levels whose unfinished tile has not as many hashes as the sealed size asks for: no sealer goes on from there.
    private func edgeWidths(_ frame: Frame, _ through: Int64) -> [VerifyReport.Finding] {
        guard TiledTree(size: frame.sealed, edges: frame.edges) == nil else { return [] }
        return (0...TileAddress.highestLevel).compactMap { level in
            let present = level < frame.edges.count ? frame.edges[level].count : 0
            let wanted = TileAddress.edgeWidth(level: level, size: frame.sealed)
            guard present != wanted else { return nil }
            let span = Int64(1) << Int64(8 * level)
            let good = TileAddress.fullTiles(level: level, size: frame.sealed) << 8 + Int64(min(present, wanted))
            let first = max(1, min(good * span + 1, frame.sealed))
            guard first <= through else { return nil }
            return .init(
                .tile, at: first, through: first < frame.sealed ? frame.sealed : nil,
                "the unfinished tile of level \(level) has \(present) hashes, where \(frame.sealed) sealed events need "
                    + "\(wanted)")
        }
    }

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
