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
    /// A page of a stream.
    func page(
        of stream: StreamName, after: StreamVersion, through: StreamVersion?, backwards: Bool, limit: Int
    ) -> StreamPage {
        var page = PageUnderWay<StreamVersion>(limit)
        let places = streams[stream, default: []]
        let first = min(Int(clamping: after.value), places.count)
        let end = max(first, min(through.map { Int(clamping: $0.value) } ?? .max, places.count))
        for step in 0..<end - first {
            guard page.end == nil else { break }
            let place = places[backwards ? end - 1 - step : first + step]
            if let archive = archives.first(where: { $0.gone.contains(Int64(place) + 1) }) {
                page.end = .archived(at: log[place].version, words: archive.words)
            } else {
                page.add(log[place])
            }
        }
        return page.ended
    }

    func page(
        after: GlobalPosition, before: GlobalPosition?, filter: EventFilter, backwards: Bool, limit: Int
    ) -> LogPage {
        var page = PageUnderWay<GlobalPosition>(limit)
        let places = places(from: Int(clamping: after.value), before: before, filter)
        var others = filter
        (others.from, others.until) = (nil, nil)
        let isFiltered = others != EventFilter()
        for step in 0..<places.count {
            guard page.end == nil else { break }
            let place = backwards ? places.upperBound - 1 - step : places.lowerBound + step
            let position = Int64(place) + 1
            let archive = archives.first {
                isFiltered ? $0.positions.contains(position) : $0.gone.contains(position)
            }
            if let archive {
                page.end = .archived(at: GlobalPosition(position), words: archive.words)
            } else if others.matches(log[place]) {
                page.add(log[place])
            }
        }
        return page.ended
    }

    /// The places that are asked for; recorded time never falls, so a bound in time is one of them.
    private func places(from first: Int, before: GlobalPosition?, _ filter: EventFilter) -> Range<Int> {
        var (first, end) = (first, min(log.count, before.map { Int(clamping: $0.value) - 1 } ?? log.count))
        if let from = filter.from { first = max(first, log.firstIndex { $0.recordedAt >= from } ?? log.count) }
        if let until = filter.until { end = min(end, log.firstIndex { $0.recordedAt > until } ?? log.count) }
        return first..<max(first, end)
    }
}

/// A page that events are put on until it is full.
private struct PageUnderWay<Place: Sendable & Equatable> {
    private let limit: Int
    private var events: [RecordedEvent] = []
    private var bytes = 0
    /// Why it takes no more; nil as long as it does.
    var end: EventsPage<Place>.End?

    init(_ limit: Int) {
        self.limit = limit
        if limit <= 0 { end = .limit }
    }

    /// Puts the next event on it, if there is room.
    mutating func add(_ event: RecordedEvent) {
        bytes += event.event.textBytes
        if !events.isEmpty, bytes > EventsPage<Place>.mostBytes {
            end = .limit
            return
        }
        events.append(event)
        if events.count == limit { end = .limit }
    }

    /// What was put on it, and that there is no more unless it said otherwise.
    var ended: EventsPage<Place> { EventsPage(events: events, end: end ?? .complete) }
}
