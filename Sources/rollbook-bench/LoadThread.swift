import DequeModule
import Dispatch
import Foundation
import Synchronization

/// One thread for those who append at a steady rate and wait for the answers.
///
/// On the threads that all tasks share, each answer would wake one of them, and each half of a millisecond a timer: some
/// ten thousand times a second, on the cores that what is measured runs on.
final class LoadThread: TaskExecutor {
    /// The one of this process.
    static let shared = LoadThread()

    private struct State {
        var jobs: Deque<UnownedJob> = []
        var alarms: [(due: ContinuousClock.Instant, continuation: CheckedContinuation<Void, Never>)] = []
        var isAsleep = false
    }

    /// Jobs that are run before the alarms are looked at again.
    private static let mostAtOnce = 32

    private let state = Mutex(State())
    private let bell = DispatchSemaphore(value: 0)

    private init() {
        let thread = Thread { self.run() }
        thread.name = "bench.load"
        thread.start()
    }

    /// Runs a job on the thread.
    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        wakeUp { $0.jobs.append(job) }
    }

    /// Returns at `due`, or as soon after it as the thread has time.
    func pause(until due: ContinuousClock.Instant) async {
        await withCheckedContinuation { continuation in
            wakeUp { $0.alarms.append((due, continuation)) }
        }
    }

    private func wakeUp(_ change: (inout sending State) -> Void) {
        let wasAsleep = state.withLock { state in
            change(&state)
            defer { state.isAsleep = false }
            return state.isAsleep
        }
        if wasAsleep { bell.signal() }
    }

    private func run() {
        while true {
            let (jobs, ringing, next) = state.withLock { state in
                let now = ContinuousClock.now
                let ringing = state.alarms.filter { $0.due <= now }
                if !ringing.isEmpty { state.alarms.removeAll { $0.due <= now } }
                let jobs = Array(state.jobs.prefix(Self.mostAtOnce))
                state.jobs.removeFirst(jobs.count)
                state.isAsleep = jobs.isEmpty && ringing.isEmpty
                return (jobs, ringing, state.alarms.map { $0.due - now }.min())
            }
            for alarm in ringing { alarm.continuation.resume() }
            for job in jobs { job.runSynchronously(on: asUnownedTaskExecutor()) }
            guard jobs.isEmpty && ringing.isEmpty else { continue }
            guard let next else {
                bell.wait()
                continue
            }
            if bell.wait(timeout: .now() + next.seconds) == .timedOut { state.withLock { $0.isAsleep = false } }
        }
    }
}
