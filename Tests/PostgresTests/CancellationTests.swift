import Postgres
import TestKit
import Testing

@Suite struct CancellationTests {
    /// Whether a statement with that mark runs.
    private func runs(_ mark: String, in pool: PostgresPool) async throws -> Bool {
        try await pool.query(
            "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE \("%\(mark)%")"
        ).count == 1
    }

    @Test func `cancelling the task cancels the statement, and the connection lives on`() async throws {
        try await withTemporaryPool(connections: 2) { pool in
            try await pool.withConnection { connection in
                // Awaited below.
                let task = Task { try await connection.query("SELECT pg_sleep(600) /* mark-a */") }
                try await expectEventually { try await runs("mark-a", in: pool) }
                task.cancel()
                let error = await #expect(throws: PostgresError.self) { try await task.value }
                #expect(
                    error?.code == .cancelled && error?.sqlState == .queryCanceled && error?.outcomeUnknown == false)
                for number in 0..<50 {
                    #expect(try await connection.query("SELECT \(number)").single().get(0, as: Int.self) == number)
                }
            }
        }
    }

    @Test func `an uncancellable statement runs to its end`() async throws {
        try await withTemporaryPool(connections: 2) { pool in
            // Awaited below.
            let task = Task { try await pool.query("SELECT pg_sleep(4), 7 AS n /* mark-b */", .uncancellable) }
            try await expectEventually { try await runs("mark-b", in: pool) }
            task.cancel()
            #expect(try await task.value.single().get("n", as: Int.self) == 7)
        }
    }

    @Test func `a deadline cancels the statement`() async throws {
        try await withTemporaryPool(connections: 1) { pool in
            let error = await #expect(throws: PostgresError.self) {
                try await pool.query("SELECT pg_sleep(600)", .timeout(.milliseconds(50)))
            }
            #expect(error?.code == .timeout && error?.retryCanHelp == true && error?.outcomeUnknown == false)
            #expect(pool.load.idle == 1)
        }
    }

    @Test func `while the answer is looked for without sleeping, deadline and cancellation hold all the same`()
        async throws
    {
        try await withTemporaryPool(connections: 2) { pool in
            let error = await #expect(throws: PostgresError.self) {
                try await pool.query(
                    "SELECT pg_sleep(600)", .init(timeout: .milliseconds(50), attention: .seconds(3600)))
            }
            #expect(error?.code == .timeout)
            let task = Task {
                try await pool.query("SELECT pg_sleep(600) /* mark-look */", .init(attention: .seconds(3600)))
            }
            try await expectEventually { try await runs("mark-look", in: pool) }
            task.cancel()
            let cancelled = await #expect(throws: PostgresError.self) { try await task.value }
            #expect(cancelled?.code == .cancelled)
            // What comes after it has looked is slept for.
            let late = try await pool.query("SELECT pg_sleep(0.05), 7", .init(attention: .milliseconds(1)))
            #expect(try late.single().get(1, as: Int.self) == 7)
        }
    }

    @Test func `past its deadline, an uncancellable statement's outcome is unknown`() async throws {
        try await withTemporaryPool(connections: 1) { pool in
            let error = await #expect(throws: PostgresError.self) {
                try await pool.query("SELECT pg_sleep(2)", .init(timeout: .milliseconds(50), isCancellable: false))
            }
            #expect(error?.code == .timeout && error?.outcomeUnknown == true)
            let after = try await pool.query("SELECT 1")
            #expect(after.count == 1)
        }
    }

    @Test func `a backend that is killed during a statement leaves its outcome unknown`() async throws {
        try await withTemporaryPool(connections: 2) { pool in
            // Awaited below.
            let task = Task { try await pool.query("SELECT pg_sleep(600) /* mark-c */") }
            try await expectEventually { try await runs("mark-c", in: pool) }
            try await pool.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE '%mark-c%'"
            )
            let error = await #expect(throws: PostgresError.self) { try await task.value }
            #expect(error?.code == .connectionLost && error?.sqlState == .adminShutdown)
            #expect(error?.outcomeUnknown == true && error?.retryCanHelp == true)
        }
    }

    @Test func `cancels at random moments never hit another statement`() async throws {
        try await withTemporaryPool(connections: 4) { pool in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for worker in 0..<4 {
                    group.addTask {
                        for round in 0..<100 {
                            // Awaited at once.
                            let victim = Task { try await pool.query("SELECT pg_sleep(0.002)") }
                            for _ in 0..<((worker * 37 + round * 11) % 60) { await Task.yield() }
                            victim.cancel()
                            do {
                                _ = try await victim.value
                            } catch let error as PostgresError {
                                #expect(error.code == .cancelled)
                            }
                            #expect(try await pool.query("SELECT \(round)").single().get(0, as: Int.self) == round)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }
}
