internal import EventSourcing
internal import Logging
internal import Postgres

/// Sends appends over a connection of its own: what has queued up meanwhile goes in one call, a stream once in a call.
///
/// A lone append goes at once; there is no timer. Nothing here is cancelled by a caller's cancellation.
actor Appender {
    private struct Queued {
        var prepared: PreparedAppend
        var answer: CheckedContinuation<Result<Appended, EventStoreFailure>, Never>
    }

    private static let mostRequests = 256
    private static let mostBytes = 1 << 20
    /// Longer than the server's own limits: reached only when the server, or the way to it, is silent.
    private static let options = StatementOptions(timeout: .seconds(20), isCancellable: false)

    private let configuration: PostgresConfiguration
    private let signal: HeadSignal
    private let logger: Logger
    private var queue: [Queued] = []
    private var isDraining = false
    private var connection: PostgresConnection?

    init(_ configuration: PostgresConfiguration, signal: HeadSignal, logger: Logger) {
        self.configuration = configuration.asLedgerAppender
        self.signal = signal
        self.logger = logger
    }

    func append(_ append: PreparedAppend) async -> Result<Appended, EventStoreFailure> {
        await withCheckedContinuation { continuation in
            queue.append(Queued(prepared: append, answer: continuation))
            guard !isDraining else { return }
            isDraining = true
            // Awaited by everyone in the queue through his continuation; a task of its own so that no caller's
            // cancellation reaches an append that is under way.
            Task { await self.drain() }
        }
    }

    /// Connects and lets the server prepare its plans, so that the first append is as fast as the next.
    func warmUp() async throws {
        guard !isDraining else { return }
        isDraining = true
        defer {
            // Who came meanwhile is served now; awaited as above.
            Task { await self.drain() }
        }
        let connection = try await connected()
        for _ in 0..<3 { try await connection.query(AppendStatement.call([]), Self.options) }
    }

    private func drain() async {
        while !queue.isEmpty {
            let batch = takeBatch()
            let answers = await send(batch.map(\.prepared))
            for (queued, answer) in zip(batch, answers) {
                if case .success(let appended) = answer { signal.raise(to: appended.position) }
                queued.answer.resume(returning: answer)
            }
        }
        isDraining = false
    }

    /// The longest beginning of the queue that fits; later requests of a stream that is in it already stay in line.
    private func takeBatch() -> [Queued] {
        var batch: [Queued] = []
        var rest: [Queued] = []
        var streams: Set<StreamName> = []
        var bytes = 0
        for queued in queue {
            let isFirstOfStream = streams.insert(queued.prepared.append.stream).inserted
            let fits =
                batch.isEmpty || (batch.count < Self.mostRequests && bytes + queued.prepared.bytes <= Self.mostBytes)
            if isFirstOfStream, fits {
                batch.append(queued)
                bytes += queued.prepared.bytes
            } else {
                rest.append(queued)
            }
        }
        queue = rest
        return batch
    }

    private func send(_ batch: [PreparedAppend]) async -> [Result<Appended, EventStoreFailure>] {
        let failure: EventStoreFailure
        do {
            let connection = try await connected()
            let result = try await connection.query(AppendStatement.call(batch), Self.options)
            return try AppendStatement.answers(result, to: batch)
        } catch {
            failure = EventStoreFailure(appending: error)
        }
        if case .rejected = failure, batch.count > 1 {
            // One of them is poison, and the whole call was rolled back: each on its own, so that only that one fails.
            var answers: [Result<Appended, EventStoreFailure>] = []
            for one in batch { answers += await send([one]) }
            return answers
        }
        if case .outcomeUnknown = failure {
            logger.warning("append outcome unknown", metadata: ["error": "\(failure)", "requests": "\(batch.count)"])
            await connection?.close()
            connection = nil
        }
        return batch.map { _ in .failure(failure) }
    }

    private func connected() async throws -> PostgresConnection {
        if let connection {
            // A connection that the server has closed is noticed here, where nothing was sent yet.
            if await connection.isUsable() { return connection }
            await connection.close()
            self.connection = nil
        }
        let fresh = try await PostgresConnection.connect(configuration)
        connection = fresh
        return fresh
    }
}
