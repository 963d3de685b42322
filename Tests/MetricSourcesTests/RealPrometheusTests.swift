import Analysis
import Conditions
import Delivery
import EventSourcing
import Foundation
import HTTPTestKit
import MetricSources
import Testing
import Transfer

@Suite(.timeLimit(.minutes(5)), .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/prometheus")))
struct RealPrometheusTests {
    @Test func `a real Prometheus answers in every shape`() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "rollbook-prometheus-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }  // a temporary directory left behind harms nobody
        let spare = try HTTPDouble { $0.close() }
        let port = spare.port
        spare.stop()
        let configuration = directory.appending(path: "prometheus.yml")
        try """
        global: {scrape_interval: 1s}
        scrape_configs:
          - job_name: itself
            static_configs: [{targets: ['127.0.0.1:\(port)']}]
        """.write(to: configuration, atomically: true, encoding: .utf8)
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/prometheus")
        process.arguments = [
            "--config.file=\(configuration.path)", "--web.listen-address=127.0.0.1:\(port)",
            "--storage.tsdb.path=\(directory.appending(path: "data").path)", "--log.level=error",
        ]
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        let ended = Fact<Int32>()
        process.terminationHandler = { ended.state($0.terminationStatus) }
        try process.run()
        // Threads of the cooperative pool block SIGTERM and their children inherit that, hence the harder signal.
        defer { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

        let client = TransferClient()
        let source = PrometheusMetricSource(client: client) {
            Instant(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000))
        }
        let name = try #require(RolloutName(namespace: "shop", name: "payments"))
        func ask(_ query: String, _ more: [String: JSONValue] = [:]) async -> MeasurementOutcome {
            let members: [String: JSONValue] = [
                "address": .string("http://127.0.0.1:\(port)"), "query": .string(query),
            ]
            return await source.measure(
                MetricQuery(
                    rollout: name, run: "r", metric: "m",
                    provider: ["prometheus": .object(members.merging(more) { $1 })])
            ).outcome
        }

        // It has to start and to scrape itself once.
        let deadline = ContinuousClock.now + .seconds(60)
        while await ask("up") != .value(.vector([1])) {
            try #require(process.isRunning && .now < deadline, "prometheus did not come up in a minute")
            try await Task.sleep(for: .milliseconds(200))
        }
        #expect(await ask("scalar(vector(0.5))") == .value(.double(0.5)))
        #expect(await ask("vector(1) / 0") == .value(.vector([.infinity])))
        #expect(await ask("no_such_metric") == .value(.vector([])))
        #expect(await ask("\"text\"") == .error("Prometheus metric type not supported"))
        if case .value(.array(let list)) = await ask("vector(0) / 0") {
            #expect(list.count == 1 && list[0].number?.isNaN == true)
        } else {
            Issue.record("0 / 0 is a value")
        }
        if case .error(let reason) = await ask("sum(") {
            #expect(reason.hasPrefix("bad_data: ") && reason.contains("parse error"))
        } else {
            Issue.record("a broken query is an error")
        }
        let range: JSONValue = ["start": #"now() - duration("10s")"#, "end": "now()", "step": "1s"]
        if case .value(.array(let list)) = await ask("vector(1)", ["rangeQuery": range]) {
            #expect(list.count == 11)
        } else {
            Issue.record("a range is a value")
        }
        await client.close()
        kill(process.processIdentifier, SIGKILL)
        _ = await ended.known()
    }
}
