import EventSourcing
import Foundation
import Postgres
import TestKit
import Testing
import Transparency

@testable import Ledger

@Suite(.timeLimit(.minutes(5))) struct SealerTests {
    /// The leaf of an event as the store gives it, made after FORMAT.md.
    private func leaf(_ recorded: RecordedEvent) -> MerkleHash {
        func bytes(_ id: Identifier) -> [UInt8] { withUnsafeBytes(of: id.uuid.uuid) { Array($0) } }
        let event = recorded.event
        var parts = HashedParts()
        let content = EventContent(
            type: event.type, occurredAt: event.occurredAt.microseconds, correlation: bytes(event.correlation),
            causation: event.causation.map(bytes), subject: event.actor.subject, issuer: event.actor.issuer,
            method: event.actor.method.rawValue, onBehalfOf: event.actor.onBehalfOf, data: event.data,
            metadata: event.metadata
        ).hash(using: &parts)
        #expect(content.bytes == ContentHash.of(event))
        return LeafEntry(
            position: recorded.position.value, epoch: Int64(recorded.epoch), stream: recorded.stream.description,
            version: recorded.version.value, eventID: bytes(event.id), recordedAt: recorded.recordedAt.microseconds,
            contentHash: content
        ).hash
    }

    @Test func `heads are those of the tree over what the store gives, whoever sealed up to where`() async throws {
        try await withProofs { ledger in
            try await ledger.append(700)
            // A new sealer each time, as after crashes, with heads of many sizes.
            for step in [1, 2, 61, 192, 1, 255, 100, 88] {
                #expect(try await ledger.sealer(eventsPerHead: step).seal() == step)
            }
            #expect(try await ledger.sealer().seal() == 0)
            let leaves = try await ledger.store.everything().map(leaf)
            for size: Int64 in [1, 3, 64, 256, 257, 512, 612, 700] {
                let signed = try await ledger.head(size)
                #expect(try signed.verified(by: [ledger.key.verifier]) == ledger.key.verifier)
                #expect(signed.head.size == size)
                #expect(signed.head.root == MerkleHash.root(of: leaves[..<Int(size)]))
            }
            #expect(
                try await ledger.value(
                    "SELECT string_agg(level || ':' || octet_length(hashes) / 32, ',' ORDER BY level) FROM ledger.tile_edge"
                )
                    == "0:188,1:2")
            #expect(try await ledger.value("SELECT count(*) FROM ledger.tile") == "2")
            #expect(try await ledger.verify().findings == [])
        }
    }

    @Test func `a running sealer follows the log, and its lag falls to nothing`() async throws {
        try await withProofs { ledger in
            let sealer = ledger.sealer()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await sealer.run() }
                for _ in 0..<3 {
                    try await ledger.append(20)
                    try await sealer.waitUntil(try await ledger.store.head())
                    #expect(try await sealer.lag() == 0)
                }
                group.cancelAll()
            }
            #expect(try await ledger.head().head.size == 60)
        }
    }

    @Test func `a sealer that gets its turn back begins from what another has sealed meanwhile`() async throws {
        try await withProofs { ledger in
            let first = ledger.sealer()
            /// Runs until all there is by now is sealed.
            func turn(_ sealer: Sealer) async throws {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await sealer.run() }
                    try await sealer.waitUntil(try await ledger.store.head())
                    group.cancelAll()
                }
            }
            try await ledger.append(30)
            try await turn(first)
            try await ledger.append(30)
            try await turn(ledger.sealer())
            try await ledger.append(5)
            // Into an archive goes, among others, the event that it sealed last.
            try await ledger.damage("DELETE FROM ledger.event WHERE position BETWEEN 11 AND 40")
            try await turn(first)
            #expect(await first.halt == nil)
            #expect(try await ledger.head().head.size == 65)
        }
    }

    @Test func `several sealers at once on one log do each other no harm`() async throws {
        try await withProofs { ledger in
            let sealers = (0..<3).map { _ in ledger.sealer(eventsPerHead: 7) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for sealer in sealers { group.addTask { try await sealer.run() } }
                try await ledger.append(200)
                let head = try await ledger.store.head()
                try await sealers[0].waitUntil(head)
                group.cancelAll()
            }
            for sealer in sealers { #expect(await sealer.halt == nil) }
            let report = try await ledger.verify()
            #expect(report.findings == [])
            #expect(report.sealed == 200)
        }
    }

    @Test func `a sealer stands still when the last sealed event is another one`() async throws {
        for (damage, words) in [
            (
                "UPDATE ledger.event SET event_id = gen_random_uuid() WHERE position = 30",
                "is not the one that was sealed"
            ),
            (
                "UPDATE ledger.event SET recorded_at = 'infinity' WHERE position = 30",
                "is not the one that was sealed"
            ),
            ("DELETE FROM ledger.event WHERE position = 30", "no event at position 30"),
            ("UPDATE ledger.tile_edge SET hashes = set_byte(hashes, 40, get_byte(hashes, 40) # 1)", "root"),
            ("UPDATE ledger.sealed SET size = 31", "tiles"), ("DELETE FROM ledger.tree_head", "tree head"),
            ("DELETE FROM ledger.event WHERE position = 35", "no event at position 35"),
            (
                "UPDATE ledger.tree_head SET note = replace(note, 'example.com/log', 'example.com/lag')",
                "not signed as it claims"
            ),
        ] {
            try await withProofs { ledger in
                try await ledger.append(30)
                try await ledger.sealAll()
                try await ledger.append(10)
                try await ledger.damage(damage)
                let sealer = ledger.sealer()
                let halt = await #expect(throws: SealHalt.self, "\(damage)") { try await sealer.seal() }
                #expect(halt?.reason.contains(words) == true, "\(damage): \(halt?.reason ?? "")")
                #expect(await sealer.halt == halt)
                await #expect(throws: SealHalt.self) { try await sealer.waitUntil(GlobalPosition(40)) }
                #expect(
                    try await ledger.value("SELECT coalesce(max(size), 0) FROM ledger.tree_head WHERE size > 30") == "0"
                )
            }
        }
    }

    @Test func `what is done to an event between its append and its seal shows`() async throws {
        try await withProofs { ledger in
            try await ledger.append(30)
            try await ledger.sealAll()
            try await ledger.append(10)
            try await ledger.damage("UPDATE ledger.event SET event_id = gen_random_uuid() WHERE position = 35")
            #expect(try await ledger.sealer().seal() == 10)
            #expect(try await ledger.verify().firstBadPosition == 35)
        }
    }

    @Test func `actors whose names are one text in two ways of writing are two, and verify`() async throws {
        try await withProofs { ledger in
            let names = ["Ren\u{e9}", "Rene\u{301}"]
            #expect(names[0] == names[1])
            for (version, name) in names.enumerated() {
                let append = Append(
                    stream: SampleEvents.stream("proof-names"), expecting: .exactly(StreamVersion(Int64(version))),
                    events: [SampleEvents.event(by: name)])
                _ = try await ledger.store.append(append)
            }
            try await ledger.sealAll()
            #expect(try await ledger.verify().findings == [])
            let kept = try await ledger.store.everything().map { Array($0.event.actor.subject.utf8) }
            #expect(kept == names.map { Array($0.utf8) })
        }
    }

    @Test func `what others append behind it is sealed with it`() async throws {
        try await withProofs { ledger in
            try await ledger.append(10)
            try await ledger.elsewhere.append(10)
            // As if it had been notified.
            await ledger.store.lookAgain()
            #expect(try await ledger.sealer().seal() == 20)
            #expect(try await ledger.verify().findings == [])
        }
    }

    @Test func `what was appended and is not in the log is not sealed`() async throws {
        for (loss, size) in [
            (
                "DELETE FROM ledger.event WHERE position > 35; DELETE FROM ledger.append_batch WHERE last_position > 35",
                35
            ),
            // As after a failover, with another event in its place.
            ("UPDATE ledger.event SET event_id = gen_random_uuid() WHERE position = 40", 40),
        ] {
            try await withProofs { ledger in
                try await ledger.append(30)
                try await ledger.sealAll()
                try await ledger.append(10)
                try await ledger.damage(loss)
                try await ledger.sealAll()
                let leaves = try await ledger.store.everything().map(leaf)
                #expect(leaves.count == size)
                let head = try await ledger.head().head
                #expect(head.size == Int64(size))
                #expect(head.root == MerkleHash.root(of: leaves[...]))
                #expect(try await ledger.verify().findings == [])
            }
        }
    }

    @Test func `a database that was put back is noticed from the head kept beside it`() async throws {
        let forget =
            "DELETE FROM ledger.tile; DELETE FROM ledger.tile_edge; DELETE FROM ledger.tree_head; UPDATE ledger.sealed SET size = 0;"
        for (damage, words) in [
            (
                "DELETE FROM ledger.event WHERE position > 20; DELETE FROM ledger.append_batch WHERE last_position > 20",
                "was cut short"
            ),
            ("UPDATE ledger.event SET event_id = gen_random_uuid() WHERE position = 5", "not the log that it was"),
        ] {
            try await withProofs { ledger in
                let file = FileManager.default.temporaryDirectory.appendingPathComponent("head-\(UUID().uuidString)")
                    .path
                defer { #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: file) } }
                try await ledger.append(30)
                #expect(try await ledger.sealer(lastHeadFile: file).seal() == 30)
                // Only forgotten, not changed: the same head is reached again, and the log goes on from there.
                try await ledger.damage(forget)
                try await ledger.append(5)
                let again = ledger.sealer(lastHeadFile: file)
                #expect(try await again.seal() == 30)
                #expect(try await again.seal() == 5)
                try await ledger.damage(forget + damage)
                let halt = await #expect(throws: SealHalt.self) { try await ledger.sealer(lastHeadFile: file).seal() }
                #expect(halt?.reason.contains(words) == true, "\(halt?.reason ?? "")")
                // Sealed by somebody who has no such file: noticed all the same.
                try await ledger.elsewhere.sealAll()
                await #expect(throws: SealHalt.self) { try await ledger.sealer(lastHeadFile: file).seal() }
            }
        }
    }

    @Test func `a log that was cut short goes on in a new epoch, under another origin`() async throws {
        try await withProofs { ledger in
            let file = FileManager.default.temporaryDirectory.appendingPathComponent("head-\(UUID().uuidString)").path
            defer { #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: file) } }
            try await ledger.append(20)
            try await ledger.sealAll()
            try await ledger.append(10)
            #expect(try await ledger.sealer(lastHeadFile: file).seal() == 10)
            let lost = try await ledger.head()
            let kept = try await ledger.head(20)
            // As a standby that lacked the last ten events would have it.
            try await ledger.damage(
                """
                DELETE FROM ledger.event WHERE position > 20; DELETE FROM ledger.append_batch WHERE last_position > 20;
                DELETE FROM ledger.tree_head WHERE size > 20; UPDATE ledger.sealed SET size = 20;
                UPDATE ledger.tile_edge SET hashes = substr(hashes, 1, 640);
                INSERT INTO ledger.append_batch SELECT 21, 21, recorded_at, 2 FROM ledger.append_batch WHERE last_position = 20;
                INSERT INTO ledger.event
                SELECT 21, stream_id, 5, (SELECT max(recorded_at) FROM ledger.event), occurred_at, gen_random_uuid(), correlation, causation, type_id,
                       actor_id, 2, content_hash, data, metadata
                FROM ledger.event
                WHERE position = 16
                """)
            #expect(try await ledger.sealer(lastHeadFile: file).seal() == 1)
            #expect(try await ledger.head().head.origin == "example.com/log/epoch-2")
            #expect(try await ledger.verify(against: [kept]).findings == [])
            let report = try await ledger.verify(against: [lost])
            #expect(report.findings.map(\.kind) == [.cut])
            #expect(report.firstBadPosition == 21)
        }
    }

    @Test func `only the log's key signs, or the one that it announced`() async throws {
        try await withProofs { ledger in
            try await ledger.append(5)
            try await ledger.sealAll()
            let next = SigningKey(generatedFor: "example.com/log")!
            let refused = ledger.sealer(key: next)
            try await ledger.append(5)
            await #expect(throws: SealHalt.self) { try await refused.seal() }
            func announce(_ new: SigningKey, _ old: SigningKey) async throws {
                try await KeyHistory.announce(
                    new.verifier, signedBy: old, in: ledger.store, id: SampleEvents.id(), at: SampleEvents.noon,
                    actor: .controller("test"))
            }
            await #expect(throws: SigningFailure.self) {
                try await announce(SigningKey(generatedFor: "other")!, ledger.key)
            }
            try await announce(next, ledger.key)
            await #expect(throws: SigningFailure.self) { try await announce(next, ledger.key) }
            #expect(try await ledger.sealer(key: next).seal() == 6)
            let last = SigningKey(generatedFor: "example.com/log")!
            try await announce(last, next)
            try await ledger.append(1)
            #expect(try await ledger.sealer(key: last).seal() == 2)
            // A key is not announced by itself.
            await #expect(throws: SigningFailure.self) { try await announce(last, last) }
            // Nor does one come back: its chain would lead on to those that it announced.
            for old in [ledger.key, next] {
                await #expect(throws: SigningFailure.self) { try await announce(old, last) }
            }
            // Who trusts the first key follows to the last; who trusts the last knows nothing of the first.
            #expect(try await ledger.verify(against: [try await ledger.head()]).findings == [])
            let stranger = try await LedgerVerifier(store: ledger.store).verify(trusting: [last.verifier])
            #expect(Set(stranger.findings.map(\.kind)) == [.signature])
            // A head signed before its key was announced is not believed.
            try await ledger.damage(
                "UPDATE ledger.event SET position = 100 WHERE position = 11; DELETE FROM ledger.append_batch")
            await #expect(throws: SealHalt.self) { try await ledger.sealer(key: ledger.key).seal() }
        }
    }

    @Test func `the first announcement has to be signed by the key that has signed the log`() async throws {
        try await withProofs { ledger in
            func announce(_ new: SigningKey, _ old: SigningKey) async throws {
                try await KeyHistory.announce(
                    new.verifier, signedBy: old, in: ledger.store, id: SampleEvents.id(), at: SampleEvents.noon,
                    actor: .controller("test"))
            }
            func fresh() -> SigningKey { SigningKey(generatedFor: "example.com/log")! }
            // Announcements of another ledger, as an import brings them, say nothing of this one's key.
            let (foreign, foreignNext) = (fresh(), fresh())
            try await announce(foreignNext, foreign)
            await #expect(throws: SigningFailure.self, "it has announced another") {
                try await announce(fresh(), foreign)
            }
            try await ledger.append(5)
            try await ledger.sealAll()
            await #expect(throws: SigningFailure.self) { try await announce(fresh(), foreignNext) }
            await #expect(throws: SigningFailure.self) { try await announce(fresh(), fresh()) }
            let next = fresh()
            try await announce(next, ledger.key)
            #expect(try await ledger.sealer(key: next).seal() == 1)
            #expect(try await ledger.verify().findings == [])
        }
    }

    @Test func `the database itself keeps heads and tiles, and refuses one that is not larger`() async throws {
        try await withProofs { ledger in
            try await ledger.append(300)
            try await ledger.sealAll(eventsPerHead: 100)
            let connection = try await PostgresConnection.connect(ledger.owner)
            for statement: SQL in [
                "UPDATE ledger.tree_head SET signer = signer", "DELETE FROM ledger.tile", "TRUNCATE ledger.tree_head",
                "INSERT INTO ledger.tree_head SELECT * FROM ledger.tree_head WHERE size = 100",
                """
                INSERT INTO ledger.tree_head (size, root, epoch, signer, note)
                SELECT 150, root, epoch, signer, replace(note, '100', '150') FROM ledger.tree_head WHERE size = 100
                """,
                """
                INSERT INTO ledger.tree_head (size, root, epoch, signer, note)
                SELECT 400, root, epoch, signer, note FROM ledger.tree_head WHERE size = 100
                """,
            ] {
                await #expect(throws: PostgresError.self, "\(statement.rendered.text)") {
                    try await connection.query(statement)
                }
            }
            await connection.close()
            let service = try await PostgresConnection.connect(ledger.owner.asLedgerService)
            await #expect(throws: PostgresError.self) { try await service.query("UPDATE ledger.sealed SET size = 0") }
            await #expect(throws: PostgresError.self, "a tree of another size") {
                try await service.query(
                    """
                    SELECT ledger.seal(300, 300 + 1, '{}', '{}', '{}', '{}', '{}', decode(repeat('00', 32), 'hex'), 1, 'x', 'x')
                    """)
            }
            await service.close()
        }
    }

    @Test func `a key file is for its owner alone, and is never overwritten`() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("key-\(UUID().uuidString)").path
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: file) } }
        let key = SigningKey(generatedFor: "example.com/log")!
        try SealKeyFile.create(file, key)
        #expect(try SealKeyFile.read(file).verifier == key.verifier)
        let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(throws: SigningFailure.self) {
            try SealKeyFile.create(file, SigningKey(generatedFor: "example.com/log")!)
        }
        #expect(try SealKeyFile.read(file).verifier == key.verifier)
        let folder = (file as NSString).deletingLastPathComponent
        let beside = try FileManager.default.contentsOfDirectory(atPath: folder).filter {
            $0.hasPrefix((file as NSString).lastPathComponent)
        }
        #expect(beside.count == 1, "no draft stays: \(beside)")
        for wider in [0o640, 0o604, 0o620, 0o666] {
            try FileManager.default.setAttributes([.posixPermissions: wider], ofItemAtPath: file)
            #expect(throws: SigningFailure.self) { try SealKeyFile.read(file) }
        }
        try FileManager.default.setAttributes([.posixPermissions: 0o400], ofItemAtPath: file)
        #expect(try SealKeyFile.read(file).verifier == key.verifier)
        #expect(throws: SigningFailure.self) { try SealKeyFile.read(file + ".none") }
    }

    @Test func `a command signs, and what is no signature of the key is not published`() async throws {
        let key = SigningKey(generatedFor: "example.com/log")!
        let text = TreeHead(origin: "example.com/log", size: 3, root: .empty).noteText
        let good = Data(key.signature(over: Array(text.utf8))).base64EncodedString()
        // Stands in for a key kept elsewhere: it signs this one text.
        let signer = CommandSigner(#"test "$(sed -n 2p)" = 3 && echo \#(good)"#, verifier: key.verifier)
        #expect(try await signer.sign(text) == Array(Data(base64Encoded: good)!))
        for (command, words) in [
            ("echo no key >&2; exit 3", "status 3: no key"), ("echo hello", "no 64 bytes"),
            ("exec sleep 60", "did not end"),
        ] {
            let failure = await #expect(throws: SigningFailure.self) {
                try await CommandSigner(
                    command, verifier: key.verifier, patience: .milliseconds(words == "did not end" ? 50 : 10_000)
                ).sign(text)
            }
            #expect(failure?.description.contains(words) == true, "\(failure?.description ?? "")")
        }
        try await withProofs { ledger in
            try await ledger.append(3)
            let sealer = ledger.sealer(key: CommandSigner("echo \(good)", verifier: key.verifier))
            await #expect(throws: SigningFailure.self) { try await sealer.seal() }
            #expect(await sealer.halt == nil, "the command may be mended")
            #expect(try await ledger.value("SELECT count(*) FROM ledger.tree_head") == "0")
        }
    }
}
