import ArgumentParser
import FoundationEssentials

/// What traffic to send, where to, for how long.
struct LoadPlan: Sendable, Equatable {
    /// How connections are used.
    enum Mode: String, Sendable, Codable {
        /// A fresh connection for each request, closed after its answer.
        case connectionPerRequest = "connection-per-request"
        /// Connections are kept and used in turn.
        case keepAlive = "keep-alive"
    }

    /// Where to connect to.
    var endpoint: Endpoint
    /// The Host header.
    var host: String
    /// Requests per second, above 0.
    var rate: Double
    /// When to stop; `nil` goes on until SIGTERM or SIGINT.
    var duration: Duration?
    var mode: Mode
    /// How many kept connections are used in turn; more are opened while all are busy.
    var connections: Int
    /// From the start of a request to the last byte of its answer.
    var timeout: Duration
}

/// The parts of an `http://` URL that a connection needs.
struct Endpoint: Sendable, Equatable {
    var host: String
    var port: UInt16
    /// Path and query, never empty.
    var target: String

    /// - Throws: `ValidationError` naming what is wrong with `url`.
    init(url: String) throws {
        guard let parts = URL(string: url), parts.scheme == "http", let host = parts.host(), !host.isEmpty else {
            throw ValidationError("--url is “\(url)”: give an address such as http://127.0.0.1:8080/.")
        }
        guard let port = UInt16(exactly: parts.port ?? 80) else {
            throw ValidationError("--url has port \(parts.port ?? 80): give one from 1 to 65535.")
        }
        self.host = host.trimmingPrefix("[").description.replacing("]", with: "")
        self.port = port
        let path = parts.path(percentEncoded: true)
        target = (path.isEmpty ? "/" : path) + (parts.query(percentEncoded: true).map { "?" + $0 } ?? "")
    }

    /// `host:port` as the Host header has it when none is given.
    var authority: String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }
}

/// A span of time on the command line: `500ms`, `30s`, `5m`, `1h`; a bare number means seconds.
struct Span: ExpressibleByArgument, Sendable, Equatable {
    var duration: Duration

    init(_ duration: Duration) { self.duration = duration }

    init?(argument: String) {
        let digits = argument.prefix { $0.isNumber || $0 == "." }
        guard let amount = Double(digits), amount.isFinite, amount > 0 else { return nil }
        switch argument.dropFirst(digits.count) {
        case "ms": duration = .microseconds(amount * 1000)
        case "s", "": duration = .seconds(amount)
        case "m": duration = .seconds(amount * 60)
        case "h": duration = .seconds(amount * 3600)
        default: return nil
        }
    }

    var defaultValueDescription: String { "\(duration.components.seconds)s" }
}
