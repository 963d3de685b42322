/// Why a follower got no further, though nobody has cancelled it.
public enum FollowerEnd: Sendable, Equatable {
    /// What follows stands in an archive and not in the store; which, and what to do.
    case archived(String)
    /// What was followed is not in the log any more; what stands there instead.
    case cutShort(String)
}

extension EventReader {
    /// Why a follower that has come to `place` ended by itself; nil if it can go on by now.
    ///
    /// - Parameter last: The event at `place`, if it was given out.
    /// - Throws: ``EventStoreFailure``, but not `.archived`.
    public func end(
        ofFollowerAt place: GlobalPosition, after last: RecordedEvent?
    ) async throws(EventStoreFailure) -> FollowerEnd? {
        let next = try await readAll(after: place, before: nil, filter: EventFilter(), backwards: false, limit: 1)
        if case .archived(_, let words) = next.end, next.events.isEmpty { return .archived(words) }
        let head = try await head()
        guard head >= place else { return .cutShort("it ends at position \(head)") }
        guard let last else { return nil }
        let there = try await readAll(
            after: GlobalPosition(place.value - 1), before: nil, filter: EventFilter(), backwards: false, limit: 1)
        // It was put away meanwhile, and what follows is there.
        if case .archived = there.end { return nil }
        guard there.events.first?.event.id == last.event.id, there.events.first?.epoch == last.epoch else {
            return .cutShort("another event stands at position \(place)")
        }
        return nil
    }
}
