public import EventSourcing
internal import Foundation
public import Logging
internal import Postgres

/// Makes a read model anew beside the live one, and turns readers over to it in one short transaction.
///
/// The live projector goes on meanwhile. A rebuild that was ended goes on from where it was the next time.
public struct Rebuild: Sendable {
    /// The names of all read models.
    public static var names: [String] { ReadModels.all.map(\.name) }

    /// How long one attempt to turn over waits for projectors.
    private static let patience = "5s"
    /// How long it waits for the readers of each table, who queue behind it: so short that no reader that holds one table
    /// and waits for another ever counts as deadlocked (`deadlock_timeout` is a second).
    private static let readersPatience = "150ms"
    private static let attempts = 120
    private static let catchUpSize = 5000
    /// What may be left to be projected while writers wait.
    private static let closeEnough = 1000

    let model: any ReadModel
    private let store: PostgresEventStore
    private let logger: Logger

    init(_ model: any ReadModel, store: PostgresEventStore, logger: Logger) {
        self.model = model
        self.store = store
        self.logger = logger
    }

    /// A rebuild of the read model of that name; `nil` if there is none.
    public init?(_ name: String, store: PostgresEventStore, logger: Logger) {
        guard let model = ReadModels.all.first(where: { $0.name == name }) else { return nil }
        self.init(model, store: store, logger: logger)
    }

    /// Makes the rows anew, up to the head at least; with `comparing`, also says whether they are what stood there.
    ///
    /// - Throws: ``RebuildFailure`` if another rebuild of it runs; ``ProjectionHalt`` for an event that it cannot read;
    ///   `EventStoreFailure`; `PostgresError`. The live rows are as they were then.
    public func run(
        comparing: Bool = false, progress: @escaping @Sendable (RebuildProgress) -> Void
    ) async throws -> RebuildReport {
        try await ArchiveTable.check(1...Int64.max, store.pool)
        let alone = try await PostgresConnection.connect(store.pool.configuration)
        do {
            try await claimAlone(alone)
            let report = try await runAlone(comparing, progress)
            await leave(alone)
            return report
        } catch {
            await leave(alone)
            guard let poison = error as? PoisonEvent else { throw error }
            throw try await ProjectionHalt.on(poison, of: model.name, pool: store.pool)
        }
    }

    private func claimAlone(_ connection: PostgresConnection) async throws {
        let row = try await connection.query(
            """
            SELECT pg_try_advisory_lock(hashtext('rollbook.rebuild'), hashtext(\(model.name))),
                   (SELECT min(l.pid)
                    FROM pg_locks l
                    WHERE l.locktype = 'advisory' AND l.granted AND l.pid <> pg_backend_pid()
                      AND l.classid::int8 = hashtext('rollbook.rebuild')::int8 & 4294967295
                      AND l.objid::int8 = hashtext(\(model.name))::int8 & 4294967295)
            """
        ).single()
        guard try row.get(0, as: Bool.self) else {
            let backend = try row.get(1, as: Int32?.self).map { " (database session \($0))" } ?? ""
            throw RebuildFailure("another rebuild of \(model.name) runs\(backend): wait for it, or end it")
        }
    }

    /// Lets the next one begin at once: a session that is only closed keeps its lock until the server notices.
    private func leave(_ connection: PostgresConnection) async {
        do {
            try await connection.query("SELECT pg_advisory_unlock_all()", .uncancellable)
        } catch {
            // A connection that is lost has lost its lock, or will as soon as the server knows.
            logger.debug("rebuild's session was gone", metadata: ["projection": "\(model.name)", "error": "\(error)"])
        }
        await connection.close()
    }

    private func runAlone(
        _ comparing: Bool, _ progress: @escaping @Sendable (RebuildProgress) -> Void
    ) async throws -> RebuildReport {
        let begun = ContinuousClock.now
        let name = model.name
        let shadow = try await ShadowTables.open(model, pool: store.pool, head: try await store.head()) {
            place, target in
            progress(RebuildProgress(projection: name, stage: .filling, position: place, target: target))
        }
        var model = model
        do {
            try await model.fill(shadow)
        } catch {
            let row = await shadow.row
            let range = PositionRange(after: row.position, through: row.target)
            if let found = try await model.culprit(of: error, in: range, pool: store.pool) { throw found }
            throw error
        }
        let target = await shadow.row.target
        progress(RebuildProgress(projection: name, stage: .indexing, position: target, target: target))
        try await ShadowIndexes(model, generation: shadow.generation, pool: store.pool).make()
        if comparing { try await Projector(self.model, store: store, logger: logger).catchUp() }
        for attempt in 1...Self.attempts {
            try await catchUp(&model, shadow, progress)
            progress(
                RebuildProgress(
                    projection: name, stage: comparing ? .comparing : .turningOver, position: await shadow.row.position,
                    target: await shadow.row.position))
            do {
                let (start, compared) = (model, comparing)
                let report = try await store.pool.transaction { connection in
                    try await turnOver(start, shadow, comparing: compared, through: connection)
                }
                logger.info(
                    "read model made anew",
                    metadata: [
                        "projection": "\(name)", "ledger.position": "\(report.position)",
                        "took": "\(ContinuousClock.now - begun)",
                    ])
                return report
            } catch is TooFarBehind, is RangeTooLarge {
                continue
            } catch let error as PostgresError
                where (error.sqlState == "55P03" || error.sqlState == .deadlockDetected) && attempt < Self.attempts
            {
                // A reader holds what is to be turned over; others must not wait behind us for long.
                await BackOff.pause(after: attempt)
                try Task.checkCancellation()
            }
        }
        throw RebuildFailure(
            "\(name) is made anew but readers never let go of the old tables: end long transactions and run it again")
    }

