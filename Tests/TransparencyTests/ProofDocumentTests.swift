import Foundation
import Testing
import Transparency

/// Proofs as files, with nothing but a public key.
@Suite struct ProofDocumentTests {
    private let key = SigningKey(generatedFor: "example.com/log")!

    private static func uuid(_ number: Int) -> String {
        let digits = String(number, radix: 16)
        return "01a20b64-0000-7000-8000-" + String(repeating: "0", count: 12 - digits.count) + digits
    }

    private static func content(_ number: Int) -> InclusionDocument.Content {
        InclusionDocument.Content(
            type: "sample.happened.v1", occurredAt: 1_000_000 + Int64(number), correlation: uuid(1),
            causation: number == 0 ? nil : uuid(2),
            subject: "maria@laptop", issuer: "operating-system", method: "unauthenticated", onBehalfOf: nil,
            data: #"{"n":\#(number)}"#, metadata: "{}")
    }

    private static func entry(_ number: Int) -> LeafEntry {
        let content = content(number)
        var parts = HashedParts()
        func bytes(_ text: String) -> [UInt8] { withUnsafeBytes(of: UUID(uuidString: text)!.uuid) { Array($0) } }
        let hash = EventContent(
            type: content.type, occurredAt: content.occurredAt, correlation: bytes(content.correlation),
            causation: content.causation.map(bytes), subject: content.subject, issuer: content.issuer,
            method: content.method, onBehalfOf: content.onBehalfOf, data: content.data, metadata: content.metadata
        ).hash(using: &parts)
        return LeafEntry(
            position: Int64(number) + 1, epoch: 1, stream: "sample-a", version: Int64(number) + 1,
            eventID: bytes(uuid(100 + number)), recordedAt: 2_000_000, contentHash: hash)
    }

    private func head(_ size: Int, _ root: MerkleHash, by key: SigningKey? = nil) throws -> String {
        let head = TreeHead(origin: "example.com/log", size: Int64(size), root: root)
        return try SignedNote(text: head.noteText, signedWith: key ?? self.key).description
    }

    private func inclusion(_ number: Int, of size: Int) throws -> InclusionDocument {
        let entries = (0..<size).map(Self.entry)
        let (tree, tile) = TreeTests.tiles(entries.map(\.hash))
        let entry = entries[number]
        return InclusionDocument(
            leaf: InclusionDocument.Leaf(
                position: entry.position, epoch: entry.epoch, stream: entry.stream, version: entry.version,
                event: Self.uuid(100 + number), recordedAt: entry.recordedAt, contentHash: entry.contentHash.base64),
            content: Self.content(number),
            path: ProofPlan.inclusion(of: Int64(number), in: Int64(size)).hashes(tile).map(\.base64),
            treeHead: try head(size, tree.root), announcements: [])
    }

    /// A proof as text, and the key to check it with.
    func sample() throws -> (json: String, key: String) {
        (ProofDocument.inclusion(try inclusion(7, of: 11)).json, key.verifier.description)
    }

    private func verify(_ json: String, _ keys: [VerifierKey]? = nil) throws -> String {
        try ProofDocument(json: Array(json.utf8)).verify(trusting: keys ?? [key.verifier])
    }

    @Test func `an inclusion proof is read back and holds`() throws {
        let words = try verify(ProofDocument.inclusion(try inclusion(7, of: 11)).json)
        #expect(words.contains("position 8, version 8 of sample-a"))
        #expect(words.contains("sample.happened.v1 by maria@laptop"))
        var bare = try inclusion(0, of: 1)
        bare.content = nil
        #expect(try verify(ProofDocument.inclusion(bare).json).contains("position 1"))
    }

    @Test func `each changed field of an inclusion proof is noticed`() throws {
        let good = try inclusion(7, of: 11)
        let changes: [(String, (inout InclusionDocument) -> Void)] = [
            ("position", { $0.leaf.position = 7 }), ("beyond", { $0.leaf.position = 12 }),
            ("before", { $0.leaf.position = 0 }),
            ("epoch", { $0.leaf.epoch = 2 }), ("stream", { $0.leaf.stream = "sample-b" }),
            ("version", { $0.leaf.version = 9 }), ("event", { $0.leaf.event = Self.uuid(9) }),
            ("recordedAt", { $0.leaf.recordedAt += 1 }),
            (
                "contentHash",
                {
                    $0.leaf.contentHash = MerkleHash.empty.base64; $0.content = nil
                }
            ),
            ("type", { $0.content!.type = "x" }), ("occurredAt", { $0.content!.occurredAt += 1 }),
            ("correlation", { $0.content!.correlation = Self.uuid(5) }), ("causation", { $0.content!.causation = nil }),
            ("subject", { $0.content!.subject = "eve" }), ("issuer", { $0.content!.issuer = "x" }),
            ("method", { $0.content!.method = "token" }), ("onBehalfOf", { $0.content!.onBehalfOf = "" }),
            ("data", { $0.content!.data += " " }), ("metadata", { $0.content!.metadata = "{ }" }),
            ("path", { $0.path.removeLast() }), ("order", { $0.path.reverse() }),
            ("head", { $0.treeHead = $0.treeHead.replacing("\n11\n", with: "\n12\n") }),
        ]
        for (field, change) in changes {
            var document = good
            change(&document)
            let json = ProofDocument.inclusion(document).json
            let problem = #expect(throws: ProofDocument.Problem.self, "\(field)") { try verify(json) }
            guard case .invalid = problem else { Issue.record("\(field): \(String(describing: problem))"); continue }
        }
        let other = SigningKey(generatedFor: "example.com/log")!
        #expect(throws: ProofDocument.Problem.self) { try verify(ProofDocument.inclusion(good).json, [other.verifier]) }
    }

    @Test func `no position stands in a log of no events`() throws {
        var document = try inclusion(0, of: 1)
        document.path = []
        document.treeHead = try head(0, .empty)
        for position: Int64 in [.min, 0, 1, .max] {
            document.leaf.position = position
            #expect(throws: ProofDocument.Problem.invalid("position \(position) does not stand in a log of 0 events")) {
                _ = try verify(ProofDocument.inclusion(document).json)
            }
        }
    }

