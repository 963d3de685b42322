public import EventSourcing
public import Logging
internal import Postgres
public import ServiceLifecycle

/// Keeps one read model true: rows and checkpoint move in one transaction.
///
/// It follows the log after its checkpoint. An event that it cannot read stops it alone, loudly; any other failure is
/// tried again.
public actor Projector: Service {
    private var model: any ReadModel
    private let store: PostgresEventStore
    private let logger: Logger
    /// The checkpoint as it is known; `nil` when it must be read.
    private var place: GlobalPosition?
    /// Grows with each reset; what was begun before it does not count.
    private var round = 0
    private var reached = HeadSignal()
    /// What stopped it; `nil` while it goes on.
    public private(set) var halt: ProjectionHalt?

    init(_ model: any ReadModel, store: PostgresEventStore, logger: Logger) {
        self.model = model
        self.store = store
        self.logger = logger
    }

    /// A projector for each read model.
    public static func all(store: PostgresEventStore, logger: Logger) -> [Projector] {
        [
            Projector(AuditEntries(), store: store, logger: logger),
            Projector(RolloutRows(), store: store, logger: logger),
        ]
    }

    /// The name of its projection.
    public var name: String { model.name }

    /// The position up to which its rows are known to go.
    public var position: GlobalPosition { place ?? .start }

    /// How many events its rows are behind the log.
    /// - Throws: `EventStoreFailure`.
    public func lag() async throws(EventStoreFailure) -> Int64 {
        let head = try await store.head()
        return max(0, head.value - position.value)
    }

    /// Follows the log until the task is cancelled or a shutdown begins.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            var failures = 0
            while !Task.isCancelled {
                // Until it is made anew.
                if await self.halt != nil {
                    await BackOff.pause(after: 6)
                    continue
                }
                do {
                    try await self.catchUp()
                    failures = 0
                    // Also looks once a second, and so notices a reset of a log that is quiet.
                    await self.store.waitForNews(beyond: self.position)
                } catch is ProjectionHalt {
                    continue
                } catch {
                    failures += 1
                    await self.report(error)
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
    public func catchUp(batchSize: Int = 500) async throws -> GlobalPosition {
        while true {
            let place = try await checkpoint()
            let batch = try await store.readAll(
                after: place, before: nil, filter: EventFilter(), backwards: false, limit: batchSize)
            try await take(batch, from: place)
            if batch.count < batchSize { return position }
        }
    }

    /// Drops every row and the checkpoint, in one transaction; the rows come back from the log.
    ///
    /// The checkpoint first, as everybody does who touches both: so nobody waits in a circle.
    public func reset() async throws {
        let model = model
        try await store.pool.transaction { connection in
            try await connection.query("SELECT ledger.reset_checkpoint(\(model.name), \(Int32(model.version)))")
            for table in model.tables {
                try await connection.query("TRUNCATE views.\(identifier: table.name)")
            }
        }
        forget()
        halt = nil
        logger.info("projection is made anew", metadata: ["projection": "\(model.name)"])
    }

    /// Every row of its tables, as text in a fixed order.
    func dump() async throws -> [String] {
        var lines: [String] = []
        for table in model.tables {
            let rows = try await store.pool.query(
                "SELECT row_to_json(t)::text FROM views.\(identifier: table.name) t ORDER BY \(unsafeRaw: table.order)")
            lines += try rows.map { "\(table.name) " + (try $0.get(0, as: String.self)) }
        }
        return lines
    }

    /// Projects `batch`; if it cannot be taken whole, event by event, so that all before the one at fault are taken.
    private func take(_ batch: [RecordedEvent], from place: GlobalPosition) async throws {
        guard let last = batch.last else { return }
        do {
            try await project(batch, last, from: place)
        } catch let unreadable as UnreadableEvent {
            guard batch.count == 1 else {
                var place = place
                for recorded in batch {
                    try await take([recorded], from: place)
                    place = recorded.position
                }
                return
            }
            throw stop(
                ProjectionHalt(
                    projection: model.name, position: last.position, event: last.event.id, type: last.event.type,
                    reason: unreadable.description))
        }
    }

    private func project(_ batch: [RecordedEvent], _ last: RecordedEvent, from place: GlobalPosition) async throws {
        var model = model
        let round = round
        do {
            try await store.pool.transaction { connection in
                // No flush of its own: rows and checkpoint would be lost together, and are made again.
                let moved = try await connection.query(
                    """
                    SELECT ledger.move_checkpoint(\(model.name), \(Int32(model.version)), \(place.value),
                               \(last.position.value), \(last.event.id.uuid), \(Int32(last.epoch))),
                           set_config('synchronous_commit', 'off', true)
                    """)
                guard try moved.single().get(0, as: Bool.self) else {
                    throw EventStoreFailure.unavailable("somebody else has moved \(model.name) from \(place)")
                }
                try await model.apply(batch, through: connection)
            }
        } catch let unreadable as UnreadableEvent {
            // Rolled back; what is known still holds.
            throw unreadable
        } catch {
            // What was kept between batches, and even the checkpoint, may not be what the database has.
            forget()
            throw error
        }
        guard round == self.round else { return }
        self.model = model
        self.place = last.position
        reached.raise(to: last.position)
    }

    /// Where the rows stand; those of an older version are dropped.
    private func checkpoint() async throws -> GlobalPosition {
        if let place { return place }
        let round = round
        let row = try await store.pool.query(
            """
            SELECT c.position, c.version,
                   c.position = 0 OR EXISTS (
                       SELECT FROM ledger.event e
                       WHERE e.position = c.position AND e.event_id = c.event_id AND e.epoch = c.epoch)
            FROM ledger.checkpoint c
            WHERE c.projection = \(model.name)
            """
        ).optional()
        var found = GlobalPosition.start
        if let row, try row.get(1, as: Int.self) >= model.version {
            found = GlobalPosition(try row.get(0))
            guard try row.get(1, as: Int.self) == model.version else {
                throw stop(
                    ProjectionHalt(
                        projection: model.name,
                        reason: "its rows are those of a newer build; run that one, or make the rows anew"))
            }
            guard try row.get(2, as: Bool.self) else {
                throw stop(
                    ProjectionHalt(
                        projection: model.name, position: found,
                        reason: "the log does not have the event that the checkpoint names: it was restored or cut "
                            + "short; make the rows anew"))
            }
        } else {
            try await reset()
            return try await checkpoint()
        }
        if round == self.round {
            place = found
            reached.raise(to: found)
        }
        return found
    }

    private func forget() {
        model.forget()
        place = nil
        round += 1
        reached = HeadSignal()
    }

    private func stop(_ halt: ProjectionHalt) -> ProjectionHalt {
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

    private func report(_ error: any Error) {
        guard !Task.isCancelled else { return }
        logger.warning("projector tries again", metadata: ["projection": "\(model.name)", "error": "\(error)"])
    }
}
