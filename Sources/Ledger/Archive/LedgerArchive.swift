public import EventSourcing
internal import Foundation
public import Logging
internal import Postgres
internal import Transparency

/// Moves partitions of the past into files, and back.
///
/// A whole partition is written into one compressed file, which is read back, compared with the database byte by byte and
/// with the sealed tree leaf by leaf. Then the partition is put beside the log, and in its place stands a small table with
/// what has to stay: the last event of each stream there, which tells the stream's version to who appends, and every event
/// of a stream that is folded. So appends, expected versions and folds are as right as before, and who reads what only the
/// file has is told the name of the file. A repeat of an append whose events are not the last of their stream is answered
/// with a conflict instead of its first answer once they stand in a file: nothing is appended twice.
///
/// The partition that was put beside is dropped only when that is asked for.
public struct LedgerArchive: Sendable {
    /// What became of a partition.
    public struct Archived: Sendable, Equatable {
        /// What the file says of itself.
        public var manifest: ArchiveManifest
        /// The file, with its folder.
        public var path: String
        /// SHA-256 of the file, hexadecimal.
        public var sha256: String
        /// How many events stay in the log.
        public var kept: Int64
        /// Whether the partition was dropped.
        public var isDropped: Bool
    }

    /// What a call came to.
    public struct Outcome: Sendable, Equatable {
        /// What was archived, the lowest positions first.
        public var archived: [Archived]
        /// The positions of the partitions that were dropped, those of earlier calls too, the lowest first.
        public var dropped: [ClosedRange<Int64>]
    }

    /// The wire name of the event that says that a partition was archived.
    public static let wireName = "ledger.partition-archived.v1"

    let store: PostgresEventStore
    let logger: Logger
    /// How long an archive waits, in all, for who reads the log in a long transaction.
    let patience: Duration

    /// Works through a store whose connections have the rights of who migrates.
    public init(
        store: PostgresEventStore, patience: Duration = .seconds(60), logger: Logger = Logger(label: "ledger.archive")
    ) {
        self.store = store
        self.patience = patience
        self.logger = logger
    }

    /// Where everything before a time ends: the last position that was recorded before it.
    public func position(before time: Instant) async throws -> GlobalPosition {
        let row = try await store.pool.query(
            """
            SELECT coalesce((
                SELECT b.last_position
                FROM ledger.append_batch b
                WHERE b.recorded_at < \(PostgresInstant(time))
                ORDER BY b.recorded_at DESC, b.last_position DESC
                LIMIT 1), 0)
            """
        ).single()
        return GlobalPosition(try row.get(0))
    }

    /// Archives every whole partition whose events all stand at or before `through`, except what ``held(through:)`` names.
    ///
    /// - Parameters:
    ///   - folder: Where the files go; it must be there.
    ///   - dropping: Drops the partitions once their files are verified, those of earlier calls too.
    ///   - context: A new id, and the actor, of the event that each archive leaves in the log.
    /// - Returns: What was archived, and what was dropped.
    /// - Throws: ``ArchiveFailure``; `EventStoreFailure`; `PostgresError`. Partitions before the one that failed stay archived.
    public func archive(
        through: GlobalPosition, into folder: String, dropping: Bool = false,
        context: () -> (id: Identifier, actor: EventActor)
    ) async throws -> Outcome {
        try await alone { try await archiveAlone(through: through, into: folder, dropping: dropping, context: context) }
    }

    private func archiveAlone(
        through: GlobalPosition, into folder: String, dropping: Bool,
        context: () -> (id: Identifier, actor: EventActor)
    ) async throws -> Outcome {
        var outcome = Outcome(archived: [], dropped: [])
        try await announce(by: context().actor)
        for partition in try await partitions(through: through.value) where partition.reason == nil {
            let path = folder + "/" + Self.fileName(partition.positions)
            let manifest = try await write(partition, path)
            outcome.archived.append(try await replace(partition, path, manifest, dropping, context()))
        }
        if dropping {
            for range in try await ArchiveTable.ranges(store.pool)
            where !range.isDropped && range.positions.upperBound <= through.value {
                let path = folder + "/" + range.file
                try await verify(range, path)
                try ArchiveWriter.makeDurable(path)
                _ = try await store.pool.query("SELECT ledger.drop_archived(\(range.positions.lowerBound))")
                outcome.dropped.append(range.positions)
                logger.notice("an archived partition was dropped", metadata: ["table": "\(range.table)"])
            }
        }
        return outcome
    }

