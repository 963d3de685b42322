import Foundation

/// Looking for something without sleeping, as long as nobody else wants the core.
///
/// To let others run in between is not enough: a system that shares its cores out by group (Linux does, by session, and each
/// of PostgreSQL's processes is one of its own) lets only those of the same group run then. So it ends with the first turn
/// that took longer than a look does, for that is when others ran.
struct Lookout {
    /// So long a look takes at the most, with what the system does meanwhile.
    private static let longestTurn = Duration.microseconds(20)

    private let end: ContinuousClock.Instant
    private var last: ContinuousClock.Instant

    /// - Parameter end: When it ends at the latest.
    init(from start: ContinuousClock.Instant, until end: ContinuousClock.Instant) {
        (last, self.end) = (start, end)
    }

    /// Whether to look once more at `now`.
    mutating func goesOn(at now: ContinuousClock.Instant) -> Bool {
        guard now < end, now - last <= Self.longestTurn else { return false }
        last = now
        return true
    }

    /// Looks until `isThere`, or until its end; lets others run in between.
    static func look(until end: ContinuousClock.Instant, isThere: () -> Bool) {
        var lookout = Lookout(from: .now, until: end)
        while lookout.goesOn(at: .now), !isThere() { sched_yield() }
    }
}
