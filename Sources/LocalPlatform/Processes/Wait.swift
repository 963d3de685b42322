import Dispatch

/// Waiting for what nobody announces, such as the title of another process.
enum Wait {
    /// Returns after `duration`, also if the task was cancelled: whoever calls this has a deadline of his own.
    static func pause(_ duration: Duration) async {
        let (seconds, attoseconds) = duration.components
        let nanoseconds = Int(seconds) * 1_000_000_000 + Int(attoseconds / 1_000_000_000)
        await withCheckedContinuation { continuation in
            DispatchQueue.global().asyncAfter(deadline: .now() + .nanoseconds(nanoseconds)) { continuation.resume() }
        }
    }

    /// Returns after `duration`, or as soon as the task is cancelled.
    static func rest(_ duration: Duration) async {
        do { try await Task.sleep(for: duration) } catch {
            // Cancelled: whoever calls this looks at that himself.
        }
    }
}
