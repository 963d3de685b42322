import Crypto
import Testing
import Transparency

/// The text forms of keys, notes and tree heads.
@Suite struct NoteTests {
    /// The example of the specification.
    private let example = """
        This is an example message.

        — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=

        """
    private let exampleKey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"

    @Test func `the specification's note is signed by the specification's key`() throws {
        let key = try #require(VerifierKey(exampleKey))
        #expect(key.description == exampleKey)
        let note = try SignedNote(example)
        #expect(note.text == "This is an example message.\n")
        #expect(note.description == example)
        #expect(try note.verified(by: [key]) == [key])
    }

    @Test func `a key's text is read back, and nothing that differs from it`() throws {
        let signing = try #require(SigningKey(generatedFor: "example.com/log"))
        let text = signing.verifier.description
        #expect(VerifierKey(text) == signing.verifier)
        #expect(SigningKey(secretText: signing.secretText)?.verifier == signing.verifier)
        #expect(!"\(signing)".contains(signing.secretText.suffix(20)))
        for wrong in ["", "a", "a+b", text + "A", "x" + text, text.replacing("+", with: " "), String(text.dropLast())] {
            #expect(VerifierKey(wrong) == nil, "\(wrong)")
            #expect(SigningKey(secretText: "PRIVATE+KEY+" + wrong) == nil)
        }
        for name in ["", "two words", "a+b", "a\tb", "a\u{2003}b", "a\nb"] {
            #expect(SigningKey(generatedFor: name) == nil, "\(name)")
        }
    }

    @Test func `several signatures: unknown ones are passed over, a wrong one of a known key is refused`() throws {
        let (a, b, c) = (
            SigningKey(generatedFor: "log")!, SigningKey(generatedFor: "log")!, SigningKey(generatedFor: "witness")!
        )
        func signature(_ key: SigningKey, _ text: String) -> SignedNote.Signature {
            SignedNote.Signature(
                name: key.verifier.name, keyID: key.verifier.id, bytes: key.signature(over: Array(text.utf8)))
        }
        let text = "one\n\ntwo\n"
        let note = try SignedNote(
            try SignedNote(text: text, signatures: [signature(a, text), signature(c, text)]).description)
        #expect(note.text == text)
        #expect(try note.verified(by: [c.verifier, a.verifier]) == [a.verifier, c.verifier])
        #expect(try note.verified(by: [c.verifier]) == [c.verifier])
        #expect(throws: SignedNote.Problem.self) { try note.verified(by: [b.verifier]) }
        #expect(throws: SignedNote.Problem.self) { try note.verified(by: []) }
        let mixed = try SignedNote(text: text, signatures: [signature(a, text), signature(c, "other\n")])
        #expect(throws: SignedNote.Problem.badSignature(c.verifier)) {
            try mixed.verified(by: [a.verifier, c.verifier])
        }
        #expect(try mixed.verified(by: [a.verifier]) == [a.verifier])
    }

    @Test func `what is no note is refused`() throws {
        let good = example
        _ = try SignedNote(good)
        for wrong in [
            "", "\n", "\n\n", "text\n", "text\n\n", String(good.dropLast()), good.replacing("\u{2014} ", with: "- "),
            good.replacing("example message", with: "example\tmessage"), good.replacing("\n", with: "\r\n"),
            good + "x\n", good.replacing("aQM=\n", with: "aQM\n"), good.replacing("foo Uw2", with: "foo  Uw2"),
            good + "\n", "\n— log AAAA\n", good.replacing("\n\n", with: "\n"),
        ] { #expect(throws: SignedNote.Problem.self, "\(wrong)") { try SignedNote(wrong) } }
    }

    @Test func `every changed byte of a signed head is noticed`() throws {
        let key = SigningKey(generatedFor: "example.com/log")!
        let head = TreeHead(origin: "example.com/log", size: 70_000, root: .leaf([1, 2, 3]))
        let note = try SignedNote(text: head.noteText, signedWith: key).description
        #expect(try SignedTreeHead(note).head == head)
        #expect(try SignedTreeHead(note).verified(by: [key.verifier]) == key.verifier)
        let bytes = Array(note.utf8)
        for place in bytes.indices {
            for flip: UInt8 in [1, 4, 0x20] {
                var changed = bytes
                changed[place] ^= flip
                guard let text = String(validating: changed, as: UTF8.self) else { continue }
                #expect(throws: SignedNote.Problem.self, "byte \(place)") {
                    try SignedTreeHead(text).verified(by: [key.verifier])
                }
            }
        }
    }

    @Test func `a tree head has three lines, or more`() throws {
        let root = MerkleHash.empty.base64
        #expect(try TreeHead(noteText: "log\n0\n\(root)\n").size == 0)
        #expect(try TreeHead(noteText: "log\n12\n\(root)\nextension\n").size == 12)
        for wrong in [
            "log\n012\n\(root)\n", "log\n-1\n\(root)\n", "log\n+1\n\(root)\n", "log\n1\n", "\n1\n\(root)\n",
            "log\n1\nAAAA\n",
            "log\n1\n\(root)\n\nx\n", "log\n99999999999999999999\n\(root)\n",
        ] { #expect(throws: SignedNote.Problem.self, "\(wrong)") { try TreeHead(noteText: wrong) } }
    }

    @Test func `a log goes on under another origin in another epoch`() throws {
        #expect(TreeHead.origin(of: "log", epoch: 1) == "log")
        #expect(TreeHead.origin(of: "log", epoch: 3) == "log/epoch-3")
        for (origin, epoch) in [
            ("log", 1), ("log/epoch-2", 2), ("log/epoch-1", nil), ("log/epoch-02", nil), ("log2", nil),
            ("log/epoch-", nil),
        ] { #expect(TreeHead.epoch(ofOrigin: origin, name: "log") == epoch, "\(origin)") }
        let (key, other) = (SigningKey(generatedFor: "log")!, SigningKey(generatedFor: "other")!)
        let foreign = TreeHead(origin: "log", size: 0, root: .empty)
        let note = try SignedNote(text: foreign.noteText, signedWith: other).description
        #expect(throws: SignedNote.Problem.self) {
            try SignedTreeHead(note).verified(by: [key.verifier, other.verifier])
        }
    }

    @Test func `keys are followed from one to the next, and only so`() throws {
        let keys = (0..<4).map { _ in SigningKey(generatedFor: "log")! }
        let announcements = try (1..<4).map {
            try KeyAnnouncement(try KeyAnnouncement(keys[$0].verifier, signedWith: keys[$0 - 1]).note.description)
        }
        var chain = KeyChain([keys[0].verifier])
        #expect(throws: SignedNote.Problem.self) { try chain.follow(announcements[1]) }
        for announcement in announcements { try chain.follow(announcement) }
        #expect(chain.keys == keys.map(\.verifier))
        #expect(throws: SignedNote.Problem.self) {
            try KeyAnnouncement(SigningKey(generatedFor: "other")!.verifier, signedWith: keys[0])
        }
    }
}
