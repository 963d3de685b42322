import Foundation
import FoundationNetworking
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
        port = try freePort()
        process.executableURL = Self.program
        process.arguments = ["serve", "--port", "\(port)", "--version", version]
        try process.run()
    }

    /// Returns once it answers; fails after ten seconds.
    func ready() async throws {
        let deadline = ContinuousClock.now + .seconds(10)
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

/// A port of loopback that nobody listens on.
func freePort() throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutableBytes(of: &address) { bytes in
        let pointer = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self)
        return bind(descriptor, pointer, size) == 0 ? getsockname(descriptor, pointer, &size) : -1
    }
    try #require(bound == 0)
    return Int(UInt16(bigEndian: address.sin_port))
}
