import Postgres
import TestKit
import Testing

private struct Stop: Error {}

@Suite struct TransactionTests {
    @Test func `a transaction is kept when its body returns and undone when it throws`() async throws {
        try await withTemporaryPool(connections: 2) { pool in
            try await pool.query("CREATE TABLE t (n int)")
            let given = try await pool.transaction { connection in
                try await connection.query("INSERT INTO t VALUES (1)")
                return "kept"
            }
            #expect(given == "kept")
            await #expect(throws: Stop.self) {
                try await pool.transaction { connection in
                    try await connection.query("INSERT INTO t VALUES (2)")
                    throw Stop()
                }
            }
            await #expect(throws: PostgresError.self) {
                try await pool.transaction { connection in
                    try await connection.query("INSERT INTO t VALUES (3)")
                    try await connection.query("SELECT 1/0")
                }
            }
            #expect(try await pool.query("SELECT n FROM t").map { try $0.get("n", as: Int.self) } == [1])
            #expect(pool.load.idle == 1)
        }
    }

    @Test func `a transaction of two round trips is kept whole, or not at all`() async throws {
        try await withTemporaryPool(connections: 1) { pool in
            try await pool.query("CREATE TABLE t (n int PRIMARY KEY, CHECK (n > 0))")
            try await pool.onConnection { connection in
                try await connection.transaction(opening: ["INSERT INTO t VALUES (1) RETURNING n", "SELECT 7"]) {
                    _, opened in
                    let given = try opened.map { try $0.single().get(0, as: Int.self) }
                    #expect(given == [1, 7])
                    return ["INSERT INTO t VALUES (2)", "INSERT INTO t VALUES (3)"]
                }
                // Nothing to say at the end.
                try await connection.transaction(opening: ["INSERT INTO t VALUES (4)"]) { _, _ in [] }
            }
            // What goes wrong at its beginning, in between, at its end, and at COMMIT itself.
            await expect(.uniqueViolation) {
                try await pool.onConnection { connection in
                    try await connection.transaction(opening: ["INSERT INTO t VALUES (5)", "INSERT INTO t VALUES (1)"])
                    {
                        _, _ in
                        Issue.record("the body ran after a failure")
                        return []
                    }
                }
            }
            await #expect(throws: Stop.self) {
                try await pool.onConnection { connection in
                    try await connection.transaction(opening: ["INSERT INTO t VALUES (5)"]) { _, _ in throw Stop() }
                }
            }
            await expect(.checkViolation) {
                try await pool.onConnection { connection in
                    try await connection.transaction(opening: ["INSERT INTO t VALUES (5)"]) { _, _ in
                        ["INSERT INTO t VALUES (6)", "INSERT INTO t VALUES (0)", "INSERT INTO t VALUES (7)"]
                    }
                }
            }
            try await pool.query("CREATE TABLE late (n int REFERENCES t DEFERRABLE INITIALLY DEFERRED)")
            await expect(.foreignKeyViolation) {
                try await pool.onConnection { connection in
                    try await connection.transaction(opening: ["INSERT INTO t VALUES (5)"]) { _, _ in
                        ["INSERT INTO late VALUES (99)"]
                    }
                }
            }
            let kept = try await pool.query("SELECT n FROM t ORDER BY n").map { try $0.get("n", as: Int.self) }
            #expect(kept == [1, 2, 3, 4])
            // The one connection is still good: nothing was left open on it.
            #expect(pool.load.idle == 1)
        }
    }

    @Test func `inside another transaction it is refused`() async throws {
        try await withTemporaryPool(connections: 1) { pool in
            try await pool.transaction { connection in
                let nested = await #expect(throws: PostgresError.self) {
                    try await connection.transaction(opening: ["SELECT 1"]) { _, _ in [] }
                }
                #expect(nested?.code == .invalidUse)
            }
        }
    }

    @Test func `a transaction inside a transaction is refused; a savepoint is undone alone`() async throws {
        try await withTemporaryPool(connections: 1) { pool in
            try await pool.query("CREATE TABLE t (n int)")
            try await pool.transaction { connection in
                try await connection.query("INSERT INTO t VALUES (1)")
                let nested = await #expect(throws: PostgresError.self) { try await connection.transaction { _ in } }
                #expect(nested?.code == .invalidUse)
                await expect(.divisionByZero) {
                    try await connection.savepoint { _ = try await $0.query("SELECT 1/0") }
                }
                try await connection.savepoint { outer in
                    try await outer.query("INSERT INTO t VALUES (2)")
                    await #expect(throws: Stop.self) {
                        try await outer.savepoint { inner in
                            try await inner.query("INSERT INTO t VALUES (3)")
                            throw Stop()
                        }
                    }
                }
            }
            #expect(try await pool.query("SELECT n FROM t ORDER BY n").map { try $0.get("n", as: Int.self) } == [1, 2])
        }
    }

    @Test func `a swallowed error cannot pass for a commit`() async throws {
        try await withTemporaryPool(connections: 1) { pool in
            let error = await #expect(throws: PostgresError.self) {
                try await pool.transaction { connection in
                    await expect(.divisionByZero) { _ = try await connection.query("SELECT 1/0") }
                }
            }
            #expect(error?.sqlState == .inFailedSQLTransaction)
        }
    }

    @Test func `serializable transactions that cross are told to try again`() async throws {
        try await withTemporaryPool(connections: 2) { pool in
            try await pool.query("CREATE TABLE t (n int)")
            let error = await #expect(throws: PostgresError.self) {
                try await pool.transaction(isolation: .serializable) { first in
                    try await first.query("SELECT sum(n) FROM t")
                    try await pool.transaction(isolation: .serializable) { second in
                        try await second.query("SELECT sum(n) FROM t")
                        try await second.query("INSERT INTO t VALUES (1)")
                    }
                    try await first.query("INSERT INTO t VALUES (2)")
                }
            }
            #expect(error?.sqlState == .serializationFailure && error?.retryCanHelp == true)
            await expect(.readOnlySQLTransaction) {
                try await pool.transaction(readOnly: true) { _ = try await $0.query("INSERT INTO t VALUES (3)") }
            }
        }
    }

    @Test func `a connection given back inside a transaction is not lent again`() async throws {
        try await withTemporaryPool(connections: 1) { pool in
            let first = try await pool.withConnection { connection in
                try await connection.script("BEGIN")
                return connection.backendProcessID
            }
            let second = try await pool.withConnection { $0.backendProcessID }
            #expect(first != second)
        }
    }

    @Test func `a commit whose replica was not waited for is not acknowledged`() async throws {
        let settings = EmbeddedCluster.Settings(
            isDurable: false, extra: ["synchronous_standby_names": "nobody", "synchronous_commit": "on"])
        try await withTemporaryCluster(settings: settings) { cluster in
            let running = try await cluster.start()
            let pool = PostgresPool(running.configuration)
            var local = running.configuration
            local.sessionSettings = ["synchronous_commit": "local"]
            let watcher = try await PostgresConnection.connect(local)
            try await watcher.query("CREATE TABLE t (n int)")
            let statements: [@Sendable () async throws -> Void] = [
                { try await pool.query("INSERT INTO t VALUES (1)", .uncancellable) },
                { try await pool.transaction { _ = try await $0.query("INSERT INTO t VALUES (1)") } },
                {
                    _ = try await pool.withConnection { connection in
                        try await connection.pipeline(["INSERT INTO t VALUES (1)"])
                    }
                },
            ]
            for statement in statements {
                async let outcome: Void = statement()
                try await expectEventually {
                    try await watcher.query(
                        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
                    ).count == 1
                }
                do {
                    try await outcome
                    Issue.record("acknowledged")
                } catch let error as PostgresError {
                    #expect(error.code == .durabilityUnknown && error.outcomeUnknown)
                }
            }
            #expect(try await watcher.query("SELECT count(*) FROM t").single().get(0, as: Int.self) == 3)
            await watcher.close()
            await pool.close()
        }
    }
}
