import Foundation
import FoundationNetworking
import TestKit
import Testing

@testable import payments_api

/// A `payments-api serve` of the test's own.
struct RunningService {
    /// The program that was built beside the tests.
    static var program: URL {
        URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().appending(
            path: "payments-api")
    }

    let process = Process()
    let port: Int

    init(version: String) throws {
        port = try LoopbackPort.free()
        process.executableURL = Self.program
        process.arguments = ["serve", "--port", "\(port)", "--version", version]
        try process.run()
    }

    /// Returns once it answers; fails after ten seconds.
    func ready() async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            if let answer = try? await get("healthz"), answer == "ok\n" { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("payments-api did not become ready on port \(port)")
    }

    func get(_ path: String) async throws -> String {
        let url = try #require(URL(string: "http://127.0.0.1:\(port)/\(path)"))
        return String(decoding: try await URLSession.shared.data(from: url).0, as: UTF8.self)
    }

    /// Runs the generator against it to its end.
    func load(_ arguments: [String]) throws -> LoadReport {
        let output = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString + ".json")
        defer { try? FileManager.default.removeItem(at: output) }
        let generator = Process()
        generator.executableURL = Self.program
        generator.arguments = ["load", "--url", "http://127.0.0.1:\(port)/", "--output", output.path()] + arguments
        try generator.run()
        generator.waitUntilExit()
        return try JSONDecoder().decode(LoadReport.self, from: Data(contentsOf: output))
    }

    /// Ends it with SIGTERM and returns its exit code.
    func stop() -> Int32 {
        process.terminate()
        process.waitUntilExit()
        return process.terminationStatus
    }

    func kill() {
        if process.isRunning { _ = stop() }
    }
}
