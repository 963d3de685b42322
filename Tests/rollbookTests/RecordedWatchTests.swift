import Delivery
import EventSourcing
import Foundation
import TestKit
import Testing

@testable import rollbook

/// Records what `rollbook get rollout --watch` prints while releases go their way, and looks each frame up afterwards.
@Suite struct RecordedWatchTests {
    @Test func `get rollout --at shows for each moment what --watch showed then`() async throws {
        try await EndToEndTests.withShop { client, world in
            let command = try RollbookProgram(server: client.server)
            let manifest = command.folder.appending(path: "shop.yaml")
            try Data(ShopManifests.everything(image: "1").utf8).write(to: manifest)
            try await command.run("apply", "-f", manifest.path())
            try await world.settle()

            let plain = try command.start("get", "rollout", "shop", "--watch")
            let yaml = try command.start("get", "rollout", "shop", "--watch", "-o", "yaml")
            for watch in [plain, yaml] { #expect(try await eventually { try !watch.text.isEmpty }) }
            // One release that ships, with a person's pause in it, and one that is caught.
            try await command.run("set", "image", "shop", "app=shop:2")
            try await world.settle()
            try await command.run("promote", "shop", "--reason", "looks good")
            try await world.settle()
            try await world.measure(0)
            try await command.run("pause", "shop")
            try await command.run("resume", "shop")
            for _ in 0..<4 { try await world.measure(0) }
            try await command.run("set", "image", "shop", "app=shop:3")
            try await world.settle()
            try await command.run("promote", "shop")
            try await world.settle()
            for _ in 0..<3 { try await world.measure(0.5) }
            let end: RolloutView = try await client.get(client.path("default", "shop"))
            #expect(end.phase == .degraded)
            #expect(try await eventually { try yaml.text.contains("\nversion: \(end.version)\n") })
            #expect(
                try await eventually {
                    try plain.text.contains("✖ Degraded") && plain.text.contains("\(end.recordedAt)")
                })
            for watch in [plain, yaml] {
                watch.process.interrupt()
                _ = try await watch.ended()
            }

            let lines = try plain.text.split(separator: "\n").map(String.init)
            let documents = try yaml.text.components(separatedBy: "---\n").dropFirst()
            #expect(lines.count >= 15)
            #expect(documents.count >= lines.count)
            for line in lines {
                let (time, shown) = try #require(
                    line.firstIndex(of: " ").map { (line[..<$0], line[$0...].dropFirst()) })
                let tree = try await command.run("get", "rollout", "shop", "--at", String(time))
                #expect(try PlainTree(tree).line == String(shown))
            }
            for (number, document) in documents.enumerated() {
                let time = try Self.value("recordedAt", in: document)
                #expect(try await command.run("get", "rollout", "shop", "--at", time, "-o", "yaml") == document)
                guard number % 4 == 0 else { continue }
                for at in [try Self.value("position", in: document), "v" + (try Self.value("version", in: document))] {
                    #expect(try await command.run("get", "rollout", "shop", "--at", at, "-o", "yaml") == document)
                }
            }
            try command.remove()
        }
    }

    /// The value of a member of the outermost object of a YAML document.
    private static func value(_ key: String, in document: String) throws -> String {
        let line = try #require(document.split(separator: "\n").first { $0.hasPrefix(key + ": ") })
        return line.dropFirst(key.count + 2).filter { $0 != "\"" }
    }
}

/// What `get rollout` prints, read back by eye: the line of the live view that says the same.
private struct PlainTree {
    let line: String

    init(_ text: String) throws {
        let lines = text.split(separator: "\n").map(String.init)
        func field(_ name: String) -> String? {
            lines.first { $0.hasPrefix(name + ":") }.map { String($0.dropFirst(17)) }.flatMap { $0.isEmpty ? nil : $0 }
        }
        var parts = [try #require(field("Status"))]
        if let step = field("  Step") { parts.append("step \(step)") }
        let weight = try #require(field("  ActualWeight"))
        let set = try #require(field("  SetWeight"))
        parts.append("weight \(weight)" + (weight == set ? "" : " (set \(set))"))
        let ready = try #require(field("  Ready"))
        parts.append("ready \(ready)/\(try #require(field("  Desired"))) updated \(try #require(field("  Updated")))")
        // The newest revision stands first; its runs are above the next one.
        let newest = lines.drop { !$0.contains("# revision:") }.dropFirst().prefix { !$0.contains("# revision:") }
        for run in newest where run.contains("AnalysisRun") {
            // From the name on: name, kind, status, age, and the counts if there are any.
            let columns = run.split(separator: "  ").map { $0.trimmingCharacters(in: .whitespaces) }.filter {
                !$0.isEmpty
            }.drop { !$0.contains("α ") }.map { $0.split(separator: " ") }
            let name = try #require(columns.first?.last)
            let phase = try #require(columns.dropFirst(2).first?.last)
            var counts: [String: String] = [:]
            for count in columns.dropFirst(4).first?.joined(separator: " ").split(separator: ",") ?? [] {
                let words = count.split(separator: " ").map(String.init)
                counts[try #require(words.first)] = words.last
            }
            parts.append(
                "\(name) \(phase) " + ["✔", "✖", "⚠"].map { "\($0) \(counts[$0] ?? "0")" }.joined(separator: " "))
        }
        if let message = field("Message") { parts.append(message) }
        line = parts.joined(separator: "  ")
    }
}
