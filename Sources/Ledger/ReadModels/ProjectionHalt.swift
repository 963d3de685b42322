public import EventSourcing

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
