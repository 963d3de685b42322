import Analysis
import Conditions
import Control
import Delivery
import EventSourcing
import Logging
import Synchronization
import TestKit

/// Time that moves only when a test says so.
final class ManualClock: ControlClock {
    private struct Sleeper {
        var until: Instant
        var continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var now = Instant("2026-11-24T09:00:00Z")!
        var sleepers: [Int: Sleeper] = [:]
        var next = 0
    }

    private let state = Mutex(State())

    /// How often somebody wanted to sleep.
    var sleeps: Int { state.withLock { $0.next } }

    func now() -> Instant { state.withLock { $0.now } }

    func uptime() -> Duration { now().since(Instant(microseconds: 0)) }

    func advance(_ duration: Duration) {
        let due = state.withLock { state -> [Sleeper] in
            state.now = state.now + duration
            let due = state.sleepers.filter { $0.value.until <= state.now }
            for key in due.keys { state.sleepers[key] = nil }
            return Array(due.values)
        }
        for sleeper in due { sleeper.continuation.resume() }
    }

    func sleep(until deadline: Instant) async throws {
        let key = state.withLock { state in
            state.next += 1
            return state.next
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.now >= deadline || Task.isCancelled { return true }
                    state.sleepers[key] = Sleeper(until: deadline, continuation: continuation)
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            let sleeper = state.withLock { $0.sleepers.removeValue(forKey: key) }
            sleeper?.continuation.resume()
        }
        try Task.checkCancellation()
    }
}

/// A store that can be out of reach.
final class FaultyStore: ForwardingEventStore {
    let base: InMemoryEventStore
    private enum Reach {
        case here
        case gone
        case silent(waiting: [CheckedContinuation<Void, Never>])
    }

    private let reach = Mutex(Reach.here)
    private let refused = Mutex(0)
    private let damaged = Mutex<StreamName?>(nil)
    private let largest = Mutex(Int.max)

    init(_ base: InMemoryEventStore) { self.base = base }

    /// How many appends were refused because their lease was somebody else's by then.
    var fenced: Int { refused.withLock { $0 } }

    /// How many calls wait for an answer.
    var waiting: Int { reach.withLock { if case .silent(let waiting) = $0 { waiting.count } else { 0 } } }

    /// From now on, events of a stream are missing.
    func damage(_ stream: StreamName) { damaged.withLock { $0 = stream } }

    /// From now on, nothing is missing any more.
    func mend() { damaged.withLock { $0 = nil } }

    /// From now on, events with more bytes of data are refused.
    func refuse(above bytes: Int) { largest.withLock { $0 = bytes } }

    /// From now on everything fails at once.
    func goDown() { reach.withLock { $0 = .gone } }

    /// From now on nothing answers, until it comes back.
    func fallSilent() { reach.withLock { $0 = .silent(waiting: []) } }

    func comeBack() {
        let waiting = reach.withLock { reach -> [CheckedContinuation<Void, Never>] in
            defer { reach = .here }
            if case .silent(let waiting) = reach { return waiting }
            return []
        }
        for continuation in waiting { continuation.resume() }
    }

    func admit() async throws(EventStoreFailure) {
        if reach.withLock({ if case .gone = $0 { true } else { false } }) { throw .unavailable("the database is gone") }
        await withCheckedContinuation { continuation in
            let answersNow = reach.withLock { reach in
                guard case .silent(let waiting) = reach else { return true }
                reach = .silent(waiting: waiting + [continuation])
                return false
            }
            if answersNow { continuation.resume() }
        }
    }

    func append(_ append: Append) async throws(EventStoreFailure) -> Appended {
        try await admit()
        let largest = largest.withLock { $0 }
        if append.events.contains(where: { $0.data.utf8.count > largest }) { throw .rejected("it is too large") }
        do throws(EventStoreFailure) { return try await base.append(append) } catch {
            if case .fenced = error { refused.withLock { $0 += 1 } }
            throw error
        }
    }

    func read(
        _ stream: StreamName, after: StreamVersion, through: StreamVersion?, backwards: Bool, limit: Int
    ) async throws(EventStoreFailure) -> StreamPage {
        try await admit()
        if damaged.withLock({ $0 == stream }) { throw .damaged("an event is missing") }
        return try await base.read(stream, after: after, through: through, backwards: backwards, limit: limit)
    }
}

/// A metric source that answers what a test says.
final class SaidMetric: MetricSource {
    let providers: Set<String> = ["prometheus"]
    private let value: Mutex<[Double]>
    private let count = Mutex(0)

    init(_ value: Double) { self.value = Mutex([value]) }

    /// How often it was asked.
    var asked: Int { count.withLock { $0 } }

    func say(_ value: Double, times: Int = 1) { self.value.withLock { $0 = Array(repeating: value, count: times) } }

    func measure(_ query: MetricQuery) async -> MetricAnswer {
        count.withLock { $0 += 1 }
        return MetricAnswer(
            outcome: .value(.vector(value.withLock { $0 })),
            source: MeasurementSource(provider: "prometheus", address: "http://p:9090", queryDigest: "sha256:0"))
    }
}

/// Keeps what an operator would read.
final class HeardMessages: LogHandler {
    private let kept = Mutex<[String]>([])
    var metadata: Logger.Metadata {
        get { [:] }
        set { _ = newValue }
    }
    var logLevel: Logger.Level {
        get { .notice }
        set { _ = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set { _ = newValue }
    }

    var messages: [String] { kept.withLock { $0 } }

    func log(event: LogEvent) { kept.withLock { $0.append(event.message.description) } }
}
