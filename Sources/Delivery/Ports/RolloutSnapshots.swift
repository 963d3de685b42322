public import EventSourcing

/// Keeps what rollouts were at some of their versions, so that a fold need not begin at the first event.
///
/// A cache: what is kept may be lost, and what is asked for may not be there.
public protocol RolloutSnapshots: Sendable {
    /// The newest reading of `name` that is kept and had been recorded by `point`, and what follows it; `nil` if there is
    /// none, or if the log is not the one that it was read from.
    ///
    /// - Parameter limit: Of the events that follow so many are read along, at the most.
    /// - Throws: `EventStoreFailure`.
    func latest(of name: RolloutName, at point: PointInTime, following limit: Int) async throws -> KeptReading?

    /// Keeps readings of one rollout.
    ///
    /// Whatever stands in the way is the keeper's own concern: the answer that they were made for is right without them.
    func keep(_ readings: [RolloutReading]) async
}

/// A reading that was kept, and the events after it.
public struct KeptReading: Sendable {
    /// The reading.
    public var reading: RolloutReading
    /// The events of the stream that follow on it, in order and without a gap; `nil` if they were not read.
    ///
    /// As many as were asked for, or all up to the point that was asked for.
    public var following: [RecordedEvent]?

    /// A reading and what follows it.
    public init(_ reading: RolloutReading, following: [RecordedEvent]?) {
        (self.reading, self.following) = (reading, following)
    }
}