    /// Projects what came since, until little is left.
    private func catchUp(
        _ model: inout any ReadModel, _ shadow: ShadowTables, _ progress: @Sendable (RebuildProgress) -> Void
    ) async throws {
        var size = Self.catchUpSize
        while true {
            let (place, head) = (await shadow.row.position, try await store.head())
            guard head > place else { return }
            let range = PositionRange(after: place, through: head).prefix(size)
            do {
                try await shadow.advance(to: range.through) { connection in
                    try await model.project(range, into: shadow.generation, through: connection)
                }
            } catch is RangeTooLarge where range.count > 1 {
                size = range.count / 2
                continue
            }
            progress(
                RebuildProgress(projection: model.name, stage: .catchingUp, position: range.through, target: head))
            if head.value - range.through.value < Int64(Self.closeEnough) / 10 { return }
        }
    }

    private struct TooFarBehind: Error {}

    /// Brings both generations to one position and turns readers over; everybody who writes waits meanwhile.
    private func turnOver(
        _ model: any ReadModel, _ shadow: ShadowTables, comparing: Bool, through connection: PostgresConnection
    ) async throws -> RebuildReport {
        var model = model
        try await connection.query("SELECT set_config('lock_timeout', \(Self.patience), true)")
        let generation = try await CheckpointRow.hold(model.name, through: connection)
        try await shadow.lock(connection)
        let live = try await CheckpointRow.read(model.name, through: connection)
        guard live.version <= model.version else {
            throw RebuildFailure("the rows of \(model.name) are those of a newer build: run that one")
        }
        var place = await shadow.row.position
        if live.isOfThisLog, live.position > place {
            let range = PositionRange(after: place, through: live.position)
            guard range.count <= Self.closeEnough else { throw TooFarBehind() }
            try await model.project(range, into: shadow.generation, through: connection)
            place = live.position
        }
        var report = RebuildReport(projection: model.name, position: place)
        if comparing {
            if live.position < place {
                var old = self.model
                try await old.project(
                    PositionRange(after: live.position, through: place), into: generation, through: connection)
            }
            for table in model.tables {
                try await report.compare(table, generation, shadow.generation, through: connection)
            }
        }
        try await connection.query("SELECT set_config('lock_timeout', \(Self.readersPatience), true)")
        let views = model.tables.map { "views." + SQL.quoted(identifier: $0.name) }.joined(separator: ", ")
        try await connection.query("LOCK TABLE \(unsafeRaw: views) IN ACCESS EXCLUSIVE MODE")
        for table in model.tables {
            try await connection.query(
                """
                CREATE OR REPLACE VIEW views.\(identifier: table.name) AS SELECT * FROM \(table.of(shadow.generation))
                """)
        }
        try await connection.query(
            "UPDATE views.projection SET generation = \(Int32(shadow.generation)) WHERE name = \(model.name)")
        try await connection.query("SELECT ledger.reset_checkpoint(\(model.name), \(Int32(model.version)))")
        if place > .start {
            let whole = PositionRange(after: .start, through: place)
            guard try await CheckpointRow.move(model, over: whole, through: connection) else {
                throw RebuildFailure("the checkpoint of \(model.name) moved while it was held")
            }
        }
        try await connection.query("DELETE FROM views.rebuild WHERE projection = \(model.name)")
        try await connection.query("DELETE FROM views.rebuild_fold WHERE projection = \(model.name)")
        for table in model.tables { try await connection.query("DROP TABLE \(table.of(generation))") }
        return report
    }
}

/// How far a rebuild is.
public struct RebuildProgress: Sendable, Equatable {
    /// The read model.
    public var projection: String
    /// What it does.
    public var stage: Stage
    /// Events that are taken in; counted again in each pass, if there are several.
    public var position: GlobalPosition
    /// Events that are to be taken in.
    public var target: GlobalPosition

    /// What a rebuild does, in order.
    public enum Stage: String, Sendable {
        /// Fills the new tables from the log.
        case filling
        /// Makes their indexes.
        case indexing
        /// Projects what came meanwhile.
        case catchingUp = "catching-up"
        /// Compares old and new rows.
        case comparing
        /// Turns readers over.
        case turningOver = "turning-over"
    }
}

/// Why a rebuild did not come to its end; the live rows are as they were.
public struct RebuildFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// A sentence for people.
    public let description: String

    init(_ description: String) { self.description = description }
}
