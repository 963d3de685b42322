import CLibpq
import Foundation
import Synchronization

/// Ends the statement that a connection's thread is waiting for, from any other thread.
///
/// A cancel request reaches the server on a connection of its own and names only the backend, not the statement. So a
/// statement is not left while a request for it is under way: a late one can never hit the next statement.
final class Interrupter: Sendable {
    /// Why a statement was asked to end.
    enum Reason: Sendable { case cancelled, timeout }

    private struct State {
        var nextStatement: UInt64 = 1
        var current: UInt64?
        var reason: Reason?
        var inFlight = false
    }

    private let state = Mutex(State())
    private let ticket: CancelTicket?
    /// Raised when the thread should look at ``reason`` again.
    let wake: Int32

    init(connection: OpaquePointer, wake: Int32) {
        self.wake = wake
        self.ticket = PQgetCancel(connection).map { CancelTicket(cancel: $0) }
    }

    deinit { close(wake) }

    /// A number for a statement that will begin soon.
    func mint() -> UInt64 {
        state.withLock { state in
            defer { state.nextStatement += 1 }
            return state.nextStatement
        }
    }

    /// The statement runs from here until ``end()``.
    func begin(_ statement: UInt64) {
        clibpq_wake_clear(wake)
        state.withLock { state in
            state.current = statement
            state.reason = nil
        }
    }

    /// Why the running statement was asked to end; nil while nobody asked.
    var reason: Reason? { state.withLock { $0.reason } }

    /// Asks the server to end the statement, if it still runs; returns at once.
    func cancel(_ statement: UInt64, _ reason: Reason) {
        let send = state.withLock { state -> Bool in
            guard state.current == statement, state.reason == nil else { return false }
            state.reason = reason
            guard ticket != nil else { return false }
            state.inFlight = true
            return true
        }
        clibpq_wake_raise(wake)
        guard send, let ticket else { return }
        // PQcancel connects and waits for the server to hang up, so it has a thread of its own.
        let thread = Thread { [self] in
            ticket.send()
            state.withLock { $0.inFlight = false }
            clibpq_wake_raise(wake)
        }
        thread.name = "pg-cancel"
        thread.stackSize = 256 << 10
        thread.start()
    }

    /// Ends the statement, after a cancel request that is under way has arrived.
    ///
    /// - Returns: False when the request did not come back within `patience`; the connection must then not be used.
    func end(patience: Duration = .seconds(5)) -> Bool {
        let deadline = ContinuousClock.now + patience
        while true {
            let inFlight = state.withLock { state -> Bool in
                if !state.inFlight { state.current = nil }
                return state.inFlight
            }
            if !inFlight { return true }
            let left = deadline - ContinuousClock.now
            guard left > .zero else { return false }
            var target = pollfd(fd: wake, events: Int16(POLLIN), revents: 0)
            _ = poll(&target, 1, left.pollMilliseconds)
            clibpq_wake_clear(wake)
        }
    }
}

/// What libpq needs to send a cancel request.
///
/// `@unchecked Sendable` because libpq documents `PQcancel` as safe from any thread and the object never changes.
private final class CancelTicket: @unchecked Sendable {
    private let cancel: OpaquePointer

    init(cancel: OpaquePointer) { self.cancel = cancel }

    deinit { PQfreeCancel(cancel) }

    func send() {
        // The answer does not matter: a request that failed leaves the statement to its deadline.
        var message = [CChar](repeating: 0, count: 256)
        _ = PQcancel(cancel, &message, Int32(message.count))
    }
}

extension Duration {
    /// Milliseconds for `poll`, rounded up, within its range.
    var pollMilliseconds: Int32 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let milliseconds = min(seconds, 1_000_000) * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        return Int32(clamping: milliseconds)
    }
}
