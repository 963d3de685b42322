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
        do throws(EventStoreFailure) {
            _ = try await readAll(after: place, before: nil, filter: EventFilter(), backwards: false, limit: 1)
        } catch {
            guard case .archived(let words) = error else { throw error }
            return .archived(words)
        }
        let head = try await head()
        guard head >= place else { return .cutShort("it ends at position \(head)") }
        guard let last else { return nil }
        let there: [RecordedEvent]
        do throws(EventStoreFailure) {
            there = try await readAll(
                after: GlobalPosition(place.value - 1), before: nil, filter: EventFilter(), backwards: false, limit: 1)
        } catch {
            // It was put away meanwhile, and what follows is there.
            guard case .archived = error else { throw error }
            return nil
        }
        guard there.first?.event.id == last.event.id, there.first?.epoch == last.epoch else {
            return .cutShort("another event stands at position \(place)")
        }
        return nil
    }
}
