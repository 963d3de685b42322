public import EventSourcing
public import Logging
internal import Postgres
public import ServiceLifecycle

/// Keeps one read model true: rows and checkpoint move in one transaction.
///
/// It follows the log after its checkpoint, as much at a time as there is. An event that it cannot read stops it alone,
/// loudly; any other failure is tried again. A rebuild that turns its tables over is noticed, and followed.
public actor Projector: Service {
    /// How many events are projected in one transaction at the most.
    public static let largestBatch = 10_000

    /// How long events gather at the least while they come one after the other.
    ///
    /// A transaction for two or three of them costs as much as one for twenty: with 2 ms, at 1,000 events a second, those of
    /// the projectors kept the appends waiting for longer than that.
    private static let leastGathering = Duration.milliseconds(5)
    /// How long an event waits at the most, as far as gathering can help it: for the end of a transaction that began just
    /// before it, while more gather, and for the end of its own.
    private static let longestWait = Duration.milliseconds(700)
    /// A batch of so many is a sign of load.
    private static let manyEvents = 100
    /// So long events gather for each one of the batch before, at the most.
    private static let gatheringByEvent = Duration.microseconds(100)

    private var model: any ReadModel
    private let store: PostgresEventStore
    private let logger: Logger
    /// The checkpoint as it is known; `nil` when it must be read.
    private var place: CheckpointRow?
    private let reached = HeadSignal()
    /// When the next transaction may begin.
    private var nextBatch = ContinuousClock.now
    private var tally = (events: Int64(0), batches: Int64(0), last: 0)
    /// What stopped it; `nil` while it goes on.
    public private(set) var halt: ProjectionHalt?

    init(_ model: any ReadModel, store: PostgresEventStore, logger: Logger) {
        self.model = model
        self.store = store
        self.logger = logger
    }

    /// A projector for each read model.
    public static func all(store: PostgresEventStore, logger: Logger) -> [Projector] {
        ReadModels.all.map { Projector($0, store: store, logger: logger) }
    }

    /// The name of its projection.
    public var name: String { model.name }

    /// The position up to which its rows are known to go.
    public var position: GlobalPosition { place?.position ?? .start }

    /// How many events its rows are behind the log.
    /// - Throws: `EventStoreFailure`.
    public func lag() async throws(EventStoreFailure) -> Int64 {
        let head = try await store.head()
        return max(0, head.value - position.value)
    }

    /// How it stands, for people and metrics.
    /// - Throws: `PostgresError`.
    public func status() async throws -> ProjectionStatus {
        try await ProjectionStatus.read(
            name, isHalted: halt != nil, events: tally.events, batches: tally.batches, lastBatch: tally.last,
            pool: store.pool)
    }

    /// Follows the log until the task is cancelled or a shutdown begins.
    public func run() async throws {
        await withTaskExecutorPreference(ReaderExecutor.shared) { await self.follow() }
    }

    private func follow() async {
        await cancelWhenGracefulShutdown {
            var failures = 0
            while !Task.isCancelled {
                do {
                    if await self.halt != nil {
                        await BackOff.pause(after: 6)
                        try await self.riseAgain()
                        continue
                    }
                    try await self.catchUp()
                    failures = 0
                    await self.store.waitForNews(beyond: self.position)
                    await self.gather()
                } catch is ProjectionHalt {
                    continue
                } catch {
                    failures += 1
                    await self.report(error, failures)
                    await BackOff.pause(after: failures)
                }
            }
        }
    }

    /// Returns when the rows show every event up to `position`, which takes ``run()`` in another task.
    ///
    /// - Throws: ``ProjectionHalt`` if it stands still before that; `CancellationError`.
    public func waitUntil(_ position: GlobalPosition) async throws {
        while self.position < position {
            if let halt { throw halt }
            try Task.checkCancellation()
            await reached.wait(beyond: GlobalPosition(position.value - 1), atMost: .seconds(1))
        }
    }

    /// Brings the rows up to the log's present end, and answers how far that was.
    ///
    /// - Throws: ``ProjectionHalt`` for an event that it cannot read, after those before it; `EventStoreFailure`;
    ///   `PostgresError`.
    @discardableResult
    public func catchUp(batchSize: Int = Projector.largestBatch) async throws -> GlobalPosition {
        var isFollowing = false
        while true {
            let place = try await checkpoint()
            let head = try await store.head(beyond: place.position)
            if head < place.position {
                // The log was cut short, and what is known of the checkpoint may have gone with it.
                forget()
                _ = try await checkpoint()
                continue
            }
            guard head > place.position else { return place.position }
            if isFollowing {
                isFollowing = false
                await gather()
                continue
            }
            // What is not here yet of the log's end comes with the next range, which gathers first.
            let recent = model.readsRecentAppends ? store.recent.end(after: place.position) : nil
            let all = PositionRange(after: place.position, through: min(head, recent ?? head))
            let range = all.prefix(batchSize)
            let begun = ContinuousClock.now
            try await take(range, from: place)
            let end = ContinuousClock.now
            nextBatch = end + Self.gathering(after: end - begun, for: range.count)
            isFollowing = range == all
        }
    }

    /// Lets events gather while they come one after the other, so that a transaction is not made for each few of them.
    ///
    /// What comes after a rest is projected at once.
    private func gather() async {
        do { try await Task.sleep(until: nextBatch, tolerance: .zero, clock: .continuous) } catch {
            return  // Cancelled: the loop around it sees that.
        }
    }

    /// How long events gather after a transaction that took `duration` for `events`.
    ///
    /// The more there were at once the longer, up to three times what the transaction took: under load a quarter of the time
    /// goes into transactions. One that took long for a few was held up, and no more are to wait for that.
    static func gathering(after duration: Duration, for events: Int) -> Duration {
        let share = min(1, Double(events) / Double(manyEvents))
        return max(leastGathering, min(duration * (3 * share), gatheringByEvent * events, longestWait - duration * 2))
    }

    /// Drops every row and the checkpoint, in one transaction; the rows come back from the log.
    ///
    /// Readers see them come back; ``Rebuild`` makes rows anew beside the old ones.
    public func reset() async throws {
        let model = model
        try await store.pool.transaction { connection in
            let generation = try await CheckpointRow.hold(model.name, through: connection)
            try await connection.query("SELECT ledger.reset_checkpoint(\(model.name), \(Int32(model.version)))")
            for table in model.tables { try await connection.query("TRUNCATE \(table.of(generation))") }
        }
        forget()
        halt = nil
        logger.info("projection begins anew", metadata: ["projection": "\(model.name)"])
    }

    /// Projects `range`; if an event in it cannot be taken, all before that one, and then it stands still.
    private func take(_ range: PositionRange, from place: CheckpointRow) async throws {
        do {
            try await project(range, from: place)
        } catch is RangeTooLarge where range.count > 1 {
            try await take(range.prefix(range.count / 2), from: try await checkpoint())
        } catch {
            let poison: PoisonEvent
            if let named = error as? PoisonEvent {
                poison = named
            } else if let found = try await model.culprit(of: error, in: range, pool: store.pool) {
                poison = found
            } else {
                throw error
            }
            let before = PositionRange(after: range.after, through: GlobalPosition(poison.position.value - 1))
            if before.count > 0 { return try await take(before, from: try await checkpoint()) }
            let halt = try await stop(.on(poison, of: model.name, pool: store.pool))
            self.place = haltedAt
            throw halt
        }
    }

    private func project(_ range: PositionRange, from place: CheckpointRow) async throws {
        do {
            // Taken out and put back, so that what it keeps has one owner and is changed in place.
            var working = model
            model.forget()
            let recent = working.readsRecentAppends ? store.recent.row(in: range) : nil
            let wanted =
                recent == nil
                ? working.opening(range, into: place.generation)
                : ["SELECT event_id FROM ledger.event WHERE position = \(range.through.value)"]
            let courtesy = store.courtesy()
            // Before a connection is taken and anything is locked.
            await courtesy.giveWay()
            try await store.pool.onConnection { connection in
                try await connection.transaction(
                    opening: [CheckpointRow.begin(working, over: range, into: place.generation)] + wanted
                ) { connection, begun in
                    let opened = Array(begun.dropFirst())
                    if let last = recent?.last {
                        // The log may have been cut short, and have gone on, since that was appended here.
                        guard try opened[0].single().get(0) == last.event.id.uuid else { throw ForeignLog() }
                    }
                    return try await working.project(
                        range, opened, recent, into: place.generation, through: connection, courtesy)
                }
            }
            // Whoever reset it meanwhile has cleared the place, and what was projected went with it.
            guard self.place == place else { return }
            model = working
            self.place?.position = range.through
            tally = (tally.events + Int64(range.count), tally.batches + 1, range.count)
            reached.raise(to: range.through)
        } catch let poison as PoisonEvent {
            // Rolled back; what is known still holds.
            throw poison
        } catch is ForeignLog {
            store.recent.forget()
            forget()
        } catch let error as PostgresError where error.sqlState == .overtaken {
            // Another projector, or a rebuild, was faster: its checkpoint counts.
            forget()
        } catch {
            // What was kept between ranges, the checkpoint, and even the log's end may not be what the database has.
            forget()
            await store.lookAgain()
            throw error
        }
    }

    /// What was appended here is not what the log has.
    private struct ForeignLog: Error {}

    /// Where the rows stand; those of an older version are made anew beside them.
    private func checkpoint() async throws -> CheckpointRow {
        if let place { return place }
        let found = try await CheckpointRow.read(model.name, through: store.pool)
        switch found.version {
        case 0:
            try await reset()
            return try await checkpoint()
        case ..<model.version:
            _ = try await Rebuild(model, store: store, logger: logger).run { _ in }
            return try await checkpoint()
        case model.version:
            guard found.isOfThisLog else {
                throw try await stop(
                    ProjectionHalt(
                        projection: model.name, position: found.position,
                        reason: "the log does not have the event that the checkpoint names: it was restored or cut "
                            + "short; make the rows anew"))
            }
        default:
            throw try await stop(
                ProjectionHalt(
                    projection: model.name,
                    reason: "its rows are those of a newer build; run that one, or make the rows anew"))
        }
        // Nothing is archived that a projection has yet to read, unless it was reset since.
        if let range = try await ArchiveTable.first(in: found.position.value + 1...Int64.max, store.pool) {
            let halt = try await stop(
                ProjectionHalt(projection: model.name, position: found.position, reason: "\(range.words)"))
            isArchiveInTheWay = true
            throw halt
        }
        place = found
        reached.raise(to: found.position)
        return found
    }

    /// Goes on after a halt if somebody has made the rows anew, or brought back what it has to read.
    private func riseAgain() async throws {
        let found = try await CheckpointRow.read(model.name, through: store.pool)
        guard found.version == model.version, found.isOfThisLog else { return }
        if isArchiveInTheWay {
            let ahead = found.position.value + 1...Int64.max
            guard try await ArchiveTable.first(in: ahead, store.pool) == nil else { return }
        } else {
            guard found.generation != haltedAt?.generation || found.position != haltedAt?.position else { return }
        }
        forget()
        halt = nil
    }

    private var haltedAt: CheckpointRow?
    /// Whether it halted because of what stands in an archive, and not in the log.
    private var isArchiveInTheWay = false

    private func forget() {
        model.forget()
        place = nil
        reached.set(to: .start)
    }

    private func stop(_ halt: ProjectionHalt) async throws -> ProjectionHalt {
        haltedAt = try await CheckpointRow.read(model.name, through: store.pool)
        isArchiveInTheWay = false
        self.halt = halt
        logger.error(
            "projector stopped",
            metadata: [
                "projection": "\(halt.projection)", "error": "\(halt.reason)",
                "ledger.position": "\(halt.position?.description ?? "none")",
                "event.id": "\(halt.event?.description ?? "none")", "event.type": "\(halt.type ?? "none")",
            ])
        return halt
    }

    private func report(_ error: any Error, _ failures: Int) {
        guard !Task.isCancelled else { return }
        logger.log(
            level: BackOff.level(after: failures), "projector tries again",
            metadata: ["projection": "\(model.name)", "failures": "\(failures)", "error": "\(error)"])
    }
}
