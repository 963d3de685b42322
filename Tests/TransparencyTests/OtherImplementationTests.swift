import Foundation
import Testing
import Transparency

/// What programs that we did not write make of our trees: pymerkle (RFC 9162), and Python's `cryptography` (Ed25519).
@Suite(.timeLimit(.minutes(5))) struct OtherImplementationTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private struct Trees: Encodable {
        struct Inclusion: Encodable {
            var index: Int64
            var size: Int64
            var path: [String]

            func encode(to encoder: any Encoder) throws {
                var list = encoder.unkeyedContainer()
                try list.encode(index)
                try list.encode(size)
                try list.encode(path)
            }
        }

        struct Head: Encodable {
            var note: String
            var size: Int64

            func encode(to encoder: any Encoder) throws {
                var list = encoder.unkeyedContainer()
                try list.encode(note)
                try list.encode(size)
            }
        }

        var key: String
        var entries: [String]
        var heads: [Head]
        var inclusions: [Inclusion]
        var consistencies: [Inclusion]
    }

    private static func run(_ command: [String], environment: [String: String] = [:]) throws -> (
        status: Int32, said: String
    ) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, said)
    }

    /// The folder with the Python packages, fetched once; nil where there is no Python at all.
    static func packages() throws -> String? {
        guard try run(["python3", "-c", "import sys"]).status == 0 else { return nil }
        let folder = root.appendingPathComponent(".build/python-packages").path
        let check = ["python3", "-c", "import pymerkle, cryptography"]
        guard try run(check, environment: ["PYTHONPATH": folder]).status != 0 else { return folder }
        let answer = try run(
            ["python3", "-m", "pip", "install", "--quiet", "--target", folder, "pymerkle==7.0.0", "cryptography>=38"])
        #expect(answer.status == 0, "pip could not fetch pymerkle: \(answer.said)")
        return folder
    }

    /// Runs `check.py`; nil where there is no Python.
    static func check(_ arguments: [String]) throws -> (status: Int32, said: String)? {
        guard let folder = try packages() else {
            // A machine that builds without Python must not fail here; the project's own script installs it.
            #expect(ProcessInfo.processInfo.environment["CI"] == nil, "python3 is missing: run ./deploy/install")
            return nil
        }
        let script = root.appendingPathComponent("Tests/TransparencyTests/check.py").path
        return try run(["python3", script] + arguments, environment: ["PYTHONPATH": folder])
    }

    @Test func `pymerkle accepts our heads and proofs, and refuses changed ones`() throws {
        let key = SigningKey(generatedFor: "example.com/log")!
        let entries = (0..<3000).map { Array("entry \($0)".utf8) }
        let (_, tile) = TreeTests.tiles(entries.map { .leaf($0) })
        func head(_ size: Int64) throws -> Trees.Head {
            let head = TreeHead(origin: "example.com/log", size: size, root: ProofPlan.root(of: size).hashes(tile)[0])
            return Trees.Head(note: try SignedNote(text: head.noteText, signedWith: key).description, size: size)
        }
        func inclusion(_ index: Int64, _ size: Int64) -> Trees.Inclusion {
            .init(index: index, size: size, path: ProofPlan.inclusion(of: index, in: size).hashes(tile).map(\.base64))
        }
        func consistency(_ old: Int64, _ new: Int64) -> Trees.Inclusion {
            .init(index: old, size: new, path: ProofPlan.consistency(from: old, to: new).hashes(tile).map(\.base64))
        }
        var trees = Trees(
            key: key.verifier.description, entries: entries.map { Data($0).base64EncodedString() }, heads: [],
            inclusions: [], consistencies: [])
        for size: Int64 in 1...64 {
            trees.heads.append(try head(size))
            for index in 0..<size { trees.inclusions.append(inclusion(index, size)) }
            for old in 0...size { trees.consistencies.append(consistency(old, size)) }
        }
        var random = Seeded(seed: 9162)
        for _ in 0..<300 {
            let size = Int64.random(in: 1...3000, using: &random)
            trees.heads.append(try head(size))
            trees.inclusions.append(inclusion(.random(in: 0..<size, using: &random), size))
            trees.consistencies.append(consistency(.random(in: 0...size, using: &random), size))
        }
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("trees-\(UUID().uuidString).json")
        try JSONEncoder().encode(trees).write(to: file)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: file) } }
        guard let answer = try Self.check(["trees", file.path]) else { return }
        #expect(answer.status == 0, "\(answer.said)")
        #expect(answer.said.hasPrefix("364 heads, 2380 inclusion proofs, 2444 consistency proofs"), "\(answer.said)")
        // Where both take the same subtrees; if its layout changed, none might be left.
        let own = try #require(answer.said.firstMatch(of: /\((\d+) of them by pymerkle's own check\)/))
        #expect(try #require(Int(own.1)) > 100, "\(answer.said)")
        // One wrong root among them is noticed.
        trees.heads[0] = try head(2)
        trees.heads[0].size = 1
        try JSONEncoder().encode(trees).write(to: file)
        #expect(try Self.check(["trees", file.path])?.status == 1)
    }

    @Test func `another program checks a proof from its description alone`() throws {
        let (json, key) = try ProofDocumentTests().sample()
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("proof-\(UUID().uuidString).json")
        try Data(json.utf8).write(to: file)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: file) } }
        guard let answer = try Self.check(["proof", file.path, key]) else { return }
        #expect(answer.status == 0, "\(answer.said)")
        #expect(answer.said.hasPrefix("position 8 of 11 in example.com/log"), "\(answer.said)")
        for (good, bad) in [(#"{\"n\":7}"#, #"{\"n\":8}"#), ("maria", "eve"), (#""version" : 8"#, #""version" : 9"#)] {
            #expect(json.contains(good))
            try Data(json.replacing(good, with: bad).utf8).write(to: file)
            #expect(try Self.check(["proof", file.path, key])?.status == 1)
        }
    }
}
