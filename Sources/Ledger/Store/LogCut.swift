internal import EventSourcing
internal import Synchronization

/// The log is not the one that a follower has read: it was cut short, and may have grown again.
///
/// There is no going on from there: what was read stands nowhere any more. Whoever followed begins anew.
struct LogCut: Error, CustomStringConvertible {
    let description: String

    /// The log ends before the place that was read.
    init(place: GlobalPosition, head: GlobalPosition) {
        description = """
            the log was cut short: it ends at position \(head), and the event at position \(place) was read before. \
            Put it back whole, or start this instance again
            """
    }

    /// Another event stands at the place that was read.
    init(place: GlobalPosition, seen: Identifier, _ found: Identifier) {
        description = """
            the log was cut short and has grown again: event \(seen) was read at position \(place), and \(found) stands \
            there. Put it back whole, or start this instance again
            """
    }
}

/// Keeps that the log was found cut short, once for all who follow it.
final class CutSign: Sendable {
    private let kept = Mutex<String?>(nil)

    /// What was found first; nil if nothing was.
    var why: String? { kept.withLock { $0 } }

    /// Keeps `cut`, unless one is known already.
    func note(_ cut: LogCut) { kept.withLock { $0 = $0 ?? cut.description } }
}
