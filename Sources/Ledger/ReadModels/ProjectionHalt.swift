public import EventSourcing
internal import Foundation
internal import Postgres

/// Why a projector stands still until its rows are made anew or another build runs.
public struct ProjectionHalt: Error, Sendable, Equatable, CustomStringConvertible {
    /// The projection.
    public var projection: String
    /// Where it stopped, if that is due to what stands there.
    public var position: GlobalPosition?
    /// The id of the event that it could not take.
    public var event: Identifier?
    /// That event's type.
    public var type: String?
    /// What is wrong, and what to do.
    public var reason: String

    /// A sentence for people.
    public var description: String {
        let place = position.map { " at position \($0)" } ?? ""
        let named = event.map { " (event \($0))" } ?? ""
        return "projection \(projection) stands still\(place)\(named): \(reason)"
    }
}

extension ProjectionHalt {
    /// The halt for an event that a projection cannot take, with its id and type as the log has them.
    static func on(_ poison: PoisonEvent, of projection: String, pool: PostgresPool) async throws -> ProjectionHalt {
        let row = try await pool.query(
            """
            SELECT e.event_id, t.name
            FROM ledger.event e
            JOIN ledger.event_type t USING (type_id)
            WHERE e.position = \(poison.position.value)
            """
        ).optional()
        return ProjectionHalt(
            projection: projection, position: poison.position,
            event: try row.map { Identifier(try $0.get(0, as: UUID.self)) }, type: try row?.get(1),
            reason: poison.reason)
    }
}
