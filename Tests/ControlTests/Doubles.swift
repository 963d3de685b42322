import Analysis
import Conditions
import Control
import Delivery
import EventSourcing
import Logging
import Synchronization

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
final class FaultyStore: EventAppender, EventReader, EventFollower {
    let base: InMemoryEventStore
    private enum Reach {
        case here
        case gone
        case silent(waiting: [CheckedContinuation<Void, Never>])
    }

    private let reach = Mutex(Reach.here)

    init(_ base: InMemoryEventStore) { self.base = base }

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

    private func check() async throws(EventStoreFailure) {
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
        try await check()
        return try await base.append(append)
    }

    func receipt(
        for command: Identifier, fingerprint: [UInt8]?, on stream: StreamName
    ) async throws(EventStoreFailure) -> Appended? {
        try await check()
        return try await base.receipt(for: command, fingerprint: fingerprint, on: stream)
    }

    func read(
        _ stream: StreamName, after: StreamVersion, limit: Int
    ) async throws(EventStoreFailure) -> [RecordedEvent] {
        try await check()
        return try await base.read(stream, after: after, limit: limit)
    }

    func readAll(
        after: GlobalPosition, before: GlobalPosition?, filter: EventFilter, backwards: Bool, limit: Int
    ) async throws(EventStoreFailure) -> [RecordedEvent] {
        try await check()
        return try await base.readAll(
            after: after, before: before, filter: filter, backwards: backwards, limit: limit)
    }

    func head() async throws(EventStoreFailure) -> GlobalPosition {
        try await check()
        return try await base.head()
    }

    func streams(in category: String) async throws(EventStoreFailure) -> [StreamName] {
        try await check()
        return try await base.streams(in: category)
    }

    func follow(after: GlobalPosition, batchSize: Int) -> AsyncStream<[RecordedEvent]> {
        base.follow(after: after, batchSize: batchSize)
    }
}

/// A platform of which every wish comes true at once, unless a test holds it.
final class ObedientPlatform: Workloads, TrafficRouter {
    struct State {
        var generation = 0
        var routed: [RouteIntent] = []
        var scaled: [ScaleIntent] = []
        var hangsAtWeight: Int?
    }

    let state = Mutex(State())
    private let seen = AsyncStream.makeStream(of: PodObservation.self)
    private let clock: ManualClock

    init(clock: ManualClock) { self.clock = clock }

    func scale(_ intent: ScaleIntent) async throws(PlatformFailure) {
        state.withLock { $0.scaled.append(intent) }
        for set in intent.sets {
            seen.continuation.yield(
                PodObservation(
                    rollout: intent.rollout, podTemplateHash: set.podTemplateHash, desired: set.replicas,
                    current: set.replicas, ready: set.replicas, available: set.replicas, at: clock.now()))
        }
    }

    /// Pods are gone, by nobody's order.
    func lose(_ count: Int, of rollout: RolloutName) {
        guard let set = state.withLock({ $0.scaled.last?.sets.first { $0.replicas >= count } }) else { return }
        seen.continuation.yield(
            PodObservation(
                rollout: rollout, podTemplateHash: set.podTemplateHash, desired: set.replicas, current: set.replicas,
                ready: set.replicas - count, available: set.replicas - count, at: clock.now()))
    }

    func observations() -> AsyncStream<PodObservation> { seen.stream }

    func route(_ intent: RouteIntent) async throws(PlatformFailure) -> RouteObservation {
        let hangs = state.withLock { $0.hangsAtWeight == intent.split.canary }
        if hangs {
            // Hangs as a router can: until the attempt is given up.
            do { try await clock.sleep(until: clock.now() + .seconds(1_000_000)) } catch {
                throw PlatformFailure(.cancelled, "given up")
            }
        }
        let newer = state.withLock { state -> Int? in
            if intent.generation < state.generation { return state.generation }
            state.generation = intent.generation
            state.routed.append(intent)
            return nil
        }
        if let newer { throw PlatformFailure(.staleGeneration, "older", generation: newer) }
        return RouteObservation(
            generation: intent.generation, split: intent.split, router: "nginx", detail: "obedient")
    }

    func observe(_ rollout: RolloutName) async throws(PlatformFailure) -> RouteObservation? {
        state.withLock { $0.routed.last }.map {
            RouteObservation(generation: $0.generation, split: $0.split, router: "nginx", detail: "obedient")
        }
    }

    var weights: [Int] { state.withLock { $0.routed.map(\.split.canary) } }
}

/// A metric source that answers what a test says.
final class SaidMetric: MetricSource {
    let providers: Set<String> = ["prometheus"]
    private let value: Mutex<Double>

    init(_ value: Double) { self.value = Mutex(value) }

    func say(_ value: Double) { self.value.withLock { $0 = value } }

    func measure(_ query: MetricQuery) async -> MetricAnswer {
        MetricAnswer(
            outcome: .value(.vector([value.withLock { $0 }])),
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