    @Test func `a consistency proof holds, also over a change of keys`() throws {
        let leaves = (0..<11).map { Self.entry($0).hash }
        let (tree, tile) = TreeTests.tiles(leaves)
        let next = SigningKey(generatedFor: "example.com/log")!
        let announcement = try KeyAnnouncement(next.verifier, signedWith: key)
        let old = ProofPlan.root(of: 6).hashes(tile)[0]
        let good = ConsistencyDocument(
            oldTreeHead: try head(6, old), newTreeHead: try head(11, tree.root, by: next),
            path: ProofPlan.consistency(from: 6, to: 11).hashes(tile).map(\.base64),
            announcements: [announcement.note.description])
        #expect(try verify(ProofDocument.consistency(good).json).contains("11 events begins with that of 6"))
        #expect(throws: ProofDocument.Problem.self, "the old key is not reached from the new one") {
            try verify(ProofDocument.consistency(good).json, [next.verifier])
        }
        for change: (inout ConsistencyDocument) throws -> Void in [
            { $0.announcements = [] }, { $0.path.removeFirst() }, { $0.path.append(MerkleHash.empty.base64) },
            { swap(&$0.oldTreeHead, &$0.newTreeHead) }, { $0.oldTreeHead = try head(5, old) },
            { $0.newTreeHead = try head(11, .empty) },
        ] {
            var document = good
            try change(&document)
            #expect(throws: ProofDocument.Problem.self) { try verify(ProofDocument.consistency(document).json) }
        }
    }

    @Test func `what is no proof is refused as such`() throws {
        let good = ProofDocument.inclusion(try inclusion(0, of: 2)).json
        for wrong in [
            "", "[]", "{}", #"{"format":"other"}"#, good.replacing(#""path""#, with: #""paths""#),
            good.replacing(Self.uuid(100), with: Self.uuid(100).uppercased()), good.replacing("—", with: "-"),
        ] {
            let problem = #expect(throws: ProofDocument.Problem.self) { try verify(wrong) }
            guard case .malformed = problem else { Issue.record("\(wrong): \(String(describing: problem))"); continue }
        }
    }
}
