import EventSourcing
import Foundation
import Ledger
import Postgres
import TestKit
import Testing
import Transparency

/// What auditors are given, checked with nothing but the public key.
@Suite(.timeLimit(.minutes(5))) struct ProverTests {
    @Test func `proofs of a sealed log hold, and say what the event says`() async throws {
        try await withProofs { ledger in
            let prover = LedgerProver(store: ledger.store)
            #expect(try await prover.treeHead() == nil)
            try await ledger.append(300)
            #expect(try await prover.inclusion(of: GlobalPosition(1)) == nil, "not sealed yet")
            try await ledger.sealAll(eventsPerHead: 130)
            let note = try #require(try await prover.treeHead())
            #expect(try SignedTreeHead(note).head.size == 300)
            for position: Int64 in [1, 2, 130, 256, 257, 300] {
                let json = try #require(try await prover.inclusion(of: GlobalPosition(position)))
                let words = try ProofDocument(json: Array(json.utf8)).verify(trusting: [ledger.key.verifier])
                #expect(words.contains("position \(position), version"), "\(words)")
                let changed = json.replacing(#"ä\":\"€"#, with: #"ä\":\"$"#)
                #expect(changed != json)
                #expect(throws: ProofDocument.Problem.self) {
                    try ProofDocument(json: Array(changed.utf8)).verify(trusting: [ledger.key.verifier])
                }
            }
            for position: Int64 in [0, 301, 1000] {
                #expect(try await prover.inclusion(of: GlobalPosition(position)) == nil)
            }
            for (old, new) in [(130, 260), (130, 300), (260, 260)] as [(Int64, Int64)] {
                let json = try #require(try await prover.consistency(from: old, to: new))
                let words = try ProofDocument(json: Array(json.utf8)).verify(trusting: [ledger.key.verifier])
                #expect(words.contains("of \(new) events begins with that of \(old)"), "\(words)")
            }
            #expect(try await prover.consistency(from: 131, to: 300) == nil)
            #expect(try await prover.consistency(from: 260, to: 130) == nil)
            #expect(try await prover.headSizes(near: 200) == [130, 260])
            let event = try await ledger.store.everything()[41]
            #expect(try await prover.position(of: event.event.id) == event.position)
            #expect(try await prover.position(of: SampleEvents.id()) == nil)
        }
    }

    @Test func `tiles and entries are a whole log for who trusts nothing else`() async throws {
        try await withProofs { ledger in
            try await ledger.append(10)
            try await ledger.fill(66_000)
            try await ledger.sealAll()
            let prover = LedgerProver(store: ledger.store)
            let head = try SignedTreeHead(try #require(try await prover.treeHead())).head
            #expect(head.size == 66_010)
            // Every entry, hashed here, gives the tiles; the tiles give the root.
            var tree = TiledTree()
            var full: [TiledTree.FullTile] = []
            for index: Int64 in 0...(head.size / 256) {
                let width = index < head.size / 256 ? 256 : Int(head.size % 256)
                let path = TileAddress.path(index: index, width: width)
                let bundle = try #require(try await prover.tile("entries/" + path))
                var place = 0
                while place < bundle.count {
                    let length = Int(bundle[place]) << 8 | Int(bundle[place + 1])
                    tree.append(.leaf(bundle[(place + 2)..<(place + 2 + length)]), completed: &full)
                    place += 2 + length
                }
                let tile = try #require(try await prover.tile("0/" + path))
                #expect(tile == (width == 256 ? full.last { $0.level == 0 }!.hashes : tree.edges[0]).concatenated)
            }
            #expect(tree.root == head.root)
            #expect(try await prover.tile("1/000") == full.last { $0.level == 1 }!.hashes.concatenated)
            #expect(try await prover.tile("1/001.p/1") == tree.edges[1].concatenated)
            #expect(try await prover.tile("2/000.p/1") == tree.edges[2].concatenated)
            let whole = try #require(try await prover.tile("0/000"))
            #expect(try await prover.tile("0/000.p/3") == Array(whole.prefix(96)))
            for wrong in [
                "", "0", "0/", "0/257", "0/258", "1/001", "1/001.p/2", "2/000", "00/000", "-1/000", "8/000", "0/0",
                "entries",
                "entries/257", "entries/1000", "x/000", "0/000.p/256", "0/000/",
            ] { #expect(try await prover.tile(wrong) == nil, "\(wrong)") }
        }
    }

    @Test func `a proof under a new key is followed from the old one`() async throws {
        try await withProofs { ledger in
            try await ledger.append(5)
            try await ledger.sealAll()
            let next = SigningKey(generatedFor: "example.com/log")!
            try await KeyHistory.announce(
                next.verifier, signedBy: ledger.key, in: ledger.store, id: SampleEvents.id(), at: SampleEvents.noon,
                actor: .controller("test"))
            try await ledger.sealAll(key: next)
            let prover = LedgerProver(store: ledger.store)
            for json in [
                try await prover.inclusion(of: GlobalPosition(2)), try await prover.consistency(from: 5, to: 6),
            ] {
                let document = try ProofDocument(json: Array(try #require(json).utf8))
                #expect(try document.verify(trusting: [ledger.key.verifier]).contains(next.verifier.description))
            }
        }
    }
}
