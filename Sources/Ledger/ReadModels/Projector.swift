internal import Delivery
public import EventSourcing
internal import Foundation
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
    private var place: GlobalPosition?
    /// What stopped it; `nil` while it goes on.
    public private(set) var poison: UnreadableEvent?

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

    /// Follows the log until the task is cancelled or a shutdown begins.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                if await self.follow() { return await self.rest() }
            }
        }
    }

    /// Brings the rows up to the head that the log has now, and answers that head.
    ///
    /// - Throws: ``UnreadableEvent`` for an event that it cannot read; `EventStoreFailure`; `PostgresError`.
    @discardableResult
    public func catchUp(batchSize: Int = 500) async throws -> GlobalPosition {
        let head = try await store.head()
        var place = try await checkpoint()
        while place < head {
            let batch = try await store.readAll(
                after: place, before: nil, filter: EventFilter(), backwards: false, limit: batchSize)
            guard let last = batch.last else { break }
            try await project(batch, from: place)
            place = last.position
        }
        return place
    }

    /// Drops every row and the checkpoint, in one transaction; the rows come back from the log.
    public func reset() async throws {
        model.forget()
        place = nil
        let model = model
        try await store.pool.transaction { connection in
            for table in model.tables {
                _ = try await connection.query("TRUNCATE views.\(identifier: table.name)")
            }
            _ = try await connection.query("SELECT ledger.reset_checkpoint(\(model.name), \(Int32(model.version)))")
        }
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

    /// Follows; true if it must not go on.
    private func follow() async -> Bool {
        do {
            let start = try await catchUp()
            for await batch in store.follow(after: start, batchSize: 500) {
                try await project(batch, from: place ?? start)
            }
        } catch let unreadable as UnreadableEvent {
            poison = unreadable
            logger.error(
                "projector stopped: an event cannot be read",
                metadata: ["projection": "\(model.name)", "error": "\(unreadable)"])
            return true
        } catch {
            logger.warning("projector tries again", metadata: ["projection": "\(model.name)", "error": "\(error)"])
            model.forget()
            place = nil
            await BackOff.pause(after: 1)
        }
        return false
    }

    /// Waits for the end of the task: a projector that stopped does not take the service down.
    private func rest() async {
        while !Task.isCancelled { await BackOff.pause(after: 5) }
    }

    private func checkpoint() async throws -> GlobalPosition {
        if let place { return place }
        let row = try await store.pool.query(
            "SELECT \"position\", version FROM ledger.checkpoint WHERE projection = \(model.name)"
        ).optional()
        guard let row, try row.get(1, as: Int32.self) == Int32(model.version) else {
            try await reset()
            place = .start
            return .start
        }
        let found = GlobalPosition(try row.get(0))
        place = found
        return found
    }

    private func project(_ batch: [RecordedEvent], from place: GlobalPosition) async throws {
        guard let last = batch.last else { return }
        var model = model
        try await store.pool.transaction { connection in
            try await model.apply(batch, through: connection)
            let moved = try await connection.query(
                """
                SELECT ledger.move_checkpoint(\(model.name), \(Int32(model.version)), \(place.value),
                    \(last.position.value), \(last.event.id.uuid), \(Int32(last.epoch)))
                """)
            guard try moved.single().get(0, as: Bool.self) else {
                throw EventStoreFailure.unavailable("another projector has moved \(model.name) on from \(place)")
            }
        }
        self.model = model
        self.place = last.position
    }
}

/// Whether the read models are what the log says: made anew, and compared row by row with what stood there.
public struct ReadModelCheck: Sendable, Equatable, Codable {
    /// Whether every row was the same, byte for byte.
    public var identical: Bool
    /// Rows that were compared.
    public var rows: Int
    /// The head up to which both were made.
    public var position: GlobalPosition
    /// The first row that differs, as it stood; `nil` if none does.
    public var before: String?
    /// The first row that differs, as the log says.
    public var after: String?

    /// Brings the read models up to the head, dumps them, drops them, makes them anew, and compares.
    ///
    /// No other projector may run on this ledger meanwhile, and nobody append.
    public static func run(store: PostgresEventStore, logger: Logger) async throws -> ReadModelCheck {
        var check = ReadModelCheck(identical: true, rows: 0, position: try await store.head())
        for projector in Projector.all(store: store, logger: logger) {
            try await projector.catchUp()
            let stood = try await projector.dump()
            try await projector.reset()
            try await projector.catchUp()
            let made = try await projector.dump()
            check.rows += made.count
            guard stood != made, check.identical else { continue }
            check.identical = false
            let index = zip(stood, made).enumerated().first { $0.element.0 != $0.element.1 }?.offset
            check.before = index.map { stood[$0] } ?? (stood.count > made.count ? stood[made.count] : nil)
            check.after = index.map { made[$0] } ?? (made.count > stood.count ? made[stood.count] : nil)
        }
        return check
    }
}
