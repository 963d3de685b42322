/// Where one follower of the log stands, and what it knows the log again by.
public struct FollowerPlace: Sendable {
    /// The last position that was given out.
    public private(set) var place: GlobalPosition
    /// Whether nothing after ``place`` was known when that was read.
    public var isAtEnd = false
    /// The event at ``place``; nil if it is not known.
    private var seen: Identifier?

    /// Begins after `place`, where `seen` stands if that is known.
    public init(_ place: GlobalPosition, seen: Identifier?) {
        (self.place, self.seen) = (place, seen)
    }

    /// Looks whether the log still goes as far as it did.
    ///
    /// - Throws: `.cutShort` if it does not.
    public func check(head: GlobalPosition) throws(FollowerEnd) {
        guard head >= place else {
            throw .cutShort("it ends at position \(head), and the event at position \(place) was read before")
        }
    }

    /// Looks whether the event that stands at ``place`` is still that which was seen there.
    ///
    /// A log that a restore or a failover has cut short grows again, with other events at the same positions: who went on
    /// there would miss some of them, and keep what never was.
    /// - Throws: `.cutShort` if it is another one.
    public mutating func check(_ event: RecordedEvent) throws(FollowerEnd) {
        if let seen, seen != event.event.id {
            throw .cutShort("event \(seen) was read at position \(place), and \(event.event.id) stands there")
        }
        seen = event.event.id
    }

    /// Whether it is known that `event` is the one at ``place``.
    public func isAt(_ event: Identifier) -> Bool { seen == event }

    /// Goes on over the page that comes next; nil if there is nothing yet.
    ///
    /// - Throws: `.archived` if the very next event stands in an archive.
    public mutating func take(_ page: LogPage) throws(FollowerEnd) -> [RecordedEvent]? {
        isAtEnd = page.end == .complete
        guard let last = page.events.last else {
            if case .archived(_, let words) = page.end { throw .archived(words) }
            return nil
        }
        (place, seen) = (last.position, last.event.id)
        return page.events
    }
}
