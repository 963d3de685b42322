internal import Logging

/// Pauses between attempts: from 50 ms, doubling, up to 2 s.
enum BackOff {
    static func duration(after failures: Int) -> Duration {
        min(.milliseconds(50) * (1 << min(max(failures, 1) - 1, 10)), .seconds(2))
    }

    /// How loudly an attempt in a row of failures is told of: the first, the second, the fourth and so on aloud, so that
    /// a long outage is neither silent nor all that the log speaks of.
    static func level(after failures: Int) -> Logger.Level {
        failures & (failures - 1) == 0 ? .warning : .debug
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
