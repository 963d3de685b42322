internal import Synchronization

/// Wakes those who wait for the log to grow: each waits for a position beyond its own.
public final class HeadSignal: Sendable {
    private struct Waiter {
        var place: GlobalPosition
        var continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var head = GlobalPosition.start
        var lastID: UInt64 = 0
        var waiters: [UInt64: Waiter] = [:]
    }

    private let state = Mutex(State())

    /// Makes a signal that has heard of no event.
    public init() {}

    /// Says that the log has reached `head`; an older head than the last is ignored.
    public func raise(to head: GlobalPosition) {
        let woken = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            guard head > state.head else { return [] }
            state.head = head
            let ids = state.waiters.filter { $0.value.place < head }.map(\.key)
            return ids.compactMap { state.waiters.removeValue(forKey: $0)?.continuation }
        }
        for continuation in woken { continuation.resume() }
    }

    /// Says where the log ends, also if that is before what was said last: it may have been cut short.
    public func set(to head: GlobalPosition) {
        let isLower = state.withLock { state in
            guard head < state.head else { return false }
            state.head = head
            return true
        }
        if !isLower { raise(to: head) }
    }

    /// Returns when the log has an event after `place`, when `patience` has passed, or when the task is cancelled.
    public func wait(beyond place: GlobalPosition, atMost patience: Duration) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.wait(beyond: place) }
            group.addTask {
                do {
                    try await Task.sleep(for: patience)
                } catch {
                    return  // The other one was first, or nobody waits any more.
                }
            }
            await group.next()
            group.cancelAll()
        }
    }

    /// Returns when the log has an event after `place`, or when the task is cancelled.
    public func wait(beyond place: GlobalPosition) async {
        let id = state.withLock { state -> UInt64 in
            state.lastID += 1
            return state.lastID
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state -> Bool in
                    // A cancellation that came before this line found no waiter to remove.
                    if state.head > place || Task.isCancelled { return true }
                    state.waiters[id] = Waiter(place: place, continuation: continuation)
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: id) }?.continuation.resume()
        }
    }
}
