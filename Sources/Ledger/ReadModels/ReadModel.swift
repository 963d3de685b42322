import EventSourcing
import Postgres

/// A projection into tables of the schema `views`: rows that follow from the log alone, so that they can be made anew.
protocol ReadModel: Sendable {
    /// Its name, under which its checkpoint stands.
    var name: String { get }
    /// Grows when the same events are to give other rows; the rows are then made anew.
    var version: Int { get }
    /// Its tables, as readers call them.
    var tables: [ReadModelTable] { get }
    /// Whether it can do with what this instance has appended itself, without reading that in the log.
    var readsRecentAppends: Bool { get }
    /// What can be asked of the server about `range` before anything is known of it, to spare a round trip.
    func opening(_ range: PositionRange, into generation: Int) -> [SQL]
    /// Finds what the events of `range` mean for the tables of `generation`, through the connection of the transaction
    /// that also moves the checkpoint.
    ///
    /// Ranges follow each other. State kept between them must follow from the events alone.
    /// - Parameters:
    ///   - opened: The answers to ``opening(_:into:)``, in the same transaction.
    ///   - recent: All events of `range`, if they were appended here lately; nothing was asked for then. Always nil unless
    ///     ``readsRecentAppends``.
    ///   - courtesy: Is asked between parts of much work; nil while nobody is to go first.
    /// - Returns: The statements that write what is still to be written.
    /// - Throws: ``PoisonEvent`` for an event that cannot be read.
    mutating func project(
        _ range: PositionRange, _ opened: [PostgresResult], _ recent: [RecentAppends.Entry]?, into generation: Int,
        through connection: PostgresConnection, _ courtesy: Courtesy?
    ) async throws -> [SQL]
    /// Fills empty tables that have no indexes yet, as fast as it can, up to the shadow's target.
    /// - Throws: ``PoisonEvent`` for an event that cannot be read.
    mutating func fill(_ shadow: ShadowTables) async throws
    /// The first event of `range` that is to blame for an `error` that does not name it; `nil` if none is.
    func culprit(of error: any Error, in range: PositionRange, pool: PostgresPool) async throws -> PoisonEvent?
    /// Forgets what was kept between ranges: the rows go back to the checkpoint's, or to none.
    mutating func forget()
}

extension ReadModel {
    var readsRecentAppends: Bool { false }

    func culprit(of error: any Error, in range: PositionRange, pool: PostgresPool) async throws -> PoisonEvent? { nil }

    /// Writes what the events of `range` mean in a transaction that is open already.
    /// - Throws: ``PoisonEvent`` for an event that cannot be read.
    mutating func project(
        _ range: PositionRange, into generation: Int, through connection: PostgresConnection
    ) async throws {
        let opened = try await connection.pipeline(opening(range, into: generation))
        try await connection.pipeline(try await project(range, opened, nil, into: generation, through: connection, nil))
    }
}

/// All read models, in the order in which they are made anew.
enum ReadModels {
    static var all: [any ReadModel] { [AuditEntries(), RolloutRows()] }
}

/// A table of a read model.
struct ReadModelTable: Sendable {
    /// The name of the view that readers use.
    let name: String
    /// The columns that name a row.
    let key: [String]
    /// How full its pages are made, in percent: where rows change often, the next version of one then stands beside it.
    var fillFactor = 100

    /// The table of `generation`, quoted and with its schema.
    func of(_ generation: Int) -> SQL { "views.\(identifier: Self.name(name, generation))" }

    static func name(_ name: String, _ generation: Int) -> String { "\(name)_\(generation)" }
}

/// Positions above `after` up to `through`.
struct PositionRange: Sendable, Equatable {
    var after: GlobalPosition
    var through: GlobalPosition

    var count: Int { Int(through.value - after.value) }

    /// The range, or its first `limit` positions.
    func prefix(_ limit: Int) -> PositionRange {
        PositionRange(after: after, through: GlobalPosition(min(through.value, after.value + Int64(limit))))
    }

    /// The log is gapless: another number of rows than positions means that events are missing.
    func check(rows: Int) throws {
        guard rows == count else {
            throw PostgresError(
                .decoding,
                "the log has \(rows) events from position \(after.value + 1) to \(through), not \(count): "
                    + "events are missing, or their partition was detached")
        }
    }
}

/// An event that a read model cannot take.
struct PoisonEvent: Error {
    var position: GlobalPosition
    var reason: String
}
