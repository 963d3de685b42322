/// How fast something that ended by itself is started again: at once, then after 1 s, 2 s, … 30 s.
///
/// Two minutes without an attempt begin the row anew.
struct RestartPace {
    private var attempts = 0
    private var last: ContinuousClock.Instant?

    /// The wait before the attempt that is due at `now`.
    mutating func wait(at now: ContinuousClock.Instant = .now) -> Duration {
        if let last, now - last > .seconds(120) { attempts = 0 }
        last = now
        attempts += 1
        return attempts == 1 ? .zero : min(.seconds(30), .seconds(1 << min(attempts - 2, 5)))
    }
}
