import EventSourcing
import Synchronization

/// The answer of `work`, or `nil` once `clock` shows `deadline` and there is none.
///
/// The work then goes on by itself, and nobody hears its answer: for what must not be given up half-way, and must not be
/// waited for without end. Cancelling the caller neither ends the work nor the wait.
func answer<Value: Sendable>(
    by deadline: Instant, of clock: any ControlClock, _ work: @escaping @Sendable () async -> Value
) async -> Value? {
    await withCheckedContinuation { continuation in
        let waiter = Waiter(continuation)
        // Ends by the deadline, or when the work is done; nobody awaits it.
        let alarm = Task {
            do { try await clock.sleep(until: deadline) } catch { return }
            waiter.resume(with: nil)
        }
        // Heard by the waiter, unless that has left.
        Task {
            let value = await work()
            alarm.cancel()
            waiter.resume(with: value)
        }
    }
}

/// Somebody who waits for the first of two.
private final class Waiter<Value: Sendable>: Sendable {
    private let continuation: Mutex<CheckedContinuation<Value?, Never>?>

    init(_ continuation: CheckedContinuation<Value?, Never>) { self.continuation = Mutex(continuation) }

    func resume(with value: Value?) {
        let first = continuation.withLock { continuation in
            defer { continuation = nil }
            return continuation
        }
        first?.resume(returning: value)
    }
}
