import Foundation
import Postgres
import TestKit
import Testing

@Suite struct EmbeddedClusterTests {
    private func answer(_ running: EmbeddedCluster.Running, _ sql: SQL) async throws -> String {
        let connection = try await PostgresConnection.connect(running.configuration)
        let text = try await connection.query(sql).single().get(0, as: String.self)
        await connection.close()
        return text
    }

    @Test func `a cluster is made, found again, stopped and started with its data`() async throws {
        try await withTemporaryCluster(settings: .init()) { cluster in
            let first = try await cluster.start()
            #expect(!first.wasRunning)
            #expect(try await answer(first, "SHOW fsync") == "on")
            #expect(try await answer(first, "SHOW TimeZone") == "UTC")
            #expect(try await answer(first, "SHOW listen_addresses") == "")
            #expect(try await answer(first, "SHOW server_encoding") == "UTF8")
            #expect(try await answer(first, "CREATE TABLE kept (n int)") { "" } == "")
            // As another process would after a crash of ours.
            let found = try await EmbeddedCluster(directory: cluster.directory).start()
            #expect(found.wasRunning && found.processID == first.processID)
            try await cluster.stop()
            #expect(try await cluster.runningProcessID() == nil)
            let again = try await cluster.start()
            #expect(!again.wasRunning && again.processID != first.processID)
            #expect(try await answer(again, "SELECT to_regclass('kept')::text") == "kept")
        }
    }

    @Test func `a killed server is started again over its stale files`() async throws {
        try await withTemporaryCluster(settings: .init()) { cluster in
            let first = try await cluster.start()
            #expect(try await answer(first, "CREATE TABLE kept (n int)") { "" } == "")
            try await cluster.stop(mode: .immediate)
            let second = try await cluster.start()
            #expect(try await answer(second, "SELECT to_regclass('kept')::text") == "kept")
            kill(second.processID, SIGKILL)
            try await expectEventually { try await cluster.runningProcessID() == nil }
            let third = try await cluster.start()
            #expect(third.processID != second.processID)
            #expect(try await answer(third, "SELECT to_regclass('kept')::text") == "kept")
        }
    }

    @Test func `run by root, the server belongs to somebody else, and so do its files`() async throws {
        try await withTemporaryCluster { cluster in
            let running = try await cluster.start()
            let owner = try FileManager.default.attributesOfItem(atPath: "/proc/\(running.processID)")[.ownerAccountID]
            let user = try #require(owner as? NSNumber).uint32Value
            #expect(user != 0)
            #expect(geteuid() == 0 ? user != geteuid() : user == geteuid())
            #expect(running.authentication.hasPrefix("trust on a Unix socket in a directory of mode 0700"))
        }
    }

    @Test
    func `a directory that the server's user cannot enter, or a path that is too long, has a fallback that is told`()
        async throws
    {
        let closed = "/tmp/rbc-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: closed, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        let long = "/tmp/rbl-\(UUID().uuidString.prefix(8))/" + String(repeating: "long/", count: 20)
        for directory in geteuid() == 0 ? ["\(closed)/data", long] : [long] {
            let cluster = EmbeddedCluster(directory: directory, settings: .init(isDurable: false))
            let running = try await cluster.start()
            #expect(running.note != nil)
            #expect(try await answer(running, "SELECT 'here'") == "here")
            let data = try await answer(running, "SHOW data_directory")
            try await cluster.stop(mode: .immediate)
            let socket = try await Self.socket(of: running)
            for leftover in [socket]
                + (data.hasPrefix("/var/lib/rollbook-") ? [(data as NSString).deletingLastPathComponent] : [])
            {
                try FileManager.default.removeItem(atPath: leftover)
            }
        }
        for directory in [closed, "/tmp/" + long.split(separator: "/")[1]]
        where FileManager.default.fileExists(atPath: directory) {
            try FileManager.default.removeItem(atPath: directory)
        }
    }

    private static func socket(of running: EmbeddedCluster.Running) async throws -> String {
        let text = running.configuration.connectionString
        return String(try #require(text.split(separator: "'").dropFirst().first))
    }

    @Test func `on loopback, only the generated password opens the door`() async throws {
        let port = Int.random(in: 20_000..<30_000)
        try await withTemporaryCluster(settings: .init(loopbackPort: port, isDurable: false)) { cluster in
            _ = try await cluster.start()
            let door = PostgresConfiguration("host=127.0.0.1 port=\(port) user=postgres dbname=postgres")
            let error = await #expect(throws: PostgresError.self) { try await PostgresConnection.connect(door) }
            #expect(error?.code == .connectionFailed && error?.message.contains("password") == true)
            let file = "\(cluster.directory)/postgres/password"
            let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? NSNumber
            #expect(mode?.intValue == 0o600)
            var open = door
            open.overrides["password"] = try String(contentsOfFile: file, encoding: .utf8)
            let connection = try await PostgresConnection.connect(open)
            #expect(try await connection.query("SELECT 1").count == 1)
            await connection.close()
        }
    }
}

extension EmbeddedClusterTests {
    /// Runs a statement without rows and gives what `body` gives.
    private func answer(
        _ running: EmbeddedCluster.Running, _ sql: SQL, _ body: () -> String
    ) async throws -> String {
        let connection = try await PostgresConnection.connect(running.configuration)
        try await connection.query(sql)
        await connection.close()
        return body()
    }
}
