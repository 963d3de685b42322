import ArgumentParser
import FoundationEssentials
import Glibc

/// Sends steady traffic and writes an exact account of it.
struct LoadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load",
        abstract: "Send requests at a fixed rate and count the answers by version, status and second.",
        discussion: """
            Ends after --duration, or on SIGTERM or SIGINT, once every request in flight has its outcome. A request is \
            lost if it met a connection error, a timeout, 502, 503 or 504. A kept-alive connection that the server \
            closed between requests is no loss: the request goes over a fresh one and is counted in reconnected.
            """)

    @Option(help: "Where to send requests, such as http://127.0.0.1:8080/.")
    var url: String

    @Option(help: "The Host header. (default: that of --url)")
    var host: String?

    @Option(help: "Requests per second.")
    var rate: Double = 200

    @Option(help: "How long, such as 30s, 5m or 500ms. (default: until a signal comes)")
    var duration: Span?

    @Flag(help: "Keep connections and use them in turn, instead of one connection for each request.")
    var keepAlive = false

    @Option(help: "How many kept connections to use in turn, with --keep-alive. (default: 8)")
    var connections: Int?

    @Option(help: "How long an answer may take.")
    var timeout = Span(.seconds(5))

    @Option(help: "Where to write the report (JSON); it is replaced as a whole every second and at the end.")
    var output: String?

    @Option(help: "Where to append a line (JSON) for each request.")
    var log: String?

    func validate() throws {
        guard rate.isFinite, rate > 0, rate <= 100_000 else {
            throw ValidationError("--rate is \(rate): give a number above 0, at most 100000.")
        }
        if let connections {
            guard keepAlive else {
                throw ValidationError("--connections is given without --keep-alive: add that, or leave it out.")
            }
            guard (1...1000).contains(connections) else {
                throw ValidationError("--connections is \(connections): give a number from 1 to 1000.")
            }
        }
        if let host, host.unicodeScalars.contains(where: { !(0x21...0x7e).contains($0.value) }) {
            throw ValidationError("--host is “\(host)”: give a host name without spaces, such as payments.example.com.")
        }
        _ = try Endpoint(url: url)
    }

    func run() throws {
        let endpoint = try Endpoint(url: url)
        let plan = LoadPlan(
            endpoint: endpoint, host: host ?? endpoint.authority, rate: rate, duration: duration?.duration,
            mode: keepAlive ? .keepAlive : .connectionPerRequest, connections: connections ?? 8,
            timeout: timeout.duration)
        let startedAt = unixMicroseconds()
        var lines = try log.map { try RecordLog(path: $0) }
        defer { lines?.close() }
        Interruption.listen()
        var engine = try LoadEngine(plan: plan)
        try engine.run(
            shouldStop: { Interruption.isRequested },
            record: { lines?.append($0) },
            tick: { tally, finished in
                try lines?.flush()
                let report = tally.report(
                    of: plan, url: url, startedAt: startedAt, at: unixMicroseconds(), finished: finished)
                if let output { try WholeFile(path: output).replace(with: report.json()) }
                if finished { print(report.summary) }
            })
    }
}

extension LoadReport {
    /// The report as a JSON document with sorted keys.
    func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return try encoder.encode(self) + [UInt8(ascii: "\n")]
    }

    /// A line for a person.
    var summary: String {
        let byVersion = versions.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.total)" }
        return "\(total) requests: \(ok) ok, \(failed5xx) failed, \(other) other, \(lost) lost, "
            + "\(reconnected) reconnected; by version: \(byVersion.joined(separator: ", ")); "
            + "median \(latency.p50) µs, 99th \(latency.p99) µs"
    }
}
