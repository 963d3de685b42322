public import EventSourcing
public import Logging

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
