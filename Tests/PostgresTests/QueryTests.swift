import Foundation
import Postgres
import TestKit
import Testing

@Suite struct QueryTests {
    @Test func `a statement gives its rows`() async throws {
        try await withTemporaryPool { pool in
            let row = try await pool.query("SELECT \(42) + 1 AS answer, \("it's \"$1\"; DROP TABLE x --") AS text")
                .single()
            #expect(try row.get("answer", as: Int.self) == 43)
            #expect(try row.get("text", as: String.self) == "it's \"$1\"; DROP TABLE x --")
        }
    }
}
