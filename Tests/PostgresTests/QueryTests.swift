import Foundation
import Postgres
import TestKit
import Testing

@Suite struct QueryTests {
    private func roundTrip<Value: PostgresScalar & Equatable>(_ values: [Value], on pool: PostgresPool) async throws {
        for value in values {
            let row = try await pool.query("SELECT \(value) AS value, \(Value?.none) AS nothing").single()
            #expect(try row.get("value", as: Value.self) == value)
            #expect(try row.get("nothing", as: Value?.self) == nil)
        }
        let row = try await pool.query("SELECT \(values) AS list, \([Value]()) AS empty").single()
        #expect(try row.get("list", as: [Value].self) == values)
        #expect(try row.get("empty", as: [Value].self) == [])
        let holed: [Value?] = [nil] + values + [nil]
        let again = try await pool.query("SELECT \(holed) AS list").single()
        #expect(try again.get("list", as: [Value?].self) == holed)
    }

    @Test func `every kind of value comes back as it was bound`() async throws {
        try await withTemporaryPool { pool in
            try await roundTrip([true, false], on: pool)
            try await roundTrip([0, 1, -1, Int.max, Int.min], on: pool)
            try await roundTrip([Int64.max, .min], on: pool)
            try await roundTrip([Int32.max, .min, 0], on: pool)
            try await roundTrip([Int16.max, .min, 0], on: pool)
            try await roundTrip(
                [0.1, -0.0, .infinity, -.infinity, .greatestFiniteMagnitude, .leastNonzeroMagnitude], on: pool)
            try await roundTrip([UUID(), UUID()], on: pool)
            try await roundTrip([Data(), Data([0, 1, 255]), Data((0...255).map { UInt8($0) })], on: pool)
            try await roundTrip(
                [PostgresInstant(microsecondsSinceEpoch: 1_764_000_000_123_456), .init(microsecondsSinceEpoch: -1)],
                on: pool)
            let nan = try await pool.query("SELECT \(Double.nan) AS value").single()
            #expect(try nan.get("value", as: Double.self).isNaN)
            let bytes = try await pool.query(
                "SELECT \([UInt8]([0, 39, 92, 255])) AS one, \([[1], [], [0, 0]] as [[UInt8]]) AS many"
            )
            .single()
            #expect(try bytes.get("one", as: [UInt8].self) == [0, 39, 92, 255])
            #expect(try bytes.get("many", as: [[UInt8]].self) == [[1], [], [0, 0]])
        }
    }

    @Test func `hostile strings are data, not SQL`() async throws {
        let hostile = [
            "", "'", "''; DROP TABLE victim; --", "\\", "\\x00", "$1", "$$", "\"", "{a,b}", "NULL", "null", "%s%n",
            "\u{1}\u{7f}\u{85}", "é\u{301}👩‍👩‍👧‍👦", "line\nline\r\n\ttab", String(repeating: "x", count: 1 << 20),
        ]
        try await withTemporaryPool { pool in
            try await pool.query("CREATE TABLE victim (text text)")
            try await roundTrip(hostile, on: pool)
            for text in hostile { try await pool.query("INSERT INTO victim VALUES (\(text))") }
            let back = try await pool.query("SELECT text FROM victim").map { try $0.get("text", as: String.self) }
            #expect(Set(back) == Set(hostile))
            for name in hostile where !name.isEmpty && name.utf8.count < 60 {
                let row = try await pool.query("SELECT 1 AS \(identifier: name)").single()
                #expect(row.columns.map(\.name) == [name])
            }
        }
    }

    @Test func `U+0000 in text is refused before it is sent, and says which parameter`() async throws {
        try await withTemporaryPool { pool in
            for statement: SQL in [
                "SELECT \(1), \("a\0b")", "SELECT \(1), \(["a\0b"])", "SELECT \(1), \(PostgresJSON("\0"))",
            ] {
                let error = await #expect(throws: PostgresError.self) { try await pool.query(statement) }
                #expect(error?.code == .invalidParameter)
                #expect(error?.message.hasPrefix("parameter $2 contains U+0000") == true)
            }
        }
    }

