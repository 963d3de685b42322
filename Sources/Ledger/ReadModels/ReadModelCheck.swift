public import EventSourcing
public import Logging

/// Whether the read models are what the log says: made anew beside what stood there, and compared row by row.
public struct ReadModelCheck: Sendable, Equatable, Codable {
    /// Whether every row was the same, byte for byte.
    public var identical: Bool
    /// Rows that were compared.
    public var rows: Int
    /// The position up to which both were made, of the read model that goes least far.
    public var position: GlobalPosition
    /// The first row that differs, as it stood; `nil` if none does.
    public var before: String?
    /// The first row that differs, as the log says.
    public var after: String?

    /// Makes the read models of these `names` anew and compares them with the old ones.
    ///
    /// Projectors may run and events be appended meanwhile; a projection's writers wait while its rows are compared.
    /// - Throws: As ``Rebuild/run(comparing:progress:)``.
    public static func run(
        _ names: [String] = Rebuild.names, store: PostgresEventStore, logger: Logger,
        progress: @escaping @Sendable (RebuildProgress) -> Void = { _ in }
    ) async throws -> ReadModelCheck {
        var reports: [RebuildReport] = []
        for name in names {
            guard let rebuild = Rebuild(name, store: store, logger: logger) else { continue }
            reports.append(try await rebuild.run(comparing: true, progress: progress))
        }
        let wrong = reports.first(where: \.differs)
        return ReadModelCheck(
            identical: wrong == nil, rows: reports.reduce(0) { $0 + $1.rows },
            position: reports.map(\.position).min() ?? .start, before: wrong?.before, after: wrong?.after)
    }
}
