/// The log as it grows, in batches that are never empty; each begins where the last one ended.
///
/// It ends when the task that iterates is cancelled, and throws ``FollowerEnd`` where nobody can go on. Whoever iterates
/// begins at the beginning.
public struct EventBatches: AsyncSequence, Sendable {
    /// Some events that follow one another.
    public typealias Element = [RecordedEvent]
    /// Why nobody can go on.
    public typealias Failure = FollowerEnd
    /// Waits for the next batch; nil once the task is cancelled.
    public typealias Next = () async throws(FollowerEnd) -> [RecordedEvent]?

    private let begin: @Sendable () -> Next

    /// Makes a sequence of the batches that come from what `begin` gives, which is asked no more after its end.
    public init(_ begin: @escaping @Sendable () -> Next) { self.begin = begin }

    /// Begins to follow.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(next: begin()) }

    /// One follower.
    public struct AsyncIterator: AsyncIteratorProtocol {
        /// Nil after the end.
        fileprivate var next: Next?

        /// Waits for the next batch; nil once the task is cancelled.
        ///
        /// - Throws: ``FollowerEnd``, once.
        public mutating func next(
            isolation: isolated (any Actor)? = #isolation
        ) async throws(FollowerEnd) -> [RecordedEvent]? {
            guard let ask = next else { return nil }
            next = nil
            guard let batch = try await ask() else { return nil }
            next = ask
            return batch
        }
    }
}
