import Synchronization

/// An HTTP client: many transfers at once on one thread of its own, connections kept for reuse.
///
/// Make one per program, or per place that needs its own pool, and close it at the end. Dropping the last reference ends
/// all transfers too. The cooperative pool is never blocked.
public final class TransferClient: Sendable {
    private let loop: TransferLoop

    /// Starts the client's thread.
    ///
    /// - Parameters:
    ///   - maximumConnectionsPerHost: Further transfers wait, within their timeouts; 0 means no limit. Streams occupy one each.
    ///   - maximumIdleConnections: How many unused connections are kept.
    public init(maximumConnectionsPerHost: Int = 0, maximumIdleConnections: Int = 64) {
        loop = TransferLoop(
            maximumConnectionsPerHost: maximumConnectionsPerHost, maximumIdleConnections: maximumIdleConnections)
        loop.start()
    }

    deinit {
        loop.close(then: nil)
    }

    /// Sends `request` and collects the whole answer, whatever its status.
    ///
    /// Cancelling the task aborts the transfer.
    /// - Throws: `TransferFailure` if there is no whole answer within the limits of the request.
    public func send(_ request: TransferRequest) async throws(TransferFailure) -> TransferResponse {
        try RequestCheck.check(request)
        let job = TransferJob(request: request)
        let loop = loop
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                loop.submit(job, into: .whole(continuation))
            }
        } onCancel: {
            loop.cancel(job)
        }
        return try result.get()
    }

    /// Sends `request` and returns as soon as the head of the answer is there; the content follows as a sequence.
    ///
    /// The server is held back while more than `highWater` bytes wait to be read. Dropping the stream and its iterators,
    /// or cancelling the reading task, aborts the transfer. Set `timeout` to nil and `idleTimeout` for endless streams.
    /// - Throws: `TransferFailure` if no head arrives.
    public func stream(
        _ request: TransferRequest, highWater: Int = 256 << 10
    ) async throws(TransferFailure) -> TransferStream {
        try RequestCheck.check(request)
        let job = TransferJob(request: request)
        let loop = loop
        let channel = BodyChannel(highWater: highWater, loop: loop, job: job)
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                channel.awaitHead(continuation)
                loop.submit(job, into: .stream(channel))
            }
        } onCancel: {
            loop.cancel(job)
        }
        return TransferStream(head: try result.get(), channel: channel)
    }

    /// Ends all transfers (they fail as `.closed`) and returns once the thread has let go of every connection.
    ///
    /// Later requests fail as `.closed`. Closing twice is fine.
    public func close() async {
        let loop = loop
        await withCheckedContinuation { continuation in
            loop.close(then: continuation)
        }
    }
}
