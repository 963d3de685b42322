public import EventSourcing
internal import Foundation
public import Logging
internal import Postgres
public import ServiceLifecycle
internal import Transparency

/// Follows the log, keeps its tree, and signs tree heads.
///
/// Tiles, the place it has come to and the signed head are written in one transaction that asks whether the place is
/// still what it was: two at once do each other no harm. It signs nothing that does not extend what was signed before,
/// in the database or in the file that it keeps beside; where that is impossible it stands still, loudly.
public actor Sealer: Service {
    /// How often it signs.
    public struct Settings: Sendable {
        /// The shortest time between two heads.
        public var interval = Duration.milliseconds(500)
        /// A head is signed sooner if so many events have come.
        public var eventsPerHead = 65_536
        /// Where the last signed head is kept outside the database; nil keeps none.
        public var lastHeadFile: String?

        /// At most two heads a second, or one for 65,536 events.
        public init(
            interval: Duration = .milliseconds(500), eventsPerHead: Int = 65_536, lastHeadFile: String? = nil
        ) {
            self.interval = interval
            self.eventsPerHead = eventsPerHead
            self.lastHeadFile = lastHeadFile
        }
    }

    /// The tree in memory.
    private struct Work {
        var tree: TiledTree
        var lastLeaf: MerkleHash?
        var epoch: Int
        /// A head that was signed and is not in the database: the tree must come by it.
        var pinned: SignedTreeHead?
    }

    private let store: PostgresEventStore
    private let signer: any LogSigner
    private let settings: Settings
    private let logger: Logger
    /// Nil when it must be read.
    private var work: Work?
    private let reached = HeadSignal()
    /// What stopped it; nil while it goes on.
    public private(set) var halt: SealHalt?

    /// Makes a sealer; nothing is read before ``run()`` or ``seal()``.
    public init(
        store: PostgresEventStore, signer: any LogSigner, settings: Settings = Settings(),
        logger: Logger = Logger(label: "ledger.sealer")
    ) {
        self.store = store
        self.signer = signer
        self.settings = settings
        self.logger = logger
    }

    /// The last position that is known to be sealed.
    public private(set) var position = GlobalPosition.start

    /// How many events are not sealed yet.
    ///
    /// - Throws: `EventStoreFailure`.
    public func lag() async throws(EventStoreFailure) -> Int64 {
        let head = try await store.head()
        return max(0, head.value - position.value)
    }

    /// Seals until the task is cancelled, a shutdown begins, or it cannot be done here (``halt``).
    public func run() async throws {
        await withTaskExecutorPreference(ReaderExecutor.shared) { await self.follow() }
    }

    private func follow() async {
        // Since the last run another may have sealed on, and the events of then may have gone into an archive.
        work = nil
        await cancelWhenGracefulShutdown {
            var failures = 0
            while !Task.isCancelled, await self.halt == nil {
                do {
                    let courtesy = self.store.courtesy()
                    await courtesy.giveWay()
                    let begun = ContinuousClock.now
                    let sealed = try await self.seal(courtesy)
                    failures = 0
                    if sealed == 0 {
                        await self.store.waitForNews(beyond: self.position)
                    } else if sealed < self.settings.eventsPerHead {
                        await self.pause(until: begun + self.settings.interval)
                    }
                } catch is SealHalt {
                    continue
                } catch {
                    failures += 1
                    guard !Task.isCancelled else { return }
                    self.logger.log(
                        level: BackOff.level(after: failures), "sealer tries again",
                        metadata: ["failures": "\(failures)", "error": "\(error)"])
                    await BackOff.pause(after: failures)
                }
            }
        }
    }

    /// Returns when every event up to `position` is under a signed head, which takes ``run()`` in another task.
    ///
    /// - Throws: ``SealHalt`` if it stands still before that; `CancellationError`.
    public func waitUntil(_ position: GlobalPosition) async throws {
        while self.position < position {
            if let halt { throw halt }
            try Task.checkCancellation()
            await reached.wait(beyond: GlobalPosition(position.value - 1), atMost: .seconds(1))
        }
    }

    /// Seals what the log has beyond the last head, at most a head's worth; says how many events that were.
    ///
    /// What this instance appended itself lately is sealed as it was appended, unless the log has not so many events or
    /// another last one; all else as the log has it.
    /// - Throws: ``SealHalt`` if that cannot be done, ever; `EventStoreFailure`, `PostgresError`, ``SigningFailure``.
    @discardableResult
    public func seal() async throws -> Int { try await seal(nil) }

    /// - Parameter courtesy: Is asked again and again while events are read; nil while nobody is to go first.
    private func seal(_ courtesy: Courtesy?) async throws -> Int {
        do {
            if let halt { throw halt }
            var work = try await begun()
            let from = work.tree.size
            var full: [TiledTree.FullTile] = []
            try await grow(&work, completed: &full, courtesy)
            guard work.tree.size > from else { return 0 }
            guard try await publish(work, from: from, full) else {
                logger.debug("somebody else has sealed", metadata: ["ledger.position": "\(from)"])
                self.work = nil
                return 0
            }
            if let pinned = work.pinned, pinned.head.size <= work.tree.size { work.pinned = nil }
            take(up: work)
            return Int(work.tree.size - from)
        } catch let halt as SealHalt {
            if self.halt == nil {
                logger.error(
                    "ledger.fork-detected: no tree head is signed any more",
                    metadata: ["error": "\(halt)", "ledger.position": "\(position)"])
            }
            self.halt = halt
            throw halt
        } catch {
            work = nil
            throw error
        }
    }

    /// Waits until `end`, when the next head is due, or until there is enough for one.
    private func pause(until end: ContinuousClock.Instant) async {
        let next = position.value + Int64(settings.eventsPerHead)
        while !Task.isCancelled, ContinuousClock.now < end {
            do {
                // In short steps, so that a burst is not made to wait for a long interval.
                try await Task.sleep(until: min(end, .now + .milliseconds(500)), clock: .continuous)
                if ContinuousClock.now < end, try await store.head().value >= next { return }
            } catch {
                return  // Cancelled, or the ledger is out of reach: the next round says which.
            }
        }
    }

    // MARK: - Taking up

    /// The tree as it was left, after a look whether it is still that of the log and ours to sign.
    private func begun() async throws -> Work {
        if let work { return work }
        let state = try await TreeTables.state(store.pool)
        if let head = state.head { try await checkKey(head) }
        var work = Work(tree: state.tree, lastLeaf: state.lastLeaf, epoch: state.head?.epoch ?? 1)
        if let file = settings.lastHeadFile, let last = try LastSignedHead(path: file).read() {
            work.pinned = try await pinned(last, file, state)
        }
        take(up: work)
        return work
    }

    private func take(up work: Work) {
        self.work = work
        position = GlobalPosition(work.tree.size)
        reached.raise(to: position)
    }

    /// Whether our key is the one that the log is signed with.
    private func checkKey(_ head: TreeTables.StoredHead) async throws {
        guard let key = VerifierKey(head.signer) else {
            throw SealHalt("the last tree head is said to be signed by \"\(head.signer)\", which is no verifier key")
        }
        do {
            let signed = try SignedTreeHead(head.note)
            try signed.verified(by: [key])
            guard signed.head.size == head.size, signed.head.root == head.root else {
                throw SealHalt("the last tree head does not say what its row says; run `rollbook verify`")
            }
        } catch let problem as SignedNote.Problem {
            throw SealHalt("the last tree head is not signed as it claims to be: \(problem)")
        }
        guard key == signer.verifier else {
            let chain = try await KeyHistory.read(store).chain(from: [key])
            guard chain.keys.last == signer.verifier else {
                throw SealHalt(
                    "the log is signed with \(chain.keys.last ?? key), and this instance has \(signer.verifier): give that "
                        + "key with --seal-key, or announce this one with `rollbook rotate-key`")
            }
            return
        }
    }

    /// The head in the file, if the tree has yet to come by it.
    private func pinned(
        _ last: SignedTreeHead, _ file: String, _ state: TreeTables.State
    ) async throws -> SignedTreeHead? {
        guard let epoch = TreeHead.epoch(ofOrigin: last.head.origin, name: signer.verifier.name) else {
            throw SealHalt(
                "\(file) holds a tree head of \(last.head.origin), and this key is one of \(signer.verifier.name): "
                    + "is the ledger another one? Move the file away if that is so")
        }
        let row = try await store.pool.query(
            """
            SELECT max(b.last_position), max(b.epoch),
                   (SELECT min(n.first_position) FROM ledger.append_batch n WHERE n.epoch > \(Int32(epoch)))
            FROM ledger.append_batch b
            """
        ).single()
        let (length, began) = (try row.get(0, as: Int64.self), try row.get(2, as: Int64?.self))
        if let began, began <= last.head.size {
            logger.warning(
                "the log was cut short after a tree head was signed, and goes on in a new epoch",
                metadata: ["tree.size": "\(last.head.size)", "ledger.position": "\(began)"])
            return nil
        }
        guard length >= last.head.size else {
            throw SealHalt(
                "a tree head of \(last.head.size) events was signed (\(file)), and the log has \(length): it was cut "
                    + "short. Put it back whole, or let it go on in a new epoch")
        }
        guard last.head.size <= state.tree.size else { return last }
        let root = try await TreeTables.hashes(.root(of: last.head.size), store.pool)[0]
        guard last.head.size == 0 || root == last.head.root else {
            throw SealHalt(
                "the log of \(last.head.size) events has the root \(root), and \(last.head.root) was signed (\(file)): it is "
                    + "not the log that it was. Run `rollbook verify --tree-head \(file)`")
        }
        return nil
    }

    // MARK: - Growing

    /// Adds the leaves of events, as many as one head covers.
    private func grow(
        _ work: inout Work, completed full: inout [TiledTree.FullTile], _ courtesy: Courtesy?
    ) async throws {
        let from = work.tree.size
        var through = from + Int64(settings.eventsPerHead)
        if let pinned = work.pinned { through = min(through, pinned.head.size) }
        var growth = LeafGrowth(tree: work.tree, lastLeaf: work.lastLeaf, epoch: work.epoch)
        let heard = store.heard.value
        // Up to a head that the database may lack the question is what the database has.
        if work.pinned == nil { try await takeRecent(&growth, through: through, courtesy) }
        if growth.tree.size == from || growth.tree.size < min(through, heard) {
            try await store.pool.withConnection { connection in
                try await growth.read(through: through, connection, courtesy)
            }
        }
        (work.tree, work.lastLeaf, work.epoch) = (growth.tree, growth.lastLeaf, growth.epoch)
        full = growth.full
        if let pinned = work.pinned, work.tree.size == pinned.head.size, work.tree.root != pinned.head.root {
            throw SealHalt(
                "the log of \(work.tree.size) events has the root \(work.tree.root), and \(pinned.head.root) was signed "
                    + "(\(settings.lastHeadFile ?? "")): it is not the log that it was")
        }
    }

    /// Adds what this instance appended itself next after the tree, lately: that need not be read again.
    private func takeRecent(_ growth: inout LeafGrowth, through: Int64, _ courtesy: Courtesy?) async throws {
        let size = growth.tree.size
        guard let row = store.recent.row(from: GlobalPosition(size + 1), limit: Int(through - size)) else { return }
        let grown = await growth.adding(row, courtesy)
        if try await grown.isInLog(since: growth, store.pool) {
            growth = grown
        } else {
            // Another server's log, or somebody has changed it; what it has now is what is sealed, or why nothing is.
            logger.warning(
                "the log has something else than what was appended here, and is read",
                metadata: ["ledger.position": "\(size + 1)-\(grown.tree.size)"])
            store.recent.forget()
        }
    }

    private func publish(_ work: Work, from: Int64, _ full: [TiledTree.FullTile]) async throws -> Bool {
        // What is read may be in no replica yet, because a wait for that was cancelled: a head of it might have to be
        // taken back after a failover.
        try await store.pool.query("SELECT \(AppendStatement.durableCommit)")
        let origin = TreeHead.origin(of: signer.verifier.name, epoch: work.epoch)
        let head = TreeHead(origin: origin, size: work.tree.size, root: work.tree.root)
        let note = try await signer.signed(head.noteText)
        if let file = settings.lastHeadFile { try LastSignedHead(path: file).write(note) }
        return try await TreeTables.write(
            TreeTables.Seal(
                from: from, tree: work.tree, full: full, head: head, epoch: work.epoch, signer: signer.verifier,
                note: note),
            store.pool)
    }
}