    /// Runs `body` while nobody else archives or brings back: two would change the same tables.
    func alone<Value>(_ body: () async throws -> Value) async throws -> Value {
        let session = try await PostgresConnection.connect(store.pool.configuration)
        let outcome: Result<Value, any Error>
        do {
            let isAlone: Bool = try await session.query("SELECT pg_try_advisory_lock(hashtext('rollbook.archive'), 0)")
                .single().get(0)
            guard isAlone else {
                throw ArchiveFailure("another archive works on this ledger: wait for it, nothing was changed")
            }
            outcome = .success(try await body())
        } catch { outcome = .failure(error) }
        do { try await session.query("SELECT pg_advisory_unlock_all()", .uncancellable) } catch {
            // A session that is lost has lost its lock.
            logger.debug("the archive's session was gone", metadata: ["error": "\(error)"])
        }
        await session.close()
        return try outcome.get()
    }

    struct Partition {
        var positions: ClosedRange<Int64>
        var table: String
        var reason: String?
    }

    static func fileName(_ positions: ClosedRange<Int64>) -> String {
        func digits(_ position: Int64) -> String {
            String(repeating: "0", count: 19 - "\(position)".count) + "\(position)"
        }
        return "ledger-\(digits(positions.lowerBound))-\(digits(positions.upperBound)).jsonl.gz"
    }

    /// Why a partition that lies below the mark cannot be archived yet.
    public struct Held: Sendable, Equatable {
        /// Its positions.
        public var positions: ClosedRange<Int64>
        /// What is in the way.
        public var reason: String
    }

    /// Partitions that lie below a mark and have to stay for now.
    ///
    /// - Throws: `PostgresError`.
    public func held(through: GlobalPosition) async throws -> [Held] {
        try await partitions(through: through.value).compactMap { partition in
            partition.reason.map { Held(positions: partition.positions, reason: $0) }
        }
    }

    /// Whole partitions up to a position that stand in the log, and what is in the way of archiving each.
    private func partitions(through: Int64) async throws -> [Partition] {
        try await store.pool.query(
            """
            SELECT p.first_position, p.end_position - 1, p.table_name,
                   CASE WHEN p.end_position >= (SELECT r.end_position FROM ledger.current_range r)
                        THEN 'appends still look into it'
                        WHEN p.end_position - 1 > (SELECT size FROM ledger.sealed)
                        THEN 'its events are not sealed yet: let rollbook serve run'
                        WHEN EXISTS (SELECT FROM ledger.checkpoint c WHERE c.position < p.end_position - 1)
                        THEN format('the projection %s has not read it yet: let rollbook serve run', (
                                 SELECT min(c.projection)
                                 FROM ledger.checkpoint c
                                 WHERE c.position < p.end_position - 1))
                   END
            FROM ledger.event_partition p
            WHERE p.end_position - 1 <= \(through)
              AND p.first_position <= (SELECT max(b.last_position) FROM ledger.append_batch b)
              AND NOT EXISTS (SELECT FROM ledger.archive a WHERE a.first_position = p.first_position)
            ORDER BY p.first_position
            """
        ).map {
            Partition(
                positions: try $0.get(0)...(try $0.get(1, as: Int64.self)), table: try $0.get(2), reason: try $0.get(3))
        }
    }

    // MARK: - The file

    /// Writes the file, reads it back, and compares it with the database.
    private func write(_ partition: Partition, _ path: String) async throws -> ArchiveManifest {
        let positions = partition.positions
        let manifest: ArchiveManifest
        if FileManager.default.fileExists(atPath: path) {
            // Of an attempt that did not come to its end; another ledger's is not overwritten.
            do { manifest = try await check(path, positions) } catch let failure as ArchiveFailure {
                throw ArchiveFailure(
                    "there is another file already, so give another folder, or move it away: \(failure)")
            }
        } else {
            manifest = try await write(anew: partition, path)
        }
        // What the file holds is compared with the rows once more, as they stand there now.
        var again = LinesSum()
        _ = try await lines(positions) { again.add($0) }
        guard again.text == manifest.sha256 else {
            throw ArchiveFailure("\(path) does not hold the rows of \(partition.table): they changed meanwhile")
        }
        return manifest
    }

