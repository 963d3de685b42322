import Postgres
import TestKit
import Testing

private struct Spoilt: Error {}

@Suite struct CopyTests {
    @Test func `a hundred thousand rows go in and come out, as text`() async throws {
        try await withTemporaryPool(connections: 1) { pool in
            try await pool.query("CREATE TABLE t (n int, word text)")
            try await pool.withConnection { connection in
                // Chunks that end in the middle of rows.
                let all = (1...100_000).map { "\($0)\tword \($0)\n" }.joined().utf8.map { $0 }
                let chunks = AsyncStream<ArraySlice<UInt8>> { stream in
                    for start in stride(from: 0, to: all.count, by: 10_007) {
                        stream.yield(all[start..<min(start + 10_007, all.count)])
                    }
                    stream.finish()
                }
                let result = try await connection.copyIn("COPY t FROM STDIN", from: chunks)
                #expect(result.affectedRows == 100_000)
                let (bytes, count) = try await connection.copyOut("COPY (SELECT * FROM t ORDER BY n) TO STDOUT") {
                    chunks in
                    var bytes: [UInt8] = []
                    var count = 0
                    for try await chunk in chunks {
                        #expect(chunk.last == UInt8(ascii: "\n"))
                        bytes += chunk
                        count += 1
                    }
                    return (bytes, count)
                }
                #expect(bytes == all)
                #expect(count > 10)
            }
            #expect(pool.load.idle == 1)
        }
    }

    @Test func `the binary format copies a table onto another, backwards pressure and all`() async throws {
        try await withTemporaryPool(connections: 2) { pool in
            try await pool.query(
                "CREATE TABLE a AS SELECT n, md5(n::text)::bytea AS b FROM generate_series(1, 100000) n")
            try await pool.query("CREATE TABLE c (LIKE a)")
            try await pool.withConnection { source in
                try await source.copyOut("COPY a TO STDOUT (FORMAT binary)") { chunks in
                    try await pool.withConnection { target in
                        let result = try await target.copyIn("COPY c FROM STDIN (FORMAT binary)", from: chunks)
                        #expect(result.affectedRows == 100_000)
                    }
                }
            }
            let differing = try await pool.query("(TABLE a EXCEPT TABLE c) UNION ALL (TABLE c EXCEPT TABLE a)")
            #expect(differing.isEmpty)
        }
    }

    @Test func `a copy that fails leaves nothing, and the connection goes on`() async throws {
        try await withTemporaryPool(connections: 1) { pool in
            try await pool.query("CREATE TABLE t (n int)")
            try await pool.withConnection { connection in
                let bad = await #expect(throws: PostgresError.self) {
                    try await connection.copyIn("COPY t FROM STDIN", bytes: Array("1\nx\n".utf8))
                }
                #expect(bad?.sqlState == .invalidTextRepresentation && bad?.context?.contains("line 2") == true)
                let spoilt = AsyncThrowingStream<[UInt8], any Error> { stream in
                    stream.yield(Array("1\n".utf8))
                    stream.finish(throwing: Spoilt())
                }
                await #expect(throws: Spoilt.self) { try await connection.copyIn("COPY t FROM STDIN", from: spoilt) }
                for wrong: SQL in [
                    "COPY t TO STDOUT", "SELECT 1", "COPY missing FROM STDIN", "COPY t FROM STDIN WHERE n = \(1)",
                ] {
                    let other = try await PostgresConnection.connect(pool.configuration)
                    await #expect(throws: PostgresError.self) { try await other.copyIn(wrong, bytes: []) }
                    await other.close()
                }
                await #expect(throws: PostgresError.self) {
                    try await connection.copyOut("COPY missing TO STDOUT") { _ in }
                }
                #expect(try await connection.query("SELECT * FROM t").isEmpty)
            }
            let plain = await #expect(throws: PostgresError.self) { try await pool.query("COPY t TO STDOUT") }
            #expect(plain?.code == .invalidUse)
            #expect(try await pool.query("SELECT 1").count == 1)
        }
    }

    @Test func `leaving a copy early gives the connection back whole`() async throws {
        try await withTemporaryPool(connections: 1) { pool in
            try await pool.withConnection { connection in
                let process = connection.backendProcessID
                for leaving in [true, false] {
                    let outcome = await Result {
                        try await connection.copyOut("COPY (SELECT generate_series(1, 10000000)) TO STDOUT") { chunks in
                            for try await chunk in chunks {
                                let busy = await #expect(throws: PostgresError.self) {
                                    try await connection.query("SELECT 1")
                                }
                                #expect(busy?.code == .invalidUse)
                                if leaving { throw Spoilt() }
                                return chunk.count
                            }
                            return 0
                        }
                    }
                    if case .failure(let error) = outcome { #expect(error is Spoilt) }
                    if case .success(let size) = outcome { #expect(size > 1000 && !leaving) }
                    let same = try await connection.query("SELECT pg_backend_pid()").single()
                    #expect(try same.get(0, as: Int32.self) == process)
                }
            }
        }
    }

    @Test func `cancelling the task cancels the copy`() async throws {
        try await withTemporaryPool(connections: 1) { pool in
            try await pool.query("CREATE TABLE t (n int)")
            let (started, start) = AsyncStream<Void>.makeStream()
            // Awaited below.
            let task = Task {
                try await pool.withConnection { connection in
                    let endless = AsyncStream<[UInt8]> {
                        start.yield()
                        return Array("1\n".utf8)
                    }
                    try await connection.copyIn("COPY t FROM STDIN", from: endless)
                }
            }
            for await _ in started { break }
            task.cancel()
            let error = await #expect(throws: PostgresError.self) { try await task.value }
            #expect(error?.code == .cancelled)
            #expect(try await pool.query("SELECT * FROM t").isEmpty)
        }
    }
}

extension Result where Failure == any Error {
    fileprivate init(_ body: () async throws -> Success) async {
        do {
            self = .success(try await body())
        } catch {
            self = .failure(error)
        }
    }
}
