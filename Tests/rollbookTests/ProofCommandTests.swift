import ArgumentParser
import Foundation
import Testing
import Transparency

@testable import Ledger
@testable import rollbook

/// The verbs that need no ledger, as they are called, and the words of a verification.
@Suite struct ProofCommandTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("proof-\(UUID().uuidString)")
        .path

    /// The exit code of a call; 0 if it ends well.
    private func code(_ arguments: String...) async throws -> Int32 {
        do {
            var command = try Rollbook.parseAsRoot(arguments)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            return 0
        } catch let code as ExitCode {
            return code.rawValue
        } catch {
            return Rollbook.exitCode(for: error).rawValue
        }
    }

    @Test func `a proof is checked offline, and the exit code says what came of it`() async throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: folder) } }
        let file = folder + "/key"
        #expect(try await code("keygen", "example.com/log", "--out", file) == 0)
        #expect(try await code("keygen", "example.com/log", "--out", file) == Exit.badInput, "a key is not overwritten")
        #expect(try await code("keygen", "two words", "--out", file + "2") == Exit.badInput)
        let key = try SealKeyFile.read(file)

        let leaf = MerkleHash.leaf([1])
        func head(_ size: Int64, _ root: MerkleHash) throws -> String {
            try SignedNote(
                text: TreeHead(origin: "example.com/log", size: size, root: root).noteText, signedWith: key
            ).description
        }
        let good = ProofDocument.consistency(
            ConsistencyDocument(
                oldTreeHead: try head(1, leaf), newTreeHead: try head(2, .node(leaf, leaf)), path: [leaf.base64],
                announcements: [])
        ).json
        let proof = folder + "/proof.json"
        try Data(good.utf8).write(to: URL(fileURLWithPath: proof))
        let verifier = key.verifier.description
        #expect(try await code("verify-proof", proof, "--key", verifier) == 0)
        try Data((verifier + "\n").utf8).write(to: URL(fileURLWithPath: folder + "/public"))
        #expect(try await code("verify-proof", proof, "--key", folder + "/public") == 0)
        let stranger = SigningKey(generatedFor: "example.com/log")!.verifier.description
        #expect(try await code("verify-proof", proof, "--key", stranger) == Exit.refused)
        #expect(try await code("verify-proof", proof, "--key", stranger, "--key", verifier) == 0)
        #expect(try await code("verify-proof", proof, "--key", "nonsense") == Exit.badInput)
        #expect(try await code("verify-proof", proof) == 64)
        #expect(try await code("verify-proof", folder + "/none", "--key", verifier) == Exit.badInput)
        try Data(good.replacing(leaf.base64, with: MerkleHash.empty.base64).utf8).write(to: URL(fileURLWithPath: proof))
        #expect(try await code("verify-proof", proof, "--key", verifier) == Exit.refused)
        try Data("{}".utf8).write(to: URL(fileURLWithPath: proof))
        #expect(try await code("verify-proof", proof, "--key", verifier) == Exit.badInput)
    }

    @Test func `a call that cannot be meant is wrong usage`() async throws {
        for arguments in [
            ["prove"], ["prove", "1", "2"], ["prove", "--consistency", "1"],
            ["rotate-key", "--new-key", "x", "--seal-command", "true"],
            ["serve", "--seal-key", "a", "--seal-command", "b", "--seal-verifier-key", "c"],
            ["serve", "--seal-interval", "0"],
        ] {
            let error = #expect(throws: (any Error).self, "\(arguments)") { try Rollbook.parseAsRoot(arguments) }
            #expect(error.map { Rollbook.exitCode(for: $0).rawValue } == 64)
        }
    }

    @Test func `a verification is told in a few lines`() {
        var report = VerifyReport(
            through: 1000, events: 999, sealed: 990, storedHeads: 7, outsideHeads: 1, root: "r00t", findings: [],
            moreFindings: 0, remarks: ["no key was given"])
        #expect(
            Verify.lines(report) == [
                "read 999 events, up to position 1000; 990 are under a signed tree head",
                "compared 7 stored tree heads and 1 from outside; root r00t", "note: no key was given", "intact",
            ])
        report.findings = [
            .init(.missing, at: 12, "there is no event at position 12"),
            .init(.fork, at: 12, through: 900, "another log"),
        ]
        report.moreFindings = 3
        #expect(
            Verify.lines(report).dropFirst(3) == [
                "NOT INTACT: the first bad position is 12", "  12: missing: there is no event at position 12",
                "  among 12…900: fork: another log", "  and 3 more",
            ])
    }
}
