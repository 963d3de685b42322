import Foundation
import Glibc
import Logging
import TestKit
import Testing

@testable import LocalPlatform
@testable import payments_api

/// Real parts of a test's own, all on loopback and below a temporary directory.
struct LocalParts {
    let directory: URL

    init() throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "rollbook-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    func remove() throws { try FileManager.default.removeItem(at: directory) }

    /// The program that was built beside the tests.
    static var paymentsAPI: String {
        URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().appending(
            path: "payments-api"
        ).path()
    }

    static var logger: Logger {
        var logger = Logger(label: "test")
        logger.logLevel = .warning
        return logger
    }

    /// Starts a payments-api that answers already.
    func service(_ version: String) async throws -> Service {
        let service = Service(process: Process(), port: try LoopbackPort.free(), version: version)
        service.process.executableURL = URL(filePath: Self.paymentsAPI)
        service.process.arguments = ["serve", "--port", "\(service.port)", "--version", version]
        service.process.standardError = FileHandle.nullDevice
        try service.process.run()
        try await eventually("payments-api \(version) answers") {
            Self.status("127.0.0.1", service.port, "/healthz") == 200
        }
        return service
    }

    struct Service {
        let process: Process
        let port: Int
        let version: String
        var address: String { "127.0.0.1:\(port)" }

        func stop() {
            guard process.isRunning else { return }
            process.terminate()
            process.waitUntilExit()
        }
    }

    /// A generator that runs beside the test.
    struct Load {
        let process: Process
        let output: URL
        let log: URL

        /// Ends it and reads its account.
        func finish() throws -> (LoadReport, [RequestRecord]) {
            process.interrupt()
            process.waitUntilExit()
            let report = try JSONDecoder().decode(LoadReport.self, from: Data(contentsOf: output))
            let records = try Data(contentsOf: log).split(separator: 10).map {
                try JSONDecoder().decode(RequestRecord.self, from: $0)
            }
            return (report, records)
        }
    }

    func load(port: Int, rate: Int, keepAlive: Bool) async throws -> Load {
        let name = UUID().uuidString
        let load = Load(
            process: Process(), output: directory.appending(path: "\(name).json"),
            log: directory.appending(path: "\(name).ndjson"))
        load.process.executableURL = URL(filePath: Self.paymentsAPI)
        load.process.arguments =
            [
                "load", "--url", "http://127.0.0.1:\(port)/", "--host", "payments.example.com", "--rate", "\(rate)",
                "--timeout", "30s", "--output", load.output.path(), "--log", load.log.path(),
            ] + (keepAlive ? ["--keep-alive"] : [])
        load.process.standardOutput = FileHandle.nullDevice
        try load.process.run()
        try await eventually("the generator runs") { FileManager.default.fileExists(atPath: load.output.path()) }
        return load
    }

    /// The status of a GET; `nil` if there was no answer.
    static func status(_ host: String, _ port: Int, _ path: String, body: UnsafeMutablePointer<String>? = nil) -> Int? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let connected = withUnsafeBytes(of: &address) {
            connect(descriptor, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
        }
        guard connected == 0 else { return nil }
        let request = Array("GET \(path) HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n".utf8)
        guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else { return nil }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count <= 0 { break }
            answer += buffer[..<count]
        }
        let text = String(decoding: answer, as: UTF8.self)
        body?.pointee = text
        return text.split(separator: " ").dropFirst().first.flatMap { Int($0) }
    }
}

/// Returns once `fact` holds; fails after `patience`.
func eventually(
    _ what: String, within patience: Duration = .seconds(60), _ fact: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + patience
    while ContinuousClock.now < deadline {
        if try await fact() { return }
        await Wait.pause(.milliseconds(5))
    }
    Issue.record("within \(patience) it did not come true that \(what)")
    throw TimedOut(what: what)
}

struct TimedOut: Error { var what: String }
