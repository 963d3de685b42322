internal import Synchronization

/// Where one follower of the log stands; only its own stream moves it.
public final class FollowerPlace: Sendable {
    private let kept: Mutex<GlobalPosition>

    /// Begins after `place`.
    public init(_ place: GlobalPosition) { kept = Mutex(place) }

    /// The last position that was given out.
    public var place: GlobalPosition {
        get { kept.withLock { $0 } }
        set { kept.withLock { $0 = newValue } }
    }
}
