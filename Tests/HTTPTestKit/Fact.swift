import Foundation
import Synchronization

/// Something that a server's thread comes to know and a test awaits.
public final class Fact<Value: Sendable>: Sendable {
    private struct State {
        var value: Value?
        var waiters: [CheckedContinuation<Value, Never>] = []
    }

    private let state = Mutex(State())

    /// Nothing is known yet.
    public init() {}

    /// States it; only the first time counts.
    public func state(_ value: Value) {
        let waiters = state.withLock { state -> [CheckedContinuation<Value, Never>] in
            guard state.value == nil else { return [] }
            state.value = value
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: value) }
    }

    /// What has been stated, waiting until it is.
    public func known() async -> Value {
        await withCheckedContinuation { continuation in
            let value = state.withLock { state -> Value? in
                if state.value == nil { state.waiters.append(continuation) }
                return state.value
            }
            if let value { continuation.resume(returning: value) }
        }
    }
}

/// Holds server threads until `count` of them have arrived.
public final class Barrier: Sendable {
    private let left: Mutex<Int>
    private let door = DispatchSemaphore(value: 0)

    /// Opens at the arrival of number `count`.
    public init(_ count: Int) { left = Mutex(count) }

    /// Blocks this thread until all have arrived.
    public func arriveAndWait() {
        let isLast = left.withLock { left in
            left -= 1
            return left == 0
        }
        if isLast { door.signal() }
        door.wait()
        door.signal()
    }
}
