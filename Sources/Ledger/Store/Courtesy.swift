internal import Foundation
internal import Synchronization

/// Lets the appends of this instance go first: who has much to do for others than those who wait asks now and then.
///
/// While appends are under way he rests for as long as he has worked, so that he takes half of a core and not one; while many
/// stand in line, until they do not. Bounded, so that nobody falls behind for good who gives way.
final class Courtesy: Sendable {
    /// What the time is, and how it passes.
    struct Time: Sendable {
        var now: @Sendable () -> ContinuousClock.Instant = { .now }
        /// Returns after so long, which is some milliseconds at the most.
        ///
        /// Blocks the thread, which is a connection's own or one of those for readers: a timer of the threads that all share
        /// wakes two more threads for every rest.
        // A sleep that waits for nothing: to leave the core to the appends is what a rest is for. As in `AppendQueue.Time`.
        var rest: @Sendable (Duration) -> Void = { Thread.sleep(forTimeInterval: $0 / .seconds(1)) }
        /// Returns after at least so long; without tolerance, since it is a millisecond, and a tolerance could make it a good
        /// deal longer.
        /// - Throws: `CancellationError`.
        var pass: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0, tolerance: .zero) }
    }

    /// Three calls beside each other do not take so many at the least.
    private static let manyWaiting = 3 * AppendQueue.leastBeside
    /// A shorter rest is put off: a timer costs something too.
    private static let leastRest = Duration.microseconds(200)
    /// How long he rests at once: what took longer than that was held up, most likely.
    private static let longestRest = Duration.milliseconds(5)

    private let longest: Duration
    private let time: Time
    private let load: @Sendable () -> AppendLoad
    private let state: Mutex<(since: ContinuousClock.Instant, waited: Duration)>

    /// Waits for `longest` at the most, all in all; what was worked counts from now on.
    init(
        atMost longest: Duration = .milliseconds(250), time: Time = Time(),
        _ load: @escaping @Sendable () -> AppendLoad
    ) {
        (self.longest, self.time, self.load) = (longest, time, load)
        state = Mutex((time.now(), .zero))
    }

    /// Waits as long as appends are to go first; not if the task is cancelled.
    func giveWay() async {
        var load = load()
        let worked = time.now() - state.withLock { $0.since }
        // Who stands in line with no call under way waits for one that is about to begin.
        if load.inFlight == 0 && load.waiting == 0 {
            // It was in nobody's way.
            state.withLock { $0.since = time.now() }
        } else if worked >= Self.leastRest {
            guard await spend(min(worked, Self.longestRest), rest) else { return }
            load = self.load()
        }
        // Nobody tells that the line has become short: that would cost each append something, and a look every millisecond
        // costs next to nothing.
        while load.waiting >= Self.manyWaiting {
            guard await spend(.milliseconds(1), time.pass) else { return }
            load = self.load()
        }
    }

    /// Off the actor that asks, so that it answers others meanwhile, and does not take a thread that all share in its turn.
    @concurrent private func rest(_ duration: Duration) async { time.rest(duration) }

    /// Lets so much time pass, as `pass` does; says whether there is more to give.
    private func spend(_ duration: Duration, _ pass: (Duration) async throws -> Void) async -> Bool {
        let left = longest - state.withLock { $0.waited }
        guard left > .zero, !Task.isCancelled else { return false }
        let begun = time.now()
        // Whoever is cancelled goes on, and sees it himself.
        do { try await pass(min(duration, left)) } catch { return false }
        state.withLock { state in
            state.since = time.now()
            state.waited += state.since - begun
        }
        return true
    }
}
