/// How strictly a transaction is kept apart from others.
public enum TransactionIsolation: String, Sendable, Hashable, CaseIterable {
    /// Each statement sees what was committed before it began; the server's usual choice.
    case readCommitted = "READ COMMITTED"
    /// All statements see one snapshot.
    case repeatableRead = "REPEATABLE READ"
    /// As if transactions ran one after the other; be ready to retry on 40001.
    case serializable = "SERIALIZABLE"
}

extension PostgresConnection {
    /// Runs `body` in a transaction: committed when it returns, rolled back when it throws.
    ///
    /// COMMIT and ROLLBACK are sent although the task is cancelled meanwhile; cancellation ends the statements before.
    ///
    /// - Throws: What `body` throws; ``PostgresError/Code/invalidUse`` inside another transaction (use
    ///   ``savepoint(_:)``); an error with ``PostgresError/outcomeUnknown`` when the connection was lost at COMMIT.
    public nonisolated func transaction<Value>(
        isolation: TransactionIsolation = .readCommitted, readOnly: Bool = false,
        _ body: (PostgresConnection) async throws -> Value
    ) async throws -> Value {
        guard await !isInTransaction else {
            throw PostgresError(
                .invalidUse, "the connection is in a transaction already; use savepoint, or another connection")
        }
        try await script("BEGIN ISOLATION LEVEL \(isolation.rawValue)\(readOnly ? " READ ONLY" : "")")
        let value: Value
        do {
            value = try await body(self)
        } catch {
            try await rollBack()
            throw error
        }
        try await commit()
        return value
    }

    /// Runs `body` in a transaction of as few round trips as can be: `statements` are sent with BEGIN, and those that
    /// `body` gives back with COMMIT.
    ///
    /// A task that is cancelled before COMMIT was reached leaves nothing behind.
    ///
    /// - Parameter body: Is given the results of `statements`.
    /// - Throws: As ``transaction(isolation:readOnly:_:)``; the first failure of `statements`, and then `body` is not run;
    ///   the first failure of what `body` gave back, and then nothing is committed.
    public nonisolated func transaction(
        opening statements: [SQL], _ body: (PostgresConnection, [PostgresResult]) async throws -> [SQL]
    ) async throws {
        guard await !isInTransaction else {
            throw PostgresError(
                .invalidUse, "the connection is in a transaction already; use savepoint, or another connection")
        }
        do {
            let begun = try await pipeline(["BEGIN ISOLATION LEVEL READ COMMITTED"] + statements)
            let closing = try await body(self, Array(begun.dropFirst()))
            try Self.check(commit: try await pipeline(closing + ["COMMIT"]).last)
        } catch {
            try await rollBack()
            throw error
        }
    }

    /// Runs `body` under a savepoint of the running transaction: undone alone when it throws.
    ///
    /// - Throws: What `body` throws; ``PostgresError/Code/invalidUse`` outside a transaction.
    public nonisolated func savepoint<Value>(_ body: (PostgresConnection) async throws -> Value) async throws -> Value {
        guard await isInTransaction else {
            throw PostgresError(.invalidUse, "a savepoint needs a transaction around it")
        }
        try await script("SAVEPOINT rollbook")
        do {
            let value = try await body(self)
            try await script("RELEASE SAVEPOINT rollbook")
            return value
        } catch {
            if await isAlive {
                try await script("ROLLBACK TO SAVEPOINT rollbook; RELEASE SAVEPOINT rollbook", .uncancellable)
            }
            throw error
        }
    }

    private nonisolated func commit() async throws {
        try Self.check(commit: try await script("COMMIT", .uncancellable))
    }

    /// COMMIT of a transaction whose error the body swallowed is answered with ROLLBACK.
    private static func check(commit result: PostgresResult?) throws {
        guard result?.commandTag == "COMMIT" else {
            throw PostgresError(
                .server, "the transaction was rolled back, because a statement in it had failed",
                sqlState: .inFailedSQLTransaction, statement: "COMMIT")
        }
    }

    /// Rolls back what is open; a connection that is gone has done so already, and the first error is worth more.
    private func rollBack() async throws {
        guard wire.isAlive, !wire.isIdle, wire.occupation == nil else { return }
        do {
            try await script("ROLLBACK", .uncancellable)
        } catch let error as PostgresError where error.code == .connectionLost {
            return
        }
    }
}
