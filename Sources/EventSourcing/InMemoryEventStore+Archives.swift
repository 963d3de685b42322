internal import Synchronization

extension InMemoryEventStore {
    /// A range of the log of which some events stand elsewhere.
    struct Archive {
        var positions: ClosedRange<Int64>
        /// Those that do.
        var gone: Set<Int64>
        var words: String
    }

    /// Puts the events at `positions` away, as into an archive, but for those that have to stay.
    ///
    /// - Parameters:
    ///   - words: What is said to who needs one of them.
    ///   - stays: Which are kept in the log.
    /// - Returns: The positions of which the log has no event any more.
    @discardableResult
    public func putAway(
        _ positions: ClosedRange<Int64>, words: String, keeping stays: (RecordedEvent) -> Bool = { _ in false }
    ) -> Set<Int64> {
        state.withLock { state in
            precondition(positions.upperBound <= state.log.count, "the log has no events up to \(positions.upperBound)")
            let gone = Set(positions.filter { !stays(state.log[Int($0) - 1]) })
            state.archives.append(Archive(positions: positions, gone: gone, words: words))
            state.archives.sort { $0.positions.lowerBound < $1.positions.lowerBound }
            return gone
        }
    }

    /// Brings back all that was put away.
    public func bringBack() { state.withLock { $0.archives = [] } }

    /// Takes all events after `place` away, as if they had never been: a restore to an earlier time, or a failover to a server
    /// that had not heard of them.
    public func cutShort(after place: GlobalPosition) {
        state.withLock { state in
            state.log = Array(state.log.prefix(Int(place.value)))
            state.streams = state.streams.mapValues { [count = state.log.count] in $0.filter { $0 < count } }
                .filter { !$0.value.isEmpty }
            state.receipts = state.receipts.filter { $0.value.answer.position <= place }
            signal.set(to: state.head)
        }
    }
}

extension InMemoryEventStore.State {
    /// What is said of the event at a place in the log; nil if it is there.
    func words(at place: Int) -> String? { archives.first { $0.gone.contains(Int64(place) + 1) }?.words }

    func page(
        after: GlobalPosition, before: GlobalPosition?, filter: EventFilter, backwards: Bool, limit: Int
    ) -> LogPage {
        guard limit > 0 else { return LogPage(events: [], end: .limit) }
        let places = places(from: Int(clamping: after.value), before: before, filter)
        var others = filter
        (others.from, others.until) = (nil, nil)
        let isFiltered = others != EventFilter()
        var events: [RecordedEvent] = []
        for step in 0..<places.count {
            let place = backwards ? places.upperBound - 1 - step : places.lowerBound + step
            let position = Int64(place) + 1
            let archive = archives.first {
                isFiltered ? $0.positions.contains(position) : $0.gone.contains(position)
            }
            if let archive {
                return LogPage(events: events, end: .archived(at: GlobalPosition(position), words: archive.words))
            }
            guard others.matches(log[place]) else { continue }
            events.append(log[place])
            if events.count == limit { return LogPage(events: events, end: .limit) }
        }
        return LogPage(events: events, end: .complete)
    }

    /// The places that are asked for; recorded time never falls, so a bound in time is one of them.
    private func places(from first: Int, before: GlobalPosition?, _ filter: EventFilter) -> Range<Int> {
        var (first, end) = (first, min(log.count, before.map { Int(clamping: $0.value) - 1 } ?? log.count))
        if let from = filter.from { first = max(first, log.firstIndex { $0.recordedAt >= from } ?? log.count) }
        if let until = filter.until { end = min(end, log.firstIndex { $0.recordedAt > until } ?? log.count) }
        return first..<max(first, end)
    }
}
