import Foundation
import Testing

/// The arrows of the house: which room may import which.
///
/// SwiftPM does not enforce them; this test does.
@Suite struct ImportTests {
    /// Direct arrows; what they lead to may be imported as well.
    private static let arrows: [String: [String]] = [
        "EventSourcing": [], "Conditions": [], "Analysis": ["Conditions"], "Delivery": ["EventSourcing", "Analysis"],
        "Control": ["Delivery"], "Postgres": ["CLibpq", "CLinux"], "Transparency": [],
        "Ledger": ["CLibz", "Postgres", "Delivery", "Transparency"], "Transfer": ["CLibcurl"],
        "MetricSources": ["Transfer", "Delivery"], "LocalPlatform": ["CLinux", "Transfer", "Delivery"],
        "API": ["Delivery"],
        "rollbook": ["API", "Control", "Ledger", "LocalPlatform", "MetricSources"], "payments-api": ["CLinux"],
        "rollbook-bench": ["Ledger"], "rollbook-chaos": ["Ledger"],
    ]

    /// Packages and system modules that a room may use besides.
    private static let outside: [String: Set<String>] = [
        "Delivery": ["Yams", "Crypto"], "Control": ["Logging", "ServiceLifecycle"],
        "Postgres": ["Logging", "Crypto"], "Transparency": ["Crypto"],
        "Ledger": ["Logging", "ServiceLifecycle", "Crypto", "DequeModule"],
        "MetricSources": ["Crypto"], "LocalPlatform": ["Logging"],
        "API": ["Crypto", "Hummingbird", "HTTPTypes", "Logging", "NIOCore", "ServiceLifecycle"],
        "rollbook": [
            "ArgumentParser", "Hummingbird", "Logging", "ServiceLifecycle", "UnixSignals", "Yams", "HTTPTypes",
        ],
        "rollbook-bench": ["ArgumentParser", "DequeModule", "Logging", "UnixSignals"],
        "rollbook-chaos": ["ArgumentParser", "Logging"],
        "payments-api": ["ArgumentParser", "Hummingbird", "HTTPTypes", "Logging", "NIOCore", "ServiceLifecycle"],
    ]

    private static let system: Set<String> = [
        "Foundation", "FoundationEssentials", "Synchronization", "Dispatch", "Glibc", "Musl", "Darwin",
    ]

    private static let sources = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Sources")

    private func reachable(from room: String) -> Set<String> {
        var found: Set<String> = []
        var next = Self.arrows[room] ?? []
        while let room = next.popLast() {
            found.insert(room)
            next += (Self.arrows[room] ?? []).filter { !found.contains($0) }
        }
        return found
    }

    private func imports(of file: URL) throws -> [String] {
        try String(contentsOf: file, encoding: .utf8).split(separator: "\n").compactMap { line in
            var words = line.split(separator: " ")
            while let first = words.first, ["public", "internal", "private", "package", "fileprivate"].contains(first) {
                words.removeFirst()
            }
            guard words.first == "import", words.count >= 2 else { return nil }
            let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "typealias", "var", "let"]
            let module = kinds.contains(words[1]) && words.count > 2 ? words[2] : words[1]
            return module.split(separator: ".").first.map(String.init)
        }
    }

    @Test func `every room is known, and imports only what its arrows lead to`() throws {
        let files = FileManager.default
        let rooms = try files.contentsOfDirectory(atPath: Self.sources.path)
            .filter { !$0.hasPrefix("CLib") && $0 != "CLinux" }.sorted()
        #expect(rooms == Self.arrows.keys.sorted())
        for room in rooms {
            let allowed = reachable(from: room).union(Self.outside[room] ?? []).union(Self.system)
            let folder = Self.sources.appendingPathComponent(room)
            for case let file as URL in files.enumerator(at: folder, includingPropertiesForKeys: nil) ?? .init()
            where file.pathExtension == "swift" {
                for module in try imports(of: file) where !allowed.contains(module) {
                    Issue.record("\(room)/\(file.lastPathComponent) imports \(module), to which no arrow leads")
                }
            }
        }
    }
}
