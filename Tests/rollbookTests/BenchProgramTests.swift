import Foundation
import Postgres
import TestKit
import Testing

/// `rollbook-bench --quick`, run as people run it, on a server of the tests.
@Suite(.timeLimit(.minutes(10))) struct BenchProgramTests {
    /// What is asked of a line of figures.
    private struct Line: Decodable {
        struct Ratio: Decodable { var median, min, max: Double }

        var scenario: String
        var what: String?
        var callers: Int?
        var rate: Double?
        var against: String?
        var baseline: Double?
        var bytes_per_row: Double?
        var ratio: Ratio?
        var p99_ms: Double?
        var events: Int?
        var peak_mib: Double?
        var greatest_lag_s: [String: Double]?
        var settings: [String: String]
    }

    @Test func `reading is measured against COPY of the same rows, in the same run`() async throws {
        let lines = try await lines("read-all", "rebuild", "verify", "--events", "2000")
        #expect(lines.map(\.scenario) == ["read-all", "rebuild", "rebuild", "verify"])
        #expect(lines.compactMap(\.what) == ["rollout", "audit-entry"])
        for line in lines {
            #expect(line.events == 2000)
            #expect((line.rate ?? 0) > 0 && (line.baseline ?? 0) > 0 && (line.peak_mib ?? 0) > 0)
            let ratio = try #require(line.ratio)
            #expect(ratio.min <= ratio.median && ratio.median <= ratio.max)
            #expect(line.settings["fsync"] != nil && line.settings["synchronous_commit"] != nil)
        }
    }

    @Test func `an import is measured against COPY of the same rows`() async throws {
        let lines = try await lines("import", "--events", "2000")
        #expect(lines.map(\.scenario) == ["import"])
        #expect(lines[0].events == 2000 && (lines[0].ratio?.min ?? 0) > 0)
    }

    @Test func `questions of auditors and about the past are timed`() async throws {
        let lines = try await lines("audit", "as-of", "follow", "--events", "2000")
        let audit = lines.filter { $0.scenario == "audit" }
        for what in ["actor and time", "rollout", "type", "text, a frequent word"] {
            #expect(audit.contains { $0.what == what })
        }
        #expect(
            lines.filter { $0.scenario == "as-of" }.compactMap(\.what) == [
                "of a stream that was asked about before", "each by an instance that was just started",
            ])
        let follow = lines.filter { $0.scenario == "follow" }.compactMap(\.what)
        #expect(follow == ["acknowledged", "projected, audit-entry", "projected, rollout"])
        for line in lines { #expect((line.p99_ms ?? 0) > 0) }
    }

    @Test func `appends are measured against plain inserts, at half of the peak, and without the order`() async throws {
        let lines = try await lines("append", "--callers", "4")
        #expect(lines.allSatisfy { $0.scenario == "append" })
        for against in ["single-row prepared INSERT on as many connections", "COPY of such rows on one connection"] {
            let line = try #require(lines.first { $0.against == against })
            #expect(line.callers == 4 && (line.baseline ?? 0) > 0 && (line.bytes_per_row ?? 0) > 0)
        }
        let half = try #require(lines.first { $0.greatest_lag_s != nil })
        #expect(half.greatest_lag_s?.keys.contains("rollout") == true && (half.ratio?.median ?? 0) > 0)
        let order = try #require(lines.last)
        #expect(order.what == "the price of the global order" && (order.ratio?.median ?? 0) > 0)
    }

    /// Runs it quickly; answers its lines.
    private func lines(_ arguments: String...) async throws -> [Line] {
        try await withTemporaryDatabase { owner in
            let migrations = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().appending(path: "migrations").path
            let folder = FileManager.default.temporaryDirectory.appending(path: "rbb-\(UUID().uuidString.prefix(8))")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: folder) } }
            let (output, errors) = (folder.appending(path: "out"), folder.appending(path: "err"))
            for file in [output, errors] { try Data().write(to: file) }
            let process = Process()
            process.executableURL = RollbookProgram.program.deletingLastPathComponent().appending(
                path: "rollbook-bench")
            process.arguments =
                ["--quick", "--database", try owner.libpqText(), "--migrations", migrations]
                + arguments
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = try FileHandle(forWritingTo: output)
            process.standardError = try FileHandle(forWritingTo: errors)
            let (ends, told) = AsyncStream<Int32>.makeStream()
            process.terminationHandler = { told.yield($0.terminationStatus) }
            try process.run()
            let code = try #require(await ends.first { _ in true })
            let said = try String(contentsOf: errors, encoding: .utf8)
            #expect(code == 0, "\(arguments): \(said)")
            return try String(contentsOf: output, encoding: .utf8).split(separator: "\n").map {
                try JSONDecoder().decode(Line.self, from: Data($0.utf8))
            }
        }
    }
}
