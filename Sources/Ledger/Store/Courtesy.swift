internal import Synchronization

/// Lets the appends of this instance go first while many of them stand in line: who has much to do for others than those
/// who wait asks now and then.
///
/// Bounded, so that nobody falls behind for good who gives way.
final class Courtesy: Sendable {
    /// Three calls beside each other do not take so many at the least.
    private static let manyWaiting = 3 * AppendQueue.leastBeside

    private let longest: Duration
    private let load: @Sendable () -> AppendLoad
    private let waited = Mutex(Duration.zero)

    /// Waits for `longest` at the most, all in all.
    init(atMost longest: Duration = .milliseconds(100), _ load: @escaping @Sendable () -> AppendLoad) {
        self.longest = longest
        self.load = load
    }

    /// Waits while many stand in line; not if the task is cancelled.
    func giveWay() async {
        while load().waiting >= Self.manyWaiting, waited.withLock({ $0 < longest }) {
            let begun = ContinuousClock.now
            // Nobody tells that the line has become short: that would cost each append something, and a look every millisecond
            // for a tenth of a second costs next to nothing. Whoever is cancelled goes on, and sees it himself.
            do { try await Task.sleep(for: .milliseconds(1), tolerance: .zero) } catch { return }
            waited.withLock { $0 += .now - begun }
        }
    }
}
