/// Why no tree head is signed any more until somebody has looked: going on would contradict one that was signed.
public struct SealHalt: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong, and what to do.
    public let reason: String

    /// Says what is wrong.
    init(_ reason: String) { self.reason = reason }

    /// The reason.
    public var description: String { reason }
}
