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
        try await call(arguments, database: database)
    }

    private func call(_ arguments: [String], database: PostgresConfiguration?) async throws -> Int32 {
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
            #expect(try mode(file) == 0o600)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["events.jsonl"])
            // What a killed export left is in nobody's way; one that is at work is left alone.
            let draft = folder + "/again.jsonl.part"
            try Data("{".utf8).write(to: URL(fileURLWithPath: draft))
            #expect(try await code("export", "--out", folder + "/again.jsonl", database: source) == 0)
            #expect(FileManager.default.contentsEqual(atPath: file, andPath: folder + "/again.jsonl"))
            let atWork = try NewFile(folder + "/other.jsonl")
            #expect(try await code("export", "--out", folder + "/other.jsonl", database: source) == Exit.badInput)
            atWork.discard()
            #expect(try await code("export", "--out", folder + "/none/x", database: source) == Exit.badInput)
            try FileManager.default.removeItem(atPath: folder + "/again.jsonl")

            #expect(try await code("subject", "describe", subject, "name=Maria", database: source) == 0)
            #expect(try await code("subject", "describe", subject, "Maria", database: source) == Exit.badInput)
            #expect(try await code("subject", "show", subject, database: source) == 0)
            #expect(try await code("erase", subject, "--reason", "asked for it", database: source) == 0)
            #expect(try await code("subject", "show", subject, database: source) == Exit.unknown)
            #expect(try await code("subject", "describe", subject, "name=Maria", database: source) == Exit.badInput)
            #expect(try await code("erase", subject, "--reason", "", database: source) == Exit.badInput)
            #expect(try await code("erase", "mria", "--reason", "asked for it", database: source) == Exit.unknown)
            #expect(try await code("subject", "describe", "mria", "name=M", database: source) == 0, "was not erased")
            #expect(
                try await code("begin-epoch", "--after", "3", "--reason", "a test", database: source) == Exit.badInput)

            #expect(try await code("archive", "--before", "4", "--out", folder, database: source) == 0)
            #expect(try await code("archive", "--bring-back", file, database: source) == Exit.refused)
            // A log that lacks an event is not exported by half.
            try await withHole(at: 3, source) {
                let status = try await code("export", "--out", folder + "/half", database: source)
                #expect(status == Exit.refused)
            }
            let left = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(!left.contains { $0.hasPrefix("half") })
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
            #expect(try await code("import", file, database: target) == Exit.refused, "it has no schema")
            #expect(try await code("migrate", database: target) == 0)
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

    @Test func `whoever is granted the service's role serves, reads and appends, and changes no schema`() async throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: folder) } }
        let file = folder + "/events.jsonl"
        let login = "login_\(UUID().uuidString.lowercased().prefix(8))"
        try await withTemporaryDatabase { owner in
            let superuser = try await PostgresConnection.connect(owner)
            try await superuser.script("CREATE ROLE \(login) LOGIN")
            var service = owner
            service.overrides["user"] = login
            for verb in [
                ["export"], ["import", file], ["subject", "show", "maria"], ["verify"], ["prove", "1"], ["rebuild"],
                ["archive", "--before", "1"], ["erase", "maria", "--reason", "x"],
            ] {
                #expect(try await call(verb, database: service) == Exit.refused, "\(verb): there is no schema yet")
            }
            for verb in [["verify"], ["prove", "1"], ["export"]] {
                #expect(try await call(verb, database: owner) == Exit.refused, "there is no ledger yet: \(verb)")
            }
            #expect(try await code("migrate", database: service) == Exit.refused, "it may not")
            #expect(
                try await superuser.query("SELECT to_regclass('public.schema_migration') IS NULL").single().get(
                    0, as: Bool.self))
            #expect(try await code("migrate", database: owner) == 0)
            try await superuser.script("GRANT rollbook_service TO \(login)")
            #expect(try await code("migrate", database: service) == 0, "nothing is pending")
            try await withStore(service) { store in
                _ = try await store.append(SampleEvents.append(5, to: "rollout-a"))
            }
            #expect(try await code("export", "--out", file, database: service) == 0)
            #expect(try await code("import", file, database: service) == 0)
            #expect(try await code("subject", "show", "maria", database: service) == Exit.unknown)
            #expect(try await code("verify", database: service) == 0)
            #expect(try await code("prove", "1", database: service) == Exit.unknown)
            #expect(try await code("rebuild", "--check", database: service) == 0)
            // As a program that is newer than the schema finds it.
            try await superuser.script("DELETE FROM public.schema_migration WHERE number = 5")
            for verb in [["export", "--out", file + "2"], ["rebuild"]] {
                #expect(try await call(verb, database: owner) == Exit.refused, "\(verb)")
            }
            #expect(try await code("verify", database: owner) == 0, "it only looks")
            try await superuser.script("DROP OWNED BY \(login); DROP ROLE \(login)")
            await superuser.close()
        }
    }

    @Test func `who does not find the ledger is told so by the exit code`() async throws {
        let nowhere = PostgresConfiguration("host=/nonexistent dbname=x")
        for verb in [
            ["export"], ["import", "x"], ["erase", "maria", "--reason", "x"], ["rebuild", "--check"], ["migrate"],
            ["prove", "1"], ["verify"],
        ] {
            #expect(try await call(verb, database: nowhere) == Exit.unreachable, "\(verb)")
        }
    }

    @Test func `a call that cannot be meant is wrong usage`() async throws {
        for arguments in [
            ["archive"], ["archive", "--before", "yesterday"], ["archive", "--before", "1", "--bring-back", "x"],
            ["archive", "--bring-back", "x", "--drop"], ["export", "--after", "-1"],
            ["export", "--after", "10", "--through", "5"], ["export", "--after", "10", "--through", "10"], ["import"],
            ["erase", "maria"],
        ] {
            #expect(throws: (any Error).self) { try Rollbook.parseAsRoot(arguments) }
        }
    }

    private func mode(_ file: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
    }

    /// Takes an event out of the log for `body`.
    private func withHole(
        at position: Int, _ owner: PostgresConfiguration, _ body: () async throws -> Void
    ) async throws {
        let superuser = try await PostgresConnection.connect(owner)
        try await superuser.script(
            """
            SET session_replication_role = replica;
            CREATE TABLE taken AS SELECT * FROM ledger.event WHERE position = \(position);
            DELETE FROM ledger.event WHERE position = \(position)
            """)
        try await body()
        try await superuser.script("INSERT INTO ledger.event SELECT * FROM taken; DROP TABLE taken")
        await superuser.close()
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
