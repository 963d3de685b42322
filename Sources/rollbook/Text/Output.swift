import EventSourcing
import Foundation
import Glibc

/// Standard output and standard error.
enum Output {
    /// Writes a line to standard output, at once.
    static func line(_ text: String) { write(text + "\n", to: 1) }

    /// Writes text to standard output, at once.
    static func raw(_ text: String) { write(text, to: 1) }

    /// Writes one or several lines to standard error.
    static func error(_ text: String) { write(text.printableLines + "\n", to: 2) }

    /// Whether standard output is a terminal.
    static var isTerminal: Bool { isatty(1) == 1 }

    /// Whether colour may be used: on a terminal that is not dumb, unless `NO_COLOR` is set.
    static var wantsColour: Bool {
        let environment = ProcessInfo.processInfo.environment
        return isTerminal && environment["TERM"] != "dumb" && (environment["NO_COLOR"] ?? "").isEmpty
    }

    /// The present.
    static var now: Instant { Instant(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000)) }

    /// JSON for people: sorted and indented.
    static func pretty(_ value: JSONValue) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        do {
            return String(decoding: try encoder.encode(value), as: UTF8.self)
        } catch {
            preconditionFailure("a JSON value cannot be written as JSON: \(error)")
        }
    }

    private static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR || errno == EAGAIN { continue }
                // Whoever read this has gone, as after `| head`: there is nobody left to tell.
                exit(errno == EPIPE ? 0 : 1)
            }
            bytes = bytes.dropFirst(count)
        }
    }
}
