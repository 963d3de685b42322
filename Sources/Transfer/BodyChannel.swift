import Synchronization

/// Carries head and content of a streamed answer from the loop's thread to one reader, and the reader's pace back.
final class BodyChannel: Sendable {
    typealias HeadContinuation = CheckedContinuation<Result<TransferHead, TransferFailure>, Never>
    typealias ChunkContinuation = CheckedContinuation<Result<[UInt8]?, TransferFailure>, Never>

    private struct State {
        var headWaiter: HeadContinuation?
        var chunkWaiter: ChunkContinuation?
        var buffer: [UInt8] = []
        var isPaused = false
        var end: Result<Void, TransferFailure>?
    }

    private let highWater: Int
    private let loop: TransferLoop
    private let job: TransferJob
    private let state = Mutex(State())

    init(highWater: Int, loop: TransferLoop, job: TransferJob) {
        self.highWater = max(1, highWater)
        self.loop = loop
        self.job = job
    }

    // MARK: The loop's side

    /// Hands the head to whoever waits for it.
    func deliver(head: TransferHead) {
        state.withLock { $0.headWaiter.take() }?.resume(returning: .success(head))
    }

    /// Takes `bytes`, or returns false if the reader is behind: libcurl then keeps them and pauses the transfer.
    func offer(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let (accepted, waiter) = state.withLock { state -> (Bool, ChunkContinuation?) in
            if let waiter = state.chunkWaiter.take() { return (true, waiter) }
            guard state.buffer.count < highWater else {
                state.isPaused = true
                return (false, nil)
            }
            state.buffer.append(contentsOf: bytes)
            return (true, nil)
        }
        waiter?.resume(returning: .success(Array(bytes)))
        return accepted
    }

    /// Whether libcurl is being held back.
    var isPaused: Bool { state.withLock { $0.isPaused } }

    /// Ends the stream.
    ///
    /// Bytes already taken can still be read first, unless the transfer was given up.
    func finish(_ end: Result<Void, TransferFailure>) {
        let (head, chunk) = state.withLock { state -> (HeadContinuation?, ChunkContinuation?) in
            state.end = end
            if case .failure(let failure) = end, failure.code == .cancelled { state.buffer = [] }
            return (state.headWaiter.take(), state.chunkWaiter.take())
        }
        switch end {
        case .success:
            precondition(head == nil, "a transfer ended well before its head was delivered: \(job.request.method)")
            chunk?.resume(returning: .success(nil))
        case .failure(let failure):
            head?.resume(returning: .failure(failure))
            chunk?.resume(returning: .failure(failure))
        }
    }

    // MARK: The reader's side

    func awaitHead(_ continuation: HeadContinuation) {
        state.withLock { $0.headWaiter = continuation }
    }

    func cancel() {
        guard state.withLock({ $0.end == nil }) else { return }
        loop.cancel(job)
    }

    func next() async throws(TransferFailure) -> [UInt8]? {
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: ChunkContinuation) in
                let (answer, resumes) = state.withLock { state -> (Result<[UInt8]?, TransferFailure>?, Bool) in
                    if !state.buffer.isEmpty {
                        let bytes = state.buffer
                        state.buffer = []
                        defer { state.isPaused = false }
                        return (.success(bytes), state.isPaused)
                    }
                    switch state.end {
                    case .success: return (.success(nil), false)
                    case .failure(let failure): return (.failure(failure), false)
                    case nil: break
                    }
                    precondition(state.chunkWaiter == nil, "a TransferStream is read by two tasks at once")
                    state.chunkWaiter = continuation
                    return (nil, false)
                }
                if resumes { loop.resume(job) }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            cancel()
        }
        return try result.get()
    }
}
