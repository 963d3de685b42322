/// What belongs together in a pipeline.
public enum PipelineGrouping: Sendable, Hashable {
    /// One implicit transaction, one Sync at the end: the first failure undoes everything.
    case allOrNone
    /// Each statement is a transaction of its own, with a Sync of its own: a failure concerns that statement alone.
    case each
}

extension PostgresConnection {
    /// Sends several statements in one round trip and gives each one's outcome, in order.
    ///
    /// With ``PipelineGrouping/allOrNone``, statements after a failed one fail too, without a SQLSTATE, and those before
    /// it are undone although their outcome says success; use ``pipeline(_:_:)`` to have the first failure thrown.
    ///
    /// - Throws: ``PostgresError`` when the pipeline as a whole came to no end: the connection was lost, or its deadline
    ///   passed without an answer. Which statements took effect is unknown then.
    public func pipelineOutcomes(
        _ statements: [SQL], grouping: PipelineGrouping, _ options: StatementOptions = .standard
    ) async throws -> [Result<PostgresResult, PostgresError>] {
        if statements.isEmpty { return [] }
        let id = interrupter.mint()
        return try await interruptible(id, options) { try $0.pipeline(statements, grouping, options, id: id) }
    }

    /// Runs several statements in one round trip, all or none, and gives their results in order.
    ///
    /// - Throws: The first failure; nothing took effect then, unless it says that the outcome is unknown.
    @discardableResult
    public nonisolated func pipeline(
        _ statements: [SQL], _ options: StatementOptions = .standard
    ) async throws -> [PostgresResult] {
        let outcomes = try await pipelineOutcomes(statements, grouping: .allOrNone, options)
        return try outcomes.map { try $0.get() }
    }
}
