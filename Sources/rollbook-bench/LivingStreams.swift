import DequeModule
import EventSourcing
import Foundation
import Ledger
import Synchronization

/// Rollouts that live the tale event by event, each append on one that has none under way.
///
/// Each is at another place of the tale. Were all of them at the same, they would all record their manifests at the same
/// time, which are many times as large as other events.
final class LivingStreams: Sendable {
    private struct Life {
        var version: Int64 = 0
        var ids: BenchEvents
    }

    /// What is each rollout's own.
    private struct Own {
        let stream: StreamName
        /// How the ids of its releases begin.
        let prefix: String
        /// The first four bytes of that.
        private let number: UInt32

        init(_ index: Int) {
            stream = BenchFill.rollout(index)
            number = UInt32(index + 1)
            let digits = String(number, radix: 16)
            prefix = String(repeating: "0", count: 8 - digits.count) + digits + "-0000-7000-8000-"
        }

        /// The id that a release of the tale has here.
        func release(_ id: Identifier) -> Identifier {
            var bytes = id.uuid.uuid
            withUnsafeMutableBytes(of: &bytes) { $0.storeBytes(of: number.bigEndian, as: UInt32.self) }
            return Identifier(UUID(uuid: bytes))
        }
    }

    /// One event of the tale, taken apart where a rollout's own ids come in.
    private struct Chapter {
        var event: NewEvent
        var parts: [String]
        /// Whether it belongs to a release.
        var isInRelease: Bool

        init(_ event: NewEvent) {
            self.event = event
            parts = event.data.components(separatedBy: LivingStreams.anybody)
            isInRelease = event.correlation.description.hasPrefix(LivingStreams.anybody)
        }
    }

    /// Over so many events of the tale they are spread: more than one release.
    static let spread = 128
    /// How many begin at the same time.
    private static let beginners = 64
    /// How ids of releases begin in the tale.
    private static let anybody = "00000000-0000-7000-8000-"

    private struct State {
        var lives: [Life]
        /// Those with no append under way, the one that waits longest first.
        var free: Deque<Int>
        /// Who waits for one; nobody as long as one is free.
        var waiting: Deque<(id: UInt64, continuation: CheckedContinuation<Int, any Error>)> = []
        var lastID: UInt64 = 0
    }

    private let tale: [Chapter]
    private let own: [Own]
    private let state: Mutex<State>

    private init(_ count: Int, _ tale: [RecordedEvent]) {
        self.tale = tale.map { Chapter($0.event) }
        own = (0..<count).map(Own.init)
        let lives = (0..<count).map { Life(ids: BenchEvents(seed: UInt64($0 + 1) &* 104_729)) }
        state = Mutex(State(lives: lives, free: Deque(0..<count)))
    }

