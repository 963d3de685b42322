import Foundation
import TestKit
import Testing

@testable import payments_api

/// Real processes over loopback.
@Suite(.serialized)
struct ProgramTests {
    @Test(arguments: [[], ["--keep-alive", "--connections", "4"]])
    func `service and generator agree on every request`(mode: [String]) async throws {
        let service = try RunningService(version: "1.5.0-broken")
        defer { service.kill() }
        try await service.ready()
        let report = try service.load(["--rate", "500", "--duration", "1s"] + mode)
        #expect((report.lost, report.reconnected) == (0, 0))
        #expect(report.total > 100)
        #expect(report.total == report.ok + report.failed5xx)
        #expect(report.failed5xx == report.total / 5)
        #expect(
            report.versions["1.5.0-broken"]?.statuses == ["200": report.ok, "500": report.failed5xx])
        let metrics = try await service.get("metrics")
        #expect(metrics.contains("http_requests_total{status=\"200\"} \(report.ok)\n"))
        #expect(metrics.contains("http_requests_total{status=\"500\"} \(report.failed5xx)\n"))
        #expect(!metrics.contains("service="))
        #expect(service.stop() == 0)
    }

    @Test func `a version that is not broken answers every request and its series start at 0`() async throws {
        let service = try RunningService(version: "1.5.0")
        defer { service.kill() }
        try await service.ready()
        let before = try await service.get("metrics")
        #expect(before.contains(#"http_requests_total{status="200"} 0"#))
        #expect(before.contains(#"http_requests_total{status="500"} 0"#))
        #expect(before.contains(#"payments_api_info{version="1.5.0"} 1"#))
        #expect(try await service.get("").contains(#""version":"1.5.0""#))
        let report = try service.load(["--rate", "200", "--duration", "500ms"])
        #expect(report.ok > 20)
        #expect(report.ok == report.total)
    }

    @Test func `every request to nobody is lost and said so`() throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let output = directory.appending(path: "report.json")
        let generator = Process()
        generator.executableURL = RunningService.program
        generator.arguments = [
            "load", "--url", "http://127.0.0.1:\(try LoopbackPort.free())/", "--rate", "100", "--duration", "300ms",
            "--output", output.path(),
        ]
        try generator.run()
        generator.waitUntilExit()
        let report = try JSONDecoder().decode(LoadReport.self, from: Data(contentsOf: output))
        #expect((report.total, report.lost, report.lostBy["connect"]) == (30, 30, 30))
        #expect(report.versions.isEmpty)
    }
}
