internal import Dispatch

/// Threads of their own for what reads the log in bulk (projectors, the sealer): folding thousands of events must not
/// keep an append's caller waiting for one of the few threads that all tasks share.
///
/// A lower priority of the task would not do: whoever waits for it raises it.
final class ReaderExecutor: TaskExecutor {
    /// The one for all readers of this process.
    static let shared = ReaderExecutor()

    private let queue = DispatchQueue(label: "ledger.readers", qos: .utility, attributes: .concurrent)

    private init() {}

    /// Runs a job on one of the threads.
    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
