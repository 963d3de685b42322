internal import EventSourcing
internal import Logging
internal import Postgres
internal import Synchronization

/// Appends through two lanes, each with a connection of its own: while one commits, the other prepares its call.
///
/// Nothing here is cancelled by a caller's cancellation.
final class Appender: Sendable {
    private let queue = AppendQueue()
    private let lanes: Lanes
    /// What they appended lately.
    let recent = RecentAppends()
    private let isStarted = Mutex(false)

    init(_ configuration: PostgresConfiguration, signal: HeadSignal, logger: Logger) {
        lanes = Lanes(
            configuration: configuration.asLedgerAppender, queue: queue, recent: recent, signal: signal,
            logger: logger)
    }

    deinit { queue.close() }

    var load: AppendLoad { queue.load }

    func append(_ append: PreparedAppend) async -> Result<Appended, EventStoreFailure> {
        start(eagerly: false)
        return await queue.put(append)
    }

    /// Begins to work; `eagerly` connects before there is anything to do.
    func start(eagerly: Bool) {
        let isFirst = isStarted.withLock { isStarted in
            defer { isStarted = true }
            return !isStarted
        }
        guard isFirst else { return }
        for _ in 0..<2 {
            // Ends by itself once the queue is closed, which is when the appender goes away.
            Task { [lanes] in await lanes.work(eagerly: eagerly) }
        }
    }
}

/// Keeps lanes going, one connection after the other.
private struct Lanes: Sendable {
    let configuration: PostgresConfiguration
    let names = NameRegister()
    let queue: AppendQueue
    let recent: RecentAppends
    let signal: HeadSignal
    let logger: Logger

    /// Works as one lane until the queue is closed.
    func work(eagerly: Bool) async {
        var batch: [AppendQueue.Waiting] = []
        var isEager = eagerly
        while true {
            if batch.isEmpty, !isEager {
                batch = await queue.next()
                if batch.isEmpty { return }
            }
            do {
                let lane = try await AppendLane(
                    configuration, names: names, queue: queue, recent: recent, signal: signal, logger: logger)
                batch = await lane.run(batch)
                if batch.isEmpty { return }
            } catch {
                if isEager { logger.warning("the appender could not connect yet", metadata: ["error": "\(error)"]) }
                // Nothing was sent.
                let failure = EventStoreFailure.unavailable("the ledger could not be reached: \(error)")
                queue.finish(batch, batch.map { _ in .failure(failure) }, calls: 0)
                batch = []
            }
            isEager = false
        }
    }
}
