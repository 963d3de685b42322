/// Keeps what rollouts were at some of their versions, so that a fold need not begin at the first event.
///
/// A cache: what is kept may be lost, and what is asked for may not be there.
public protocol RolloutSnapshots: Sendable {
    /// The newest reading of `name` that is kept and had been recorded by `point`; `nil` if there is none, or if the log
    /// is not the one that it was read from.
    ///
    /// - Throws: `EventStoreFailure`.
    func latest(of name: RolloutName, at point: PointInTime) async throws -> RolloutReading?

    /// Keeps readings of one rollout.
    ///
    /// Whatever stands in the way is the keeper's own concern: the answer that they were made for is right without them.
    func keep(_ readings: [RolloutReading]) async
}
