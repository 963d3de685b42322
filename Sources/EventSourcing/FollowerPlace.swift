internal import Synchronization

/// Where one follower of the log stands; only its own stream moves it.
public final class FollowerPlace: Sendable {
    private let kept: Mutex<GlobalPosition>
    private let event = Mutex<Identifier?>(nil)
    private let end = Mutex(false)

    /// Begins after `place`.
    public init(_ place: GlobalPosition) { kept = Mutex(place) }

    /// The event at ``place``, by which a log that is not the same any more is known; nil before the first.
    public var lastEvent: Identifier? {
        get { event.withLock { $0 } }
        set { event.withLock { $0 = newValue } }
    }

    /// Whether the log had nothing after ``place`` when that was read.
    public var isAtEnd: Bool {
        get { end.withLock { $0 } }
        set { end.withLock { $0 = newValue } }
    }

    /// The last position that was given out.
    public var place: GlobalPosition {
        get { kept.withLock { $0 } }
        set { kept.withLock { $0 = newValue } }
    }
}