    /// Has `count` rollouts live through less than ``spread`` events of the `tale`, neighbours through different numbers.
    static func begun(
        _ count: Int, _ tale: [RecordedEvent], through store: PostgresEventStore
    ) async throws -> LivingStreams {
        let streams = LivingStreams(count, tale)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for beginner in 0..<beginners {
                group.addTask {
                    for index in stride(from: beginner, to: count, by: beginners) {
                        try await streams.begin(index, through: store)
                    }
                }
            }
            try await group.waitForAll()
        }
        return streams
    }

    private func begin(_ index: Int, through store: PostgresEventStore) async throws {
        // A prime, so that neighbours are far from each other.
        let count = index * 79 % Self.spread
        guard count > 0 else { return }
        let events = (0..<count).map { version in
            event(version, of: index, id: state.withLock { $0.lives[index].ids.identifier() })
        }
        let appended = try await store.append(
            Append(stream: own[index].stream, expecting: .exactly(.none), events: events))
        state.withLock { $0.lives[index].version = appended.version.value }
    }

    /// Appends the next event of a rollout, as soon as one is free: above what is free, the wait is part of what is
    /// measured.
    func append(through store: PostgresEventStore) async throws -> Appended {
        let index = try await take()
        let appended: Appended
        do { appended = try await store.append(next(of: index)) } catch {
            handOn(index)
            throw error
        }
        state.withLock { $0.lives[index].version = appended.version.value }
        // Whose tale is over is not asked again.
        if appended.version.value < Int64(tale.count) { handOn(index) }
        return appended
    }

    /// Appends as fast as `callers` can, each one event after the other.
    ///
    /// - Returns: Appends a second.
    func rush(_ callers: Int, for duration: Duration, through store: PostgresEventStore) async throws -> Double {
        let end = ContinuousClock.now + duration
        let count = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<callers {
                group.addTask {
                    var count = 0
                    while ContinuousClock.now < end {
                        _ = try await self.append(through: store)
                        count += 1
                    }
                    return count
                }
            }
            return try await group.reduce(0, +)
        }
        return Double(count) / duration.seconds
    }

    /// - Throws: `CancellationError`.
    private func take() async throws -> Int {
        let id = state.withLock { state -> UInt64 in
            state.lastID += 1
            return state.lastID
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let answer = state.withLock { state -> Result<Int, any Error>? in
                    // A cancellation that came before this line found nobody to turn away.
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if let index = state.free.popFirst() { return .success(index) }
                    state.waiting.append((id, continuation))
                    return nil
                }
                if let answer { continuation.resume(with: answer) }
            }
        } onCancel: {
            let waiting = state.withLock { state in
                state.waiting.firstIndex { $0.id == id }.map { state.waiting.remove(at: $0) }
            }
            waiting?.continuation.resume(throwing: CancellationError())
        }
    }

    /// Gives a rollout to who waits longest, or lets it be free.
    private func handOn(_ index: Int) {
        let waiting = state.withLock { state in
            let first = state.waiting.popFirst()
            if first == nil { state.free.append(index) }
            return first
        }
        waiting?.continuation.resume(returning: index)
    }

    private func next(of index: Int) -> Append {
        let (version, id) = state.withLock { state in
            (state.lives[index].version, state.lives[index].ids.identifier())
        }
        return Append(
            stream: own[index].stream, expecting: .exactly(StreamVersion(version)),
            events: [event(Int(version), of: index, id: id)])
    }

    /// The event that follows the version of the tale.
    private func event(_ version: Int, of index: Int, id: Identifier) -> NewEvent {
        let chapter = tale[version]
        var event = chapter.event
        event.id = id
        event.occurredAt = BenchEvents.now()
        // Each rollout's releases have ids of their own.
        if chapter.isInRelease { event.correlation = own[index].release(event.correlation) }
        if chapter.parts.count > 1 { event.data = chapter.parts.joined(separator: own[index].prefix) }
        event.causation = event.correlation
        return event
    }
}

/// Appends at a steady rate, whatever the answers take.
enum SteadyLoad {
    /// Begins an append when it is due, and calls `appended` with its answer and the moment when it was due.
    ///
    /// - Returns: From when each was due until it was acknowledged, without a first tenth of the time.
    static func run(
        _ rate: Double, for duration: Duration, to streams: LivingStreams, through store: PostgresEventStore,
        _ appended: @escaping @Sendable (Appended, ContinuousClock.Instant) -> Void = { _, _ in }
    ) async throws -> [Duration] {
        try await withTaskExecutorPreference(LoadThread.shared) {
            try await append(rate, for: duration, to: streams, through: store, appended)
        }
    }

    private static func append(
        _ rate: Double, for duration: Duration, to streams: LivingStreams, through store: PostgresEventStore,
        _ appended: @escaping @Sendable (Appended, ContinuousClock.Instant) -> Void
    ) async throws -> [Duration] {
        let durations = Durations()
        let begin = ContinuousClock.now
        let counted = begin + duration / 10
        try await withThrowingDiscardingTaskGroup { group in
            var sent = 0
            while true {
                let now = ContinuousClock.now
                // Those that are due by now; the first at once.
                let wanted = Int(min(now - begin, duration).seconds * rate) + 1
                while sent < wanted {
                    let due = begin + .seconds(Double(sent) / rate)
                    group.addTask {
                        let answer = try await streams.append(through: store)
                        if due >= counted {
                            durations.add(ContinuousClock.now - due)
                            appended(answer, due)
                        }
                    }
                    sent += 1
                }
                if now - begin >= duration { return }
                // The clock that the rate is kept by.
                let next = max(begin + .seconds(Double(sent) / rate), now + .milliseconds(0.5))
                await LoadThread.shared.pause(until: next)
            }
        }
        return durations.all
    }
}
