import CLinux
import Dispatch
import Glibc
import Synchronization

/// An open handle on a process (a pidfd), also on one that is no child of ours.
final class ProcessHandle: Sendable {
    let identity: ProcessIdentity
    private let descriptor: Int32
    private let isClosed = Atomic<Bool>(false)

    /// Opens a handle.
    ///
    /// - Returns: `nil` if this very process has ended.
    init?(_ identity: ProcessIdentity) {
        let descriptor = clinux_pidfd_open(identity.pid)
        guard descriptor >= 0 else { return nil }
        // Only now that the number is held can it be compared: it may have changed hands before.
        guard identity.isAlive else {
            Glibc.close(descriptor)
            return nil
        }
        self.identity = identity
        self.descriptor = descriptor
    }

    deinit { close() }

    /// - Returns: Whether the process was there to take it.
    @discardableResult
    func send(_ signal: Int32) -> Bool { clinux_pidfd_send_signal(descriptor, signal) == 0 }

    /// Waits for the end of the process, or until the task is cancelled.
    ///
    /// - Returns: Its exit code, or minus the signal that ended it; `nil` if it is no child of ours, so that nobody tells,
    ///   or if the task was cancelled.
    ///
    /// - Parameter withGroup: Whether what is left of its process group is killed then.
    func ended(withGroup: Bool = false) async -> Int32? {
        let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: .global())
        let cancellation = Cancellation(source)
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                // Called exactly once, whoever cancels.
                source.setCancelHandler { continuation.resume() }
                source.setEventHandler { cancellation.cancel() }
                source.resume()
                if Task.isCancelled { cancellation.cancel() }
            }
        } onCancel: {
            cancellation.cancel()
        }
        if Task.isCancelled { return nil }
        // Before it is reaped, while its number cannot be another's.
        if withGroup { kill(-identity.pid, SIGKILL) }
        return reap()
    }

    /// Unchecked because a dispatch source may be cancelled from any thread, and nothing else is done with it here.
    private struct Cancellation: @unchecked Sendable {
        private let source: any DispatchSourceRead
        init(_ source: any DispatchSourceRead) { self.source = source }
        func cancel() { source.cancel() }
    }

    /// Takes the exit code of an ended child.
    func reap() -> Int32? {
        var status: Int32 = 0
        guard waitpid(identity.pid, &status, WNOHANG) == identity.pid else { return nil }
        return clinux_exit_code(status)
    }

    func close() {
        if !isClosed.exchange(true, ordering: .acquiringAndReleasing) { Glibc.close(descriptor) }
    }
}
