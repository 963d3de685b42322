internal import EventSourcing
internal import Logging
internal import Postgres

/// Sends batch after batch over one connection, on that connection's own thread, as long as the connection lives.
actor AppendLane {
    private let connection: PostgresConnection
    private let statement: AppendStatement
    private let names: NameRegister
    private let server: NameRegister.Server
    private let queue: AppendQueue
    private let recent: RecentAppends
    private let signal: HeadSignal
    private let logger: Logger
    private var calls = 0

    /// The connection's thread: between a batch and its statement nobody else's turn lies.
    nonisolated var unownedExecutor: UnownedSerialExecutor { connection.unownedExecutor }

    /// Longer than the server's own limits: reached only when the server, or the way to it, is silent.
    static let options = StatementOptions(timeout: .seconds(20), isCancellable: false)
    /// For the lone event, whose answer the lane looks for without sleeping: that spared from a twentieth to an eighth of its
    /// time, and takes a core that has nothing else to do for about a commit.
    private static let loneOptions = StatementOptions(
        timeout: .seconds(20), isCancellable: false, attention: .milliseconds(1))
    /// How often a call is made again after the holder of the append lock was ended.
    private static let mostStalls = 5

    /// Connects, and lets the server make its plans, so that the first append is as fast as the next.
    ///
    /// - Throws: `PostgresError`.
    init(
        _ configuration: PostgresConfiguration, names: NameRegister, queue: AppendQueue, recent: RecentAppends,
        signal: HeadSignal, logger: Logger
    ) async throws {
        self.names = names
        connection = try await PostgresConnection.connect(configuration)
        self.queue = queue
        self.recent = recent
        self.signal = signal
        self.logger = logger
        server = try await NameRegister.Server(connection)
        names.begin(server)
        statement = try await AppendStatement(connection)
        // A statement is prepared at its second use.
        for _ in 0..<2 { try await connection.query(statement.call([], NameRegister.Ids()), Self.options) }
        recent.join(server)
    }

    /// Carries out `first` and all that follow; returns when the connection is of no use any more.
    ///
    /// - Returns: A batch of which nothing was sent yet; empty once the queue is closed.
    func run(_ first: [AppendQueue.Waiting]) async -> [AppendQueue.Waiting] {
        var batch = first.isEmpty ? await queue.next() : first
        while !batch.isEmpty {
            // A connection that the server has closed is noticed here, where nothing was sent yet.
            guard await connection.isUsable() else { break }
            calls = 0
            recent.begin(connection.backendProcessID)
            let answers = await send(batch.map(\.prepared))
            let newest = answers.reduce(recent.end(connection.backendProcessID)) { newest, answer in
                if case .success(let appended) = answer { max(newest, appended.position) } else { newest }
            }
            signal.raise(to: newest)
            batch = await queue.next(after: batch, answers, calls: calls)
        }
        await connection.close()
        return batch
    }

    private func send(_ batch: [PreparedAppend]) async -> [AppendQueue.Answer] {
        let failure: EventStoreFailure
        do {
            let ids = try await names.ids(for: batch, connection, of: server)
            let answers = try await answers(to: batch, ids)
            if let part = RecentAppends.Part(batch, answers, ids) { recent.add(part, on: server) }
            return answers.each
        } catch {
            failure = EventStoreFailure(appending: error)
        }
        if case .rejected = failure, batch.count > 1 {
            // One of them is poison, and the whole call was rolled back: each on its own, so that only that one fails.
            var answers: [AppendQueue.Answer] = []
            for one in batch { answers += await send([one]) }
            return answers
        }
        if case .outcomeUnknown = failure {
            logger.warning("append outcome unknown", metadata: ["error": "\(failure)", "requests": "\(batch.count)"])
            await connection.close()
        }
        return batch.map { _ in .failure(failure) }
    }

    private func answers(
        to batch: [PreparedAppend], _ ids: NameRegister.Ids
    ) async throws -> AppendStatement.Answers {
        if batch.count == 1, let sql = statement.call(one: batch[0], ids),
            let answers = try statement.answer(try await call(sql, Self.loneOptions), toOne: batch[0])
        {
            return answers
        }
        return try statement.answers(try await call(statement.call(batch, ids)), to: batch)
    }

    /// Makes a call; whoever holds the append lock without working is ended, and the call made again.
    ///
    /// - Throws: `PostgresError`.
    private func call(_ sql: SQL, _ options: StatementOptions = AppendLane.options) async throws -> PostgresResult {
        var stalls = 0
        while true {
            calls += 1
            do {
                return try await connection.query(sql, options)
            } catch let error as PostgresError where error.sqlState == .lockNotAvailable && stalls < Self.mostStalls {
                stalls += 1
                queue.countStall()
                let ended = try await connection.query("SELECT ledger.end_stalled_append()", Self.options)
                    .single().get(0, as: Int.self)
                logger.warning(
                    "the append lock was held by somebody who did not go on",
                    metadata: ["ended.sessions": "\(ended)", "attempt": "\(stalls)"])
            }
        }
    }
}
