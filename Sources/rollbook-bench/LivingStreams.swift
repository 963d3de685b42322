import EventSourcing
import Foundation
import Ledger
import Synchronization

/// Rollouts that live the tale event by event, each append on one that has none under way.
final class LivingStreams: Sendable {
    private struct Life {
        var version: Int64 = 0
        var ids: BenchEvents
    }

    /// One event of the tale, taken apart where a rollout's own ids come in.
    private struct Chapter {
        var event: NewEvent
        var parts: [String]
        /// The rest of the release's id; nil outside a release.
        var release: String?

        init(_ event: NewEvent) {
            let correlation = event.correlation.description
            self.event = event
            parts = event.data.components(separatedBy: LivingStreams.anybody)
            release =
                correlation.hasPrefix(LivingStreams.anybody)
                ? String(correlation.dropFirst(LivingStreams.anybody.count)) : nil
        }
    }

    /// How ids of releases begin in the tale.
    private static let anybody = "00000000-0000-7000-8000-"

    private let tale: [Chapter]
    private let lives: Mutex<(lives: [Life], free: [Int], next: Int)>

    /// - Parameter tale: What each of them lives through.
    init(_ count: Int, _ tale: [RecordedEvent]) {
        self.tale = tale.map { Chapter($0.event) }
        let lives = (0..<count).map { Life(ids: BenchEvents(seed: UInt64($0 + 1) &* 104_729)) }
        self.lives = Mutex((lives, Array(0..<count), 0))
    }

    /// Appends the next event of a rollout, as soon as one is free.
    func append(through store: PostgresEventStore) async throws -> Appended {
        var taken = take()
        while taken == nil {
            // The load is above what is free: so the wait is part of what is measured.
            try await Task.sleep(for: .milliseconds(1))
            taken = take()
        }
        guard let (index, append) = taken else { throw BenchFailure("no rollout was free") }
        let appended = try await store.append(append)
        lives.withLock { state in
            state.lives[index].version = appended.version.value
            // Whose tale is over is not asked again.
            if appended.version.value < Int64(tale.count) { state.free.append(index) }
        }
        return appended
    }

    private func take() -> (Int, Append)? {
        let taken: (index: Int, version: Int64, id: Identifier)? = lives.withLock { state in
            if state.next > 1000, state.next * 2 > state.free.count {
                state.free.removeFirst(state.next)
                state.next = 0
            }
            guard state.next < state.free.count else { return nil }
            let index = state.free[state.next]
            state.next += 1
            return (index, state.lives[index].version, state.lives[index].ids.identifier())
        }
        guard let (index, version, id) = taken else { return nil }
        let chapter = tale[Int(version)]
        var event = chapter.event
        event.id = id
        event.occurredAt = BenchEvents.now()
        // Each rollout's releases have ids of their own.
        let own = Self.prefix(index)
        if let release = chapter.release { event.correlation = Identifier(own + release) ?? event.correlation }
        if chapter.parts.count > 1 { event.data = chapter.parts.joined(separator: own) }
        event.causation = event.correlation
        return (
            index,
            Append(
                stream: BenchFill.rollout(index), expecting: .exactly(StreamVersion(version)), events: [event])
        )
    }

    private static func prefix(_ index: Int) -> String {
        let digits = String(index + 1, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits + "-0000-7000-8000-"
    }
}

/// Appends at a steady rate, whatever the answers take.
enum SteadyLoad {
    /// Begins an append when it is due, and calls `appended` with its answer and the moment when it was due.
    ///
    /// - Returns: From when each was due until it was acknowledged, without a first tenth of the time.
    static func run(
        _ rate: Double, for duration: Duration, to streams: LivingStreams, through store: PostgresEventStore,
        _ appended: @escaping @Sendable (Appended, ContinuousClock.Instant) async throws -> Void = { _, _ in }
    ) async throws -> [Duration] {
        let durations = Durations()
        let begin = ContinuousClock.now
        let counted = begin + duration / 10
        try await withThrowingDiscardingTaskGroup { group in
            var sent = 0
            while true {
                let now = ContinuousClock.now
                let wanted = Int(min(now - begin, duration).seconds * rate)
                while sent < wanted {
                    let due = begin + .seconds(Double(sent) / rate)
                    group.addTask {
                        let answer = try await streams.append(through: store)
                        if due >= counted {
                            durations.add(ContinuousClock.now - due)
                            try await appended(answer, due)
                        }
                    }
                    sent += 1
                }
                if now - begin >= duration { return }
                // The clock that the rate is kept by.
                try await Task.sleep(until: now + .milliseconds(1), tolerance: .zero, clock: .continuous)
            }
        }
        return durations.all
    }
}