    @Test func `strings are bound as the server's own literals are`() async throws {
        try await withTemporaryPool { pool in
            try await pool.query("CREATE TYPE colour AS ENUM ('red', 'green')")
            try await pool.query(
                "CREATE TABLE thing (id uuid, doc jsonb, colour colour, at timestamptz, amount numeric)")
            let id = UUID()
            try await pool.query(
                """
                INSERT INTO thing
                VALUES (\(id.uuidString), \(#"{"a": [1]}"#), \("green"), \("2026-01-02 03:04:05.678901Z"), \("-1200.0340"))
                """)
            let row = try await pool.query("SELECT * FROM thing WHERE colour = \("green")").single()
            #expect(try row.get("id", as: UUID.self) == id)
            #expect(try row.get("id", as: String.self) == id.uuidString.lowercased())
            #expect(try row.get("doc", as: String.self) == #"{"a": [1]}"#)
            #expect(try row.get("colour", as: String.self) == "green")
            #expect(try row.get("at", as: PostgresInstant.self).microsecondsSinceEpoch == 1_767_323_045_678_901)
            #expect(try row.get("amount", as: String.self) == "-1200.0340")
            #expect(try row.get("amount", as: Double.self) == -1200.034)
            let json = try await pool.query("SELECT \(PostgresJSON(#"{"b":2}"#)) ->> 'b' AS b").single()
            #expect(try json.get("b", as: String.self) == "2")
        }
    }

    @Test(arguments: [
        "0", "1", "-1", "10000", "99999999", "0.0001", "0.00001", "-0.5", "12345678901234567890.123456789", "1e20",
        "1000000",
        "NaN", "5.000", "0.10", "100000000.00000001",
    ])
    func `numeric is read digit for digit`(_ text: String) async throws {
        try await withTemporaryPool(connections: 1) { pool in
            let row = try await pool.query("SELECT \(text)::numeric AS value, \(text)::numeric::text AS text").single()
            #expect(try row.get("value", as: String.self) == row.get("text", as: String.self))
        }
    }

