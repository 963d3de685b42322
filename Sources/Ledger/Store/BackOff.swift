/// Pauses between attempts: from 50 ms, doubling, up to 2 s.
enum BackOff {
    static func duration(after failures: Int) -> Duration {
        min(.milliseconds(50) * (1 << min(max(failures, 1) - 1, 10)), .seconds(2))
    }

    /// Waits; returns early when the task is cancelled.
    static func pause(after failures: Int) async {
        do {
            try await Task.sleep(for: duration(after: failures))
        } catch {
            return  // Cancelled: the caller looks at that itself.
        }
    }
}
