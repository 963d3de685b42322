/// A page of the log: its places are positions.
public typealias LogPage = EventsPage<GlobalPosition>
/// A page of one stream: its places are versions.
public typealias StreamPage = EventsPage<StreamVersion>

/// A page of events in the order that was asked for, and why there are no more of them.
///
/// Without a filter their places follow one on another: what a page does not have of that which was asked for lies
/// behind its last event.
public struct EventsPage<Place: Sendable & Equatable>: Sendable, Equatable {
    /// Why a page has no more events.
    public enum End: Sendable, Equatable {
        /// There are as many as were asked for, or as a page has bytes; there may be more.
        case limit
        /// There are no more: the log or the stream ends there, or the places that were asked for do.
        case complete
        /// The next ones stand in an archive and not in the store; `words` say which, and what to do.
        ///
        /// `at` is the first place that the page does not cover, in the order of reading. Without a filter, or with one
        /// of times alone, that event is not there; another filter is not looked through beyond the border of an archive,
        /// though some events in it may have stayed.
        case archived(at: Place, words: String)
    }

    /// The events, in the order that was asked for.
    public var events: [RecordedEvent]
    /// Why there are no more.
    public var end: End

    /// How many bytes of data and metadata a page has at the most, unless it is one event alone: 8 MiB.
    public static var mostBytes: Int { 8 << 20 }

    /// Makes a page.
    public init(events: [RecordedEvent], end: End) {
        self.events = events
        self.end = end
    }

    /// The events, if nothing but the page's own limits kept others away.
    ///
    /// - Throws: `.archived` if more of them stand in an archive.
    public func whole() throws(EventStoreFailure) -> [RecordedEvent] {
        if case .archived(_, let words) = end { throw .archived(words) }
        return events
    }

    /// The events, as many as there are before an archive.
    ///
    /// - Throws: `.archived` if the very first one stands there.
    public func beginning() throws(EventStoreFailure) -> [RecordedEvent] {
        events.isEmpty ? try whole() : events
    }
}

extension NewEvent {
    /// How many bytes its data and metadata have together.
    public var textBytes: Int { data.utf8.count + metadata.utf8.count }
}