    @Test func `reading what is not there names column, type and value`() async throws {
        try await withTemporaryPool { pool in
            let row = try await pool.query("SELECT 70000 AS big, 'abc' AS word, NULL::int AS nothing, 1.5 AS part")
                .single()
            func message<Value: PostgresDecodable>(_ name: String, _ type: Value.Type) -> String {
                do {
                    _ = try row.get(name, as: type)
                    return "no error"
                } catch let error as PostgresError {
                    #expect(error.code == .decoding && error.column == name)
                    return error.message
                } catch {
                    return "\(error)"
                }
            }
            #expect(
                message("big", Int16.self)
                    == "column \"big\" of type integer with value 70000 cannot be read as Int16: 70000 does not fit")
            #expect(
                message("word", Int.self) == "column \"word\" of type text with value \"abc\" cannot be read as Int")
            #expect(
                message("nothing", Int.self)
                    == "column \"nothing\" of type integer with value NULL cannot be read as Int: the value is NULL")
            #expect(message("part", Int.self).hasSuffix("cannot be read as Int: 1.5 does not fit"))
            #expect(message("gone", Int.self) == "the result has no column \"gone\"; it has: big, word, nothing, part")
        }
    }

    @Test func `fragments keep their values in order`() {
        let filter: SQL = "name = \("n") AND size > \(3)"
        let (text, values) = ("SELECT \(1) FROM t WHERE \(filter) LIMIT \(9)" as SQL).rendered
        #expect(text == "SELECT $1 FROM t WHERE name = $2 AND size > $3 LIMIT $4")
        #expect(values == [1.postgresValue, "n".postgresValue, 3.postgresValue, 9.postgresValue])
    }

    @Test func `an error carries what the server knows`() async throws {
        try await withTemporaryPool { pool in
            try await pool.query(
                "CREATE TABLE account (id int PRIMARY KEY, balance int CONSTRAINT positive CHECK (balance >= 0))")
            try await pool.query("INSERT INTO account VALUES (1, 1)")
            let taken = await #expect(throws: PostgresError.self) {
                try await pool.query("INSERT INTO account VALUES (\(1), \(5))")
            }
            #expect(taken?.code == .server && taken?.sqlState == .uniqueViolation)
            #expect(taken?.table == "account" && taken?.constraint == "account_pkey")
            #expect(taken?.detail == "Key (id)=(1) already exists.")
            #expect(taken?.statement == "INSERT INTO account VALUES ($1, $2)")
            #expect(taken?.retryCanHelp == false && taken?.outcomeUnknown == false)
            let negative = await #expect(throws: PostgresError.self) {
                try await pool.query("UPDATE account SET balance = -1")
            }
            #expect(negative?.sqlState == .checkViolation && negative?.constraint == "positive")
            let typo = await #expect(throws: PostgresError.self) { try await pool.query("SELEC 1") }
            #expect(typo?.sqlState == .syntaxError && typo?.position == 1)
            do {
                try await pool.query("SELECT * FROM missing")
                Issue.record("no error")
            } catch SQLState.undefinedTable {
                // Matched by state alone.
            }
        }
    }

    @Test func `notices and warnings come with the result`() async throws {
        try await withTemporaryPool { pool in
            try await pool.withConnection { connection in
                let result = try await connection.query(
                    "DO $$ BEGIN RAISE WARNING 'careful %', 1 USING HINT = 'look'; RAISE NOTICE 'hm'; END $$")
                #expect(result.notices.map(\.message) == ["careful 1", "hm"])
                #expect(result.warnings.map(\.hint) == ["look"])
                #expect(try await connection.query("SELECT 1").notices.isEmpty)
            }
        }
    }

    @Test func `repeated statements are prepared, outlive schema changes, and are few`() async throws {
        try await withTemporaryDatabase { configuration in
            var configuration = configuration
            configuration.preparedStatementLimit = 3
            let connection = try await PostgresConnection.connect(configuration)
            try await connection.query("CREATE TABLE shape (a int)")
            try await connection.query("INSERT INTO shape VALUES (1)")
            for _ in 0..<3 { #expect(try await connection.query("SELECT * FROM shape").columns.count == 1) }
            try await connection.query("ALTER TABLE shape ADD b int")
            for _ in 0..<3 { #expect(try await connection.query("SELECT * FROM shape").columns.count == 2) }
            for number in 0..<10 {
                for _ in 0..<2 { try await connection.query("SELECT \(unsafeRaw: "\(number)") + \(number)") }
            }
            let count = try await connection.query(
                "SELECT count(*) FROM pg_prepared_statements", StatementOptions(isPrepared: false))
            #expect(try count.single().get(0, as: Int.self) <= 3)
            try await connection.script("DISCARD ALL")
            for _ in 0..<3 { #expect(try await connection.query("SELECT * FROM shape").count == 1) }
            for number in 7..<10 { try await connection.query("SELECT \(unsafeRaw: "\(number)") + \(number)") }
            await connection.close()
        }
    }

    @Test func `the connection string is checked by libpq and shows no secret`() throws {
        let error = #expect(throws: PostgresError.self) { try PostgresConfiguration("hots=localhost").validate() }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message.contains("hots") == true)
        #expect(throws: PostgresError.self) { try PostgresConfiguration("postgresql://[::1/db").validate() }
        let valid = PostgresConfiguration(
            "postgresql://u:sesame@a:1,b:2/db?target_session_attrs=read-write&sslmode=verify-full")
        try valid.validate()
        #expect(valid.description.contains("password=<redacted>") && !valid.description.contains("sesame"))
        #expect(throws: PostgresError.self) { try valid.database("x").with("nope", "1").validate() }
    }

    @Test func `a server that is not there is a clear failure, tried host by host`() async throws {
        try await withTemporaryDatabase { configuration in
            let nowhere = PostgresConfiguration("host=/tmp/no-such-directory dbname=x")
            let error = await #expect(throws: PostgresError.self) { try await PostgresConnection.connect(nowhere) }
            #expect(error?.code == .connectionFailed && error?.retryCanHelp == true)
            let socket = try #require(
                configuration.connectionString.split(separator: " ").first?.dropFirst(6).dropLast())
            let several = PostgresConfiguration(
                "host=/tmp/no-such-directory,\(socket) port=1,5432 user=postgres dbname=postgres")
            let connection = try await PostgresConnection.connect(several)
            #expect(try await connection.query("SELECT 1").count == 1)
            await connection.close()
            let closed = await #expect(throws: PostgresError.self) { try await connection.query("SELECT 1") }
            #expect(closed?.code == .connectionLost && closed?.outcomeUnknown == false)
        }
    }
}

extension PostgresConfiguration {
    fileprivate func with(_ key: String, _ value: String) -> PostgresConfiguration {
        var copy = self
        copy.overrides[key] = value
        return copy
    }
}
