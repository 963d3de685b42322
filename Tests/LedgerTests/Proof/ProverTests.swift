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
            // Nor is the audit index believed, once there is one.
            for projector in Projector.all(store: ledger.store, logger: silent) { try await projector.catchUp() }
            let next = try await ledger.store.everything()[42]
            #expect(try await prover.position(of: next.event.id) == next.position)
            try await ledger.damage(
                """
                UPDATE views.audit_entry_1 SET event_id = '\(event.event.id)' WHERE position = 200;
                DELETE FROM views.audit_entry_1 WHERE position IN (42, 43)
                """)
            for one in [event, next] { #expect(try await prover.position(of: one.event.id) == one.position) }
        }
    }

    @Test func `a head that was kept outside is compared with the ledger's, and stands in the proof as it was given`()
        async throws
    {
        try await withProofs { ledger in
            try await ledger.append(300)
            try await ledger.sealAll(eventsPerHead: 130)
            let prover = LedgerProver(store: ledger.store)
            let (kept, last) = (try await ledger.head(130), try await ledger.head())
            func words(_ old: LedgerProver.NamedHead, _ new: LedgerProver.NamedHead) async throws -> String {
                let json = try #require(try await prover.consistency(from: old, to: new))
                return try ProofDocument(json: Array(json.utf8)).verify(trusting: [ledger.key.verifier])
            }
            #expect(try await words(.held(kept), .ofSize(300)).contains("300 events begins with that of 130"))
            #expect(try await words(.held(kept), .held(last)).contains("300 events begins with that of 130"))
            // Another note of the same head is no fork, and is what is proven.
            let stranger = SigningKey(generatedFor: "example.com/log")!
            let other = try SignedTreeHead(SignedNote(text: kept.head.noteText, signedWith: stranger).description)
            let json = try #require(try await prover.consistency(from: .held(other), to: .ofSize(300)))
            #expect(throws: ProofDocument.Problem.self) {
                try ProofDocument(json: Array(json.utf8)).verify(trusting: [ledger.key.verifier])
            }
            // A head of a size that the ledger keeps none of is compared with its tiles.
            try await ledger.damage("DELETE FROM ledger.tree_head WHERE size = 130")
            #expect(try await words(.held(kept), .ofSize(300)).contains("300 events begins with that of 130"))
            #expect(try await prover.consistency(from: .ofSize(130), to: .ofSize(300)) == nil)
            let forged = TreeHead(origin: "example.com/log", size: 131, root: kept.head.root)
            await #expect(throws: LedgerProver.Fork.self) {
                let held = try SignedTreeHead(SignedNote(text: forged.noteText, signedWith: ledger.key).description)
                _ = try await prover.consistency(from: .held(held), to: .ofSize(300))
            }
            // Who has the key rewrites the past and seals it anew: heads of the same sizes, and another log.
            try await ledger.damage(
                """
                UPDATE ledger.event SET event_id = gen_random_uuid() WHERE position = 5;
                DELETE FROM ledger.tile; DELETE FROM ledger.tile_edge; DELETE FROM ledger.tree_head;
                UPDATE ledger.sealed SET size = 0
                """)
            try await ledger.elsewhere.sealAll(eventsPerHead: 130)
            #expect(try await words(.ofSize(130), .ofSize(300)).contains("300 events begins with that of 130"))
            let fork = await #expect(throws: LedgerProver.Fork.self) {
                _ = try await prover.consistency(from: .held(kept), to: .ofSize(300))
            }
            #expect(fork?.description.contains("130 events has another root") == true)
            await #expect(throws: LedgerProver.Fork.self) {
                _ = try await prover.consistency(from: .ofSize(130), to: .held(last))
            }
            let beyond = TreeHead(origin: "example.com/log", size: 301, root: last.head.root)
            let longer = try SignedTreeHead(SignedNote(text: beyond.noteText, signedWith: ledger.key).description)
            #expect(try await prover.consistency(from: .ofSize(130), to: .held(longer)) == nil)
            let elsewhere = TreeHead(
                origin: "example.com/log/epoch-2", size: 130, root: try await ledger.head(130).head.root)
            let cut = try SignedTreeHead(SignedNote(text: elsewhere.noteText, signedWith: ledger.key).description)
            await #expect(throws: LedgerProver.Fork.self) {
                _ = try await prover.consistency(from: .held(cut), to: .ofSize(300))
            }
        }
    }

    @Test func `an announcement that cannot be read takes neither the proofs nor the report away`() async throws {
        try await withProofs { ledger in
            try await ledger.append(5)
            try await ledger.sealAll()
            let next = SigningKey(generatedFor: "example.com/log")!
            try await KeyHistory.announce(
                next.verifier, signedBy: ledger.key, in: ledger.store, id: SampleEvents.id(), at: SampleEvents.noon,
                actor: .controller("test"))
            try await ledger.sealAll()
            try await ledger.damage(#"UPDATE ledger.event SET data = '{"note":"gone"}' WHERE position = 6"#)
            let prover = LedgerProver(store: ledger.store)
            for json in [
                try await prover.inclusion(of: GlobalPosition(2)), try await prover.consistency(from: 5, to: 6),
            ] {
                let document = try ProofDocument(json: Array(try #require(json).utf8))
                #expect(throws: Never.self) { try document.verify(trusting: [ledger.key.verifier]) }
            }
            let report = try await ledger.verify()
            #expect(report.findings.map(\.kind) == [.content])
            #expect(report.firstBadPosition == 6)
            #expect(report.remarks.contains { $0.contains("position 6 cannot be read") })
            // What may not go on without it says so.
            await #expect(throws: SealHalt.self) { try await KeyHistory.read(ledger.store) }
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
