import Dispatch
import Foundation
import Synchronization

/// A thread of its own for one connection: the connection's actor runs here, so that waiting for the server blocks
/// nobody else.
final class ConnectionThread: SerialExecutor {
    private let queue: WorkQueue
    /// For tasks that do whatever they do on this thread, not the connection's calls alone.
    let forTasks: any TaskExecutor

    /// Starts the thread; it ends when this object goes away.
    ///
    /// - Parameter attention: How long it looks for more work before it sleeps.
    init(name: String, attention: Duration = .zero) {
        let queue = WorkQueue(attention: attention)
        self.queue = queue
        forTasks = OnConnectionThread(queue: queue)
        let thread = Thread { queue.work() }
        thread.name = name
        thread.stackSize = 8 << 20
        thread.start()
    }

    deinit { queue.put(.stop) }

    func enqueue(_ job: consuming ExecutorJob) {
        queue.put(.job(UnownedJob(job), asUnownedSerialExecutor()))
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    /// Runs plain work on the thread, after what is queued.
    func submit(_ work: @escaping @Sendable () -> Void) { queue.put(.work(work)) }
}

/// Runs jobs of tasks between the connection's own.
private final class OnConnectionThread: TaskExecutor {
    private let queue: WorkQueue

    init(queue: WorkQueue) { self.queue = queue }

    func enqueue(_ job: consuming ExecutorJob) { queue.put(.part(UnownedJob(job), asUnownedTaskExecutor())) }
}

/// The queue between a connection's callers and its thread; the thread holds only this, so that it can end.
private final class WorkQueue: Sendable {
    enum Item: Sendable {
        case job(UnownedJob, UnownedSerialExecutor)
        case part(UnownedJob, UnownedTaskExecutor)
        case work(@Sendable () -> Void)
        case stop
    }

    private let items = Mutex<(waiting: [Item], head: Int)>(([], 0))
    private let signal = DispatchSemaphore(value: 0)
    private let pending = Atomic(0)
    private let attention: Duration

    init(attention: Duration) { self.attention = attention }

    func put(_ item: Item) {
        items.withLock { $0.waiting.append(item) }
        pending.add(1, ordering: .relaxed)
        signal.signal()
    }

    func work() {
        while true {
            // Where waking a sleeping thread would cost more.
            if attention > .zero { Lookout.look(until: .now + attention) { pending.load(ordering: .relaxed) != 0 } }
            signal.wait()
            pending.subtract(1, ordering: .relaxed)
            let item = items.withLock { items -> Item in
                let item = items.waiting[items.head]
                items.head += 1
                if items.head == items.waiting.count { items = ([], 0) }
                return item
            }
            switch item {
            case .job(let job, let executor): job.runSynchronously(on: executor)
            case .part(let job, let executor): job.runSynchronously(on: executor)
            case .work(let work): work()
            case .stop: return
            }
        }
    }
}
