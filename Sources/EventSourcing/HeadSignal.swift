internal import Synchronization

/// Wakes those who wait for the log to grow: each waits for a position beyond its own.
public final class HeadSignal: Sendable {
    private struct Waiter {
        var place: GlobalPosition
        var deadline: ContinuousClock.Instant?
        var continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var head = GlobalPosition.start
        var lastID: UInt64 = 0
        var waiters: [UInt64: Waiter] = [:]
        /// When somebody looks for waiters whose patience is over.
        var nextLook: ContinuousClock.Instant?

        /// When to look, if nobody does by the deadline already.
        mutating func planLook(by deadline: ContinuousClock.Instant?) -> ContinuousClock.Instant? {
            guard let deadline else { return nil }
            if let nextLook, nextLook <= deadline { return nil }
            nextLook = deadline
            return deadline
        }

        /// Those whose patience is over, and when to look again, unless another look is planned that is sooner.
        mutating func look(
            at planned: ContinuousClock.Instant
        ) -> (late: [CheckedContinuation<Void, Never>], next: ContinuousClock.Instant?) {
            let now = ContinuousClock.now
            let ids = waiters.filter { $0.value.deadline.map { $0 <= now } ?? false }.map(\.key)
            let late = ids.compactMap { waiters.removeValue(forKey: $0)?.continuation }
            guard nextLook == planned else { return (late, nil) }
            nextLook = waiters.values.compactMap(\.deadline).min().map { max($0, now + HeadSignal.fineness) }
            return (late, nextLook)
        }
    }

    /// How finely the patience of those who wait is measured.
    private static let fineness = Duration.milliseconds(20)

    private let state = Mutex(State())

    /// Makes a signal that has heard of no event.
    public init() {}

    /// Where the log ends, as far as was said: it may have gone on since.
    public var head: GlobalPosition { state.withLock { $0.head } }

    /// How many wait.
    var waiting: Int { state.withLock { $0.waiters.count } }

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
    ///
    /// Whoever waits for more than that is woken, to see for himself.
    public func set(to head: GlobalPosition) {
        let lost = state.withLock { state -> [CheckedContinuation<Void, Never>]? in
            guard head < state.head else { return nil }
            state.head = head
            let ids = state.waiters.filter { $0.value.place > head }.map(\.key)
            return ids.compactMap { state.waiters.removeValue(forKey: $0)?.continuation }
        }
        guard let lost else { return raise(to: head) }
        for continuation in lost { continuation.resume() }
    }

    /// Returns when the log has an event after `place`, when `patience` has passed, or when the task is cancelled.
    public func wait(beyond place: GlobalPosition, atMost patience: Duration) async {
        await wait(beyond: place, until: .now + patience)
    }

    /// Returns when the log has an event after `place`, or when the task is cancelled.
    public func wait(beyond place: GlobalPosition) async { await wait(beyond: place, until: nil) }

    private func wait(beyond place: GlobalPosition, until deadline: ContinuousClock.Instant?) async {
        let id = state.withLock { state -> UInt64 in
            state.lastID += 1
            return state.lastID
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (isOver, look) = state.withLock { state -> (Bool, ContinuousClock.Instant?) in
                    // A cancellation that came before this line found no waiter to remove.
                    if state.head > place || Task.isCancelled { return (true, nil) }
                    state.waiters[id] = Waiter(place: place, deadline: deadline, continuation: continuation)
                    return (false, state.planLook(by: deadline))
                }
                if isOver { continuation.resume() }
                if let look { begin(look) }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: id) }?.continuation.resume()
        }
    }

    /// One timer for all who wait: most are woken long before, and a timer for each would cost more than the waiting.
    private func begin(_ look: ContinuousClock.Instant) {
        // Ends by itself as soon as nobody waits with a deadline.
        Task {
            var next: ContinuousClock.Instant? = look
            while let look = next {
                do { try await Task.sleep(until: look, clock: .continuous) } catch {
                    return  // Never: only a cancellation ends a sleep, and nobody has this task to cancel it.
                }
                let (late, following) = state.withLock { $0.look(at: look) }
                for continuation in late { continuation.resume() }
                next = following
            }
        }
    }
}
