import CLibpq

extension Wire {
    /// What was queued in a pipeline and what its result is for.
    private enum Queued {
        case prepare(PreparedStatements.Key)
        case statement(index: Int)
        case sync
    }

    /// Sends all statements in one go, each Execute followed by its Sync before anything is flushed on purpose, and reads
    /// their results.
    ///
    /// libpq flushes by itself when its buffer is large, but nothing here waits between an Execute and its Sync: both are
    /// in libpq's hands before this thread first looks at the socket.
    func pipeline(
        _ statements: [SQL], _ grouping: PipelineGrouping, _ options: StatementOptions, id: UInt64
    ) throws -> [Result<PostgresResult, PostgresError>] {
        let rendered = statements.map(\.rendered)
        for (text, values) in rendered { try check(values, text) }
        let label = "pipeline of \(statements.count): \(rendered.first?.text ?? "")"
        return try statement(id, options, text: label) { patience in
            guard isIdle || grouping == .allOrNone else {
                throw PostgresError(
                    .invalidUse, "a pipeline inside a transaction must be all or none", statement: label)
            }
            guard PQenterPipelineMode(connection) == 1 else { throw lost(label, outcomeUnknown: false) }
            do {
                let queue = try self.queue(rendered, grouping, options)
                let outcomes = try collect(queue, rendered, &patience)
                guard PQexitPipelineMode(connection) == 1 else {
                    throw PostgresError(.protocolViolation, "the pipeline did not come to its end", statement: label)
                }
                return outcomes
            } catch {
                // What is still on its way can no longer be told apart.
                abandoned = abandoned ?? "a pipeline was broken off"
                throw error
            }
        }
    }

    private func queue(
        _ rendered: [(text: String, values: [PostgresValue])], _ grouping: PipelineGrouping, _ options: StatementOptions
    ) throws -> [Queued] {
        var queue: [Queued] = []
        var preparing: Set<PreparedStatements.Key> = []
        for (index, (text, values)) in rendered.enumerated() {
            let key = PreparedStatements.Key(text: text, types: values.map(\.type))
            switch options.isPrepared ? prepared.plan(for: key) : .sendOnce {
            case .sendOnce: try send(text, values)
            case .prepare(let name):
                if preparing.insert(key).inserted {
                    try prepare(name, text, values)
                    queue.append(.prepare(key))
                }
                try send(prepared: name, text, values)
            case .use(let name): try send(prepared: name, text, values)
            }
            queue.append(.statement(index: index))
            if grouping == .each {
                try sync(text)
                queue.append(.sync)
            }
        }
        if grouping == .allOrNone {
            try sync(rendered.last?.text)
            queue.append(.sync)
        }
        return queue
    }

    private func sync(_ text: String?) throws {
        guard PQpipelineSync(connection) == 1 else { throw lost(text, outcomeUnknown: true) }
    }

    private func collect(
        _ queue: [Queued], _ rendered: [(text: String, values: [PostgresValue])], _ patience: inout Patience
    ) throws -> [Result<PostgresResult, PostgresError>] {
        var outcomes: [Result<PostgresResult, PostgresError>] = []
        var prepareFailure: PostgresError?
        for item in queue {
            switch item {
            case .sync:
                let problem = try finishSync(&patience, rendered[max(outcomes.count - 1, 0)].text)
                let said = notices.take()
                if case .success(let last)? = outcomes.last {
                    let result = PostgresResult(storage: last.storage, notices: last.notices + said)
                    let text = rendered[outcomes.count - 1].text
                    outcomes[outcomes.count - 1] = problem.map { .failure($0) } ?? durable(result, text)
                }
                prepareFailure = nil
            case .prepare(let key):
                switch try one(key.text, &patience) {
                case .success: prepared.prepared(key)
                case .failure(let error): prepareFailure = error
                }
            case .statement(let index):
                let outcome = try one(rendered[index].text, &patience)
                if case .failure(let error) = outcome, error.sqlState != nil || prepareFailure == nil {
                    let (text, values) = rendered[index]
                    if error.sqlState == .invalidSQLStatementName || error.sqlState == .featureNotSupported {
                        prepared.forget(PreparedStatements.Key(text: text, types: values.map(\.type)))
                    }
                    outcomes.append(outcome)
                } else if case .failure = outcome, let prepareFailure {
                    outcomes.append(.failure(prepareFailure))
                } else {
                    outcomes.append(outcome)
                }
            }
        }
        return outcomes
    }

    /// Reads up to the end of a Sync, where a transaction commits; gives the error of a commit that failed.
    private func finishSync(_ patience: inout Patience, _ text: String) throws -> PostgresError? {
        var problem: PostgresError?
        var silences = 0
        while true {
            guard let result = try nextResult(&patience, text: text) else {
                silences += 1
                // One nil ends the error of a commit; more say that nothing will come.
                guard silences < 3, isAlive else { throw lost(text, outcomeUnknown: true) }
                continue
            }
            defer { PQclear(result) }
            if PQresultStatus(result) == PGRES_PIPELINE_SYNC { return problem }
            let error = failure(result, text: text)
            if error.code == .connectionLost { throw error }
            problem = problem ?? error
        }
    }

    private func durable(_ result: PostgresResult, _ text: String) -> Result<PostgresResult, PostgresError> {
        undurability(result.notices, text).map { .failure($0) } ?? .success(result)
    }

    /// The result of one queued message and the nil that follows it.
    private func one(_ text: String, _ patience: inout Patience) throws -> Result<PostgresResult, PostgresError> {
        var outcome: Result<PostgresResult, PostgresError>?
        while let result = try nextResult(&patience, text: text) {
            switch PQresultStatus(result) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
                outcome = .success(PostgresResult(storage: ResultStorage(result), notices: notices.take()))
            case PGRES_PIPELINE_ABORTED:
                PQclear(result)
                outcome =
                    outcome
                    ?? .failure(
                        PostgresError(
                            .server, "not run, because an earlier statement of the pipeline failed", statement: text))
            default:
                let error = failure(result, text: text)
                PQclear(result)
                // Once the connection is gone no further result will come.
                if error.code == .connectionLost { throw error }
                outcome = outcome ?? .failure(error)
            }
        }
        guard let outcome else { throw lost(text, outcomeUnknown: true) }
        return outcome
    }
}
