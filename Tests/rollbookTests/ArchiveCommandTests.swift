import ArgumentParser
import EventSourcing
import Foundation
import Ledger
import Postgres
import TestKit
import Testing

@testable import rollbook

/// The verbs that move events between ledgers and files, and the one that forgets a person, as they are called.
@Suite(.timeLimit(.minutes(5))) struct ArchiveCommandTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("archive-\(UUID().uuidString)")
        .path
    private static let migrations = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("migrations").path

    /// The exit code of a call; 0 if it ends well.
    private func code(_ arguments: String..., database: PostgresConfiguration? = nil) async throws -> Int32 {
        do {
            let place = try database.map { ["--database", try $0.libpqText(), "--migrations", Self.migrations] } ?? []
            var command = try Rollbook.parseAsRoot(arguments + place)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            return 0
        } catch let code as ExitCode {
            return code.rawValue
        } catch {
            return Rollbook.exitCode(for: error).rawValue
        }
    }

    @Test func `events go out of one ledger and into another, and the exit codes say what came of it`() async throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: folder) } }
        let file = folder + "/events.jsonl"
        let subject = SampleEvents.event().actor.subject
        try await withTemporaryDatabase { source in
            #expect(try await code("migrate", database: source) == 0)
            try await withStore(source) { store in
                _ = try await store.append(SampleEvents.append(5, to: "rollout-a"))
                _ = try await store.append(SampleEvents.append(2, to: "inbox-a"))
            }
            #expect(try await code("export", "--out", file, database: source) == 0)
            #expect(try await code("export", "--out", file, database: source) == Exit.badInput, "it is there already")
            #expect(try await code("import", file, database: source) == 0)

            #expect(try await code("subject", "describe", subject, "name=Maria", database: source) == 0)
            #expect(try await code("subject", "describe", subject, "Maria", database: source) == Exit.badInput)
            #expect(try await code("subject", "show", subject, database: source) == 0)
            #expect(try await code("erase", subject, "--reason", "asked for it", database: source) == 0)
            #expect(try await code("subject", "show", subject, database: source) == Exit.unknown)
            #expect(try await code("subject", "describe", subject, "name=Maria", database: source) == Exit.badInput)
            #expect(try await code("erase", subject, "--reason", "", database: source) == Exit.badInput)

            #expect(try await code("archive", "--before", "4", "--out", folder, database: source) == 0)
            #expect(try await code("archive", "--bring-back", file, database: source) == Exit.refused)
            #expect(try await code("verify", "--archive", folder, database: source) == 0)
            try await withStore(source) { store in
                let log = try await store.everything()
                #expect(log.map(\.event.type).suffix(1) == ["ledger.subject-erased.v1"])
                #expect(log.count == 8)
            }
        }
        let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 7)
        try await withTemporaryDatabase { target in
            let bad = folder + "/bad.jsonl"
            try Data((lines[0] + "\n{}\n").utf8).write(to: URL(fileURLWithPath: bad))
            #expect(try await code("import", bad, database: target) == Exit.badInput)
            #expect(try await code("import", folder + "/none", database: target) == Exit.badInput)
            #expect(try await code("import", "--as-recorded", file, database: target) == 0)
            #expect(try await code("import", file, "--output", "json", database: target) == 0)
            try await withStore(target) { store in
                let head = try await store.head()
                #expect(head.value == 7)
            }
        }
    }

    @Test func `a call that cannot be meant is wrong usage`() async throws {
        for arguments in [
            ["archive"], ["archive", "--before", "yesterday"], ["archive", "--before", "1", "--bring-back", "x"],
            ["archive", "--bring-back", "x", "--drop"], ["export", "--after", "-1"], ["import"], ["erase", "maria"],
        ] {
            #expect(throws: (any Error).self) { try Rollbook.parseAsRoot(arguments) }
        }
    }

    private func withStore(
        _ configuration: PostgresConfiguration, _ body: (PostgresEventStore) async throws -> Void
    ) async throws {
        let pool = PostgresPool(configuration.asLedgerService)
        do {
            try await body(PostgresEventStore(pool: pool))
            await pool.close()
        } catch {
            await pool.close()
            throw error
        }
    }
}
