import Foundation
import Postgres
import TestKit
import Testing

@Suite struct MigratorTests {
    private func withFolder<Value>(
        _ files: [String: String], _ body: (String) async throws -> Value
    ) async throws -> Value {
        let folder = "/tmp/rbm-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: folder) } }
        for (name, text) in files { try write(text, folder, name) }
        return try await body(folder)
    }

    private func write(_ text: String, _ folder: String, _ name: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
    }

    @Test func `migrations are applied once, in order, by however many migrators`() async throws {
        try await withFolder([
            "0001_one.sql": "CREATE TABLE one (n int); INSERT INTO one VALUES (1);",
            "0002_two.sql": "-- a comment; with semicolon\nALTER TABLE one ADD m int;",
            "README.md": "not a migration",
        ]) { folder in
            try await withTemporaryDatabase { database in
                let migrator = try Migrator(folder: folder)
                #expect(try await migrator.status(database).pending.map(\.number) == [1, 2])
                let counts = try await withThrowingTaskGroup(of: Int.self) { group in
                    for _ in 0..<6 { group.addTask { try await migrator.migrate(database).count } }
                    return try await group.reduce(into: []) { $0.append($1) }.sorted()
                }
                #expect(counts == [0, 0, 0, 0, 0, 2])
                try write("INSERT INTO one VALUES (2)", folder, "0003_three.sql")
                #expect(try await Migrator(folder: folder).migrate(database).map(\.file) == ["0003_three.sql"])
                let status = try await Migrator(folder: folder).status(database)
                #expect(status.applied.map(\.file) == ["0001_one.sql", "0002_two.sql", "0003_three.sql"])
                #expect(status.pending.isEmpty)
                await #expect(throws: MigrationRefusal.databaseIsNewer(database: 3, folder: 2)) {
                    try await migrator.migrate(database)
                }
                try write("CREATE TABLE one (n bigint)", folder, "0001_one.sql")
                let error = await #expect(throws: MigrationRefusal.self) {
                    try await Migrator(folder: folder).migrate(database)
                }
                guard case .changedAfterApplied(let file, _, let before, let now)? = error else {
                    Issue.record("\(String(describing: error))")
                    return
                }
                #expect(file == "0001_one.sql" && before != now && before.count == 64)
            }
        }
    }

    @Test func `a migration that fails leaves nothing of itself, and what came before stays`() async throws {
        try await withFolder([
            "0001_fine.sql": "CREATE TABLE fine (n int)", "0002_bad.sql": "CREATE TABLE half (n int);\nSELEC 1;",
        ]) { folder in
            try await withTemporaryDatabase { database in
                let error = await #expect(throws: PostgresError.self) {
                    try await Migrator(folder: folder).migrate(database)
                }
                #expect(error?.sqlState == .syntaxError && error?.context?.contains("0002_bad.sql") == true)
                #expect(error?.statement == "line 2: SELEC 1;")
                let connection = try await PostgresConnection.connect(database)
                let half = try await connection.query(
                    "SELECT to_regclass('half') IS NULL AND to_regclass('fine') IS NOT NULL")
                #expect(try half.single().get(0, as: Bool.self))
                await connection.close()
                #expect(try await Migrator(folder: folder).status(database).applied.count == 1)
            }
        }
    }

    @Test func `a migration that ends its transaction is refused`() async throws {
        try await withFolder(["0001_a.sql": "CREATE TABLE a (n int); COMMIT; BEGIN; CREATE TABLE b (n int)"]) {
            folder in
            try await withTemporaryDatabase { database in
                await #expect(throws: MigrationRefusal.endsTransaction(file: "0001_a.sql")) {
                    try await Migrator(folder: folder).migrate(database)
                }
                let status = try await Migrator(folder: folder).status(database)
                #expect(status.applied.isEmpty)
            }
        }
    }

    @Test func `a folder that is out of order is refused before anything happens`() async throws {
        let cases: [([String: String], MigrationRefusal)] = [
            (["0001_a.sql": "", "0003_c.sql": ""], .missingNumber(2, before: "0003_c.sql")),
            (["0002_b.sql": ""], .missingNumber(1, before: "0002_b.sql")),
            (["0001_a.sql": "", "0001_b.sql": ""], .repeatedNumber(1, files: ["0001_a.sql", "0001_b.sql"])),
            (["1_a.sql": ""], .badName(file: "1_a.sql")),
            (["0001.sql": ""], .badName(file: "0001.sql")),
            (["0001_a.sql": "\0"], .unreadable(file: "0001_a.sql")),
        ]
        for (files, refusal) in cases {
            try await withFolder(files) { folder in
                _ = #expect(throws: refusal) { try Migrator(folder: folder) }
            }
        }
        #expect(throws: MigrationRefusal.nothingFound(folder: "/no/such")) { try Migrator(folder: "/no/such") }
    }
}