    private func write(anew partition: Partition, _ path: String) async throws -> ArchiveManifest {
        let positions = partition.positions
        let root = try await TreeTables.root(of: positions.upperBound, store.pool)
        let writer = try ArchiveWriter(path)
        let count = try await lines(positions) { try writer.write($0) }
        guard count == Int64(positions.count) else {
            throw ArchiveFailure(
                "partition \(partition.table) has \(count) events of \(positions.count); run `rollbook verify`",
                at: positions.lowerBound)
        }
        let manifest = try writer.finish { sum in
            ArchiveManifest(
                firstPosition: positions.lowerBound, lastPosition: positions.upperBound, events: count,
                table: partition.table, sha256: sum, root: root.base64)
        }
        guard try await check(path, positions) == manifest else {
            throw ArchiveFailure("\(path) was not read back as it was written")
        }
        return manifest
    }

    private func lines(_ positions: ClosedRange<Int64>, _ write: ([UInt8]) throws -> Void) async throws -> Int64 {
        try await LedgerExport(store: store).run(
            after: GlobalPosition(positions.lowerBound - 1), through: GlobalPosition(positions.upperBound)
        ) { try write($0) }
    }

    /// Reads a file and compares every event with the sealed tree.
    ///
    /// - Throws: ``ArchiveFailure``, which names the first position that is wrong.
    @discardableResult
    func check(
        _ path: String, _ positions: ClosedRange<Int64>, _ body: (ArchiveReader.Entry) throws -> Void = { _ in }
    ) async throws -> ArchiveManifest {
        try await ArchiveCheck(store).run(path, positions, body)
    }

    /// Verifies a file that the ledger knows.
    private func verify(_ range: ArchivedRange, _ path: String) async throws {
        guard try ArchiveReader(path: path).sum() == range.sha256 else {
            throw ArchiveFailure("\(path) is not the file that was archived: it has another SHA-256")
        }
        try await check(path, range.positions)
    }

    // MARK: - The partition

    /// Puts what has to stay in the partition's place.
    private func replace(
        _ partition: Partition, _ path: String, _ manifest: ArchiveManifest, _ dropping: Bool,
        _ context: (id: Identifier, actor: EventActor)
    ) async throws -> Archived {
        let first = partition.positions.lowerBound
        let sum = try ArchiveReader(path: path).sum()
        guard let root = MerkleHash(base64: manifest.root) else { preconditionFailure("a root is base64") }
        let file = (path as NSString).lastPathComponent
        let kept: Int64 = try await store.pool.query("SELECT ledger.prepare_archive(\(first))").single().get(0)
        try await swap(
            """
            SELECT ledger.archive_partition(
                \(first), \(manifest.events), \(kept), \(file), \(sum), \(root.bytes), \(context.id.uuid))
            """)
        let archived = Archived(
            manifest: manifest, path: path, sha256: Data(sum).hexadecimal, kept: kept, isDropped: dropping)
        logger.notice("a partition was archived", metadata: ["table": "\(partition.table)", "file": "\(path)"])
        try await announce(by: context.actor)
        return archived
    }

    /// Changes the tables in the log; tried again until no reader is in the way, so that appends never wait for one.
    ///
    /// How long it waits at a time, and appends behind it, its function says.
    func swap(_ statement: SQL) async throws {
        let deadline = ContinuousClock.now + patience
        var pause = Duration.milliseconds(100)
        while true {
            do {
                // Alone: the server commits it by itself. Nobody may hold these locks and wait for us.
                _ = try await store.pool.query(statement)
                return
            } catch let error as PostgresError where error.sqlState == .lockNotAvailable {
                guard ContinuousClock.now < deadline else {
                    throw ArchiveFailure(
                        "a transaction that has read the log, or a vacuum of it, was in the way for more than \(patience) "
                            + "(see pg_stat_activity): nothing was changed; end the transaction, or wait for longer")
                }
                // Until the reader is done, which nobody announces; `patience` ends it, and so does cancellation.
                try await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(1))
            }
        }
    }

    /// Says of every archive in the log that there is one; what was said before is recognised.
    private func announce(by actor: EventActor) async throws {
        for range in try await ArchiveTable.ranges(store.pool) {
            let id = range.announcement
            let event = NewEvent(
                id: id, type: Self.wireName, occurredAt: range.archivedAt, actor: actor, causation: nil,
                correlation: id,
                data: CanonicalJSON.text(ArchiveAnnouncement(range)))
            _ = try await store.append(
                Append(stream: KeyHistory.stream, expecting: .any, events: [event], command: id))
        }
    }
}
