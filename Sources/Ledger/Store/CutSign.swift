internal import EventSourcing
internal import Synchronization

/// Keeps that the log was found cut short, once for all who follow it.
final class CutSign: Sendable {
    private let kept = Mutex<String?>(nil)

    /// What was found first; nil if nothing was.
    var why: String? { kept.withLock { $0 } }

    /// Keeps that a follower ended, if that is why and none has before.
    func note(_ end: FollowerEnd) {
        guard case .cutShort = end else { return }
        kept.withLock { $0 = $0 ?? end.description }
    }
}
