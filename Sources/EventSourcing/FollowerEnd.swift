/// Why a follower gets no further, though nobody has cancelled it.
public enum FollowerEnd: Error, Sendable, Equatable, CustomStringConvertible {
    /// What follows stands in an archive and not in the store; which, and what to do.
    case archived(String)
    /// What was followed is not in the log any more: it was cut short, and may have grown again; what stands there instead.
    ///
    /// There is no going on from there: whoever followed begins anew.
    case cutShort(String)

    /// The reason in words.
    public var description: String {
        switch self {
        case .archived(let words): words
        case .cutShort(let found):
            "the log was cut short: \(found). Put it back whole, or start this instance again"
        }
    }
}
