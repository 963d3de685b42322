public import EventSourcing
import Foundation

/// The time of the shell around the core; a port, so that tests move time by hand.
public protocol ControlClock: Sendable {
    /// The present moment.
    func now() -> Instant
    /// The time since some moment in the past, on a clock that never steps and goes on while the machine sleeps.
    func uptime() -> Duration
    /// Returns at `deadline`, or at once if it is past.
    /// - Throws: `CancellationError` when the task is cancelled.
    func sleep(until deadline: Instant) async throws
}

/// The machine's own clock.
public struct SystemControlClock: ControlClock {
    /// Makes a clock.
    public init() {}

    /// The present moment, to the microsecond.
    public func now() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Instant(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }

    /// The machine's time since it was started, to the nanosecond.
    public func uptime() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    /// Sleeps on the monotonic clock; a step of the wall clock is noticed by whoever looks at ``now()`` afterwards.
    public func sleep(until deadline: Instant) async throws {
        // The one place where waiting takes real time, for all who are given a clock. A day at a time: the machine's
        // timers count nanoseconds, and end with the year 2262.
        // How long is settled once, and no part asks the wall clock again: a wall clock that is set back meanwhile must not keep a lease from its renewal.
        var left = deadline.since(now())
        while left > .zero {
            let part = min(left, .seconds(86_400))
            try await Task.sleep(for: part)
            left -= part
        }
    }
}
