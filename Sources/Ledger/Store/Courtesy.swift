/// Lets the appends of this instance go first while many of them stand in line: who has much to do for others than those
/// who wait asks now and then.
///
/// Bounded, so that nobody falls behind for good who gives way.
struct Courtesy: Sendable {
    /// So many in line are more than gather during a call.
    private static let manyWaiting = 3 * AppendQueue.leastBeside

    private let end: ContinuousClock.Instant
    private let load: @Sendable () -> AppendLoad

    /// Waits for `longest` at the most, all in all.
    init(atMost longest: Duration, _ load: @escaping @Sendable () -> AppendLoad) {
        end = .now + longest
        self.load = load
    }

    /// Waits while many stand in line; until the end if the task is cancelled.
    func giveWay() async {
        while load().waiting >= Self.manyWaiting, ContinuousClock.now < end {
            // Nobody tells that the line has become short.
            do { try await Task.sleep(for: .milliseconds(1), tolerance: .zero) } catch { return }
        }
    }
}
