import Postgres
import TestKit
import Testing

@Suite struct PipelineTests {
    @Test func `a pipeline gives each statement's result in order`() async throws {
        try await withTemporaryPool(connections: 1) { pool in
            try await pool.withConnection { connection in
                for _ in 0..<3 {
                    let results = try await connection.pipeline((0..<100).map { "SELECT \($0) AS n" })
                    #expect(try results.map { try $0.single().get("n", as: Int.self) } == Array(0..<100))
                }
            }
        }
    }

    @Test func `all or none: one failure undoes the others`() async throws {
        try await withTemporaryPool(connections: 1) { pool in
            try await pool.query("CREATE TABLE t (n int PRIMARY KEY)")
            try await pool.withConnection { connection in
                let error = await #expect(throws: PostgresError.self) {
                    try await connection.pipeline((0..<5).map { "INSERT INTO t VALUES (\($0 == 3 ? 1 : $0))" })
                }
                #expect(error?.sqlState == .uniqueViolation)
                #expect(try await connection.query("SELECT * FROM t").isEmpty)
                try await connection.pipeline(["INSERT INTO t VALUES (\(1))", "INSERT INTO t VALUES (\(2))"])
                #expect(try await connection.query("SELECT * FROM t").count == 2)
            }
            #expect(pool.load.idle == 1)
        }
    }

    @Test func `each on its own: a failure concerns its statement alone`() async throws {
        try await withTemporaryPool(connections: 1) { pool in
            try await pool.query("CREATE TABLE t (n int PRIMARY KEY)")
            try await pool.withConnection { connection in
                let outcomes = try await connection.pipelineOutcomes(
                    [
                        "INSERT INTO t VALUES (\(1))", "INSERT INTO t VALUES (\(1))", "SELEC",
                        "INSERT INTO t VALUES (\(2))",
                    ], grouping: .each)
                let states = outcomes.map { outcome -> SQLState? in
                    if case .failure(let error) = outcome { error.sqlState } else { nil }
                }
                #expect(states == [nil, .uniqueViolation, .syntaxError, nil])
                #expect(try await connection.query("SELECT * FROM t").count == 2)
            }
        }
    }

    @Test func `a constraint that is checked at commit fails the pipeline`() async throws {
        try await withTemporaryPool(connections: 1) { pool in
            try await pool.query(
                "CREATE TABLE t (n int PRIMARY KEY, up int REFERENCES t DEFERRABLE INITIALLY DEFERRED)")
            try await pool.withConnection { connection in
                let error = await #expect(throws: PostgresError.self) {
                    try await connection.pipeline(["INSERT INTO t VALUES (1, 9)", "SELECT 1"])
                }
                #expect(error?.sqlState == .foreignKeyViolation)
                let outcomes = try await connection.pipelineOutcomes(
                    ["INSERT INTO t VALUES (1, 9)", "INSERT INTO t VALUES (2, 2)"], grouping: .each)
                await expect(.foreignKeyViolation) { _ = try outcomes[0].get() }
                _ = try outcomes[1].get()
            }
            await expect(.foreignKeyViolation) { _ = try await pool.query("INSERT INTO t VALUES (3, 9)") }
        }
    }

    @Test func `large values pass both ways at once without a deadlock`() async throws {
        try await withTemporaryPool(connections: 1) { pool in
            let block = [UInt8](repeating: 7, count: 1 << 20)
            try await pool.withConnection { connection in
                let results = try await connection.pipeline((0..<24).map { "SELECT \(block) AS block, \($0) AS n" })
                for (index, result) in results.enumerated() {
                    #expect(try result.single().get("n", as: Int.self) == index)
                    #expect(try result.single().get("block", as: [UInt8].self).count == block.count)
                }
            }
        }
    }
}
