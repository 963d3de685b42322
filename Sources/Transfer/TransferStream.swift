/// The head of an answer and its content as it arrives, in pieces of any size.
///
/// For one reader. Ends when the server has sent everything; fails with `TransferFailure` when it does not.
public struct TransferStream: AsyncSequence, Sendable {
    /// Some bytes of the content, never empty.
    public typealias Element = [UInt8]
    /// Why the content does not go on.
    public typealias Failure = TransferFailure

    /// Status and headers.
    public let head: TransferHead
    private let owner: Owner

    init(head: TransferHead, channel: BodyChannel) {
        self.head = head
        owner = Owner(channel: channel)
    }

    /// Starts reading; a second iterator continues where the first stopped.
    public func makeAsyncIterator() -> Iterator { Iterator(owner: owner) }

    /// Gives the transfer up; reading then fails as `.cancelled`.
    ///
    /// No effect once the content is complete.
    public func cancel() { owner.channel.cancel() }

    /// Aborts the transfer once neither the stream nor an iterator is left.
    fileprivate final class Owner: Sendable {
        let channel: BodyChannel

        init(channel: BodyChannel) { self.channel = channel }

        deinit { channel.cancel() }
    }

    /// Reads the content.
    public struct Iterator: AsyncIteratorProtocol {
        private let owner: Owner

        fileprivate init(owner: Owner) { self.owner = owner }

        /// The bytes that have arrived since, at least one; nil at the end.
        public mutating func next() async throws(TransferFailure) -> [UInt8]? {
            try await owner.channel.next()
        }

        /// As `next()`, on the caller's actor.
        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(TransferFailure) -> [UInt8]? {
            try await owner.channel.next()
        }
    }
}
