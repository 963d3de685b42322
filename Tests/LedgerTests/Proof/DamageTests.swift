import EventSourcing
import Foundation
import Ledger
import Postgres
import TestKit
import Testing
import Transparency

/// Whatever is done to the log by who may do everything, a head that was held outside brings it to light.
@Suite(.timeLimit(.minutes(20))) struct DamageTests {
    /// How many times the log is damaged; `ROLLBOOK_DAMAGE_TRIALS` asks for more, `ROLLBOOK_DAMAGE_SEED` for others.
    private static let trials = number("ROLLBOOK_DAMAGE_TRIALS") ?? 100
    private static let seed = number("ROLLBOOK_DAMAGE_SEED") ?? 1

    private static func number(_ variable: String) -> Int? {
        ProcessInfo.processInfo.environment[variable].flatMap(Int.init)
    }

    private static let length: Int64 = 600
    private static let held: Int64 = 450

    /// One way to damage the log at a position.
    private struct Damage {
        var name: String
        var statements: String
        /// The first position that is bad; nil if only a range can be named.
        var position: Int64?
        /// Whether tree and heads are made anew with the attacker's key.
        var isResealed = false
    }

    private static func damage(_ random: inout Seeded) -> Damage {
        let position = Int64.random(in: 1...length, using: &random)
        let one = "WHERE position = \(position)"
        let byte = Int.random(in: 0..<1000, using: &random)
        let bit = 1 << Int.random(in: 0...6, using: &random)
        func uuid(_ column: String) -> Damage {
            let flip =
                "set_byte(uuid_send(coalesce(\(column), event_id)), \(byte % 16), get_byte(uuid_send(coalesce(\(column), event_id)), \(byte % 16)) # \(bit))"
            return Damage(
                name: column, statements: "UPDATE ledger.event SET \(column) = encode(\(flip), 'hex')::uuid \(one)",
                position: position)
        }
        func set(_ column: String, _ value: String) -> Damage {
            Damage(name: column, statements: "UPDATE ledger.event SET \(column) = \(value) \(one)", position: position)
        }
        // A letter in place of another, at any place of the text.
        func text(_ column: String) -> String {
            let place = "\(byte) % length(\(column)) + 1"
            return
                "overlay(\(column) placing CASE substr(\(column), \(place), 1) WHEN '~' THEN '^' ELSE '~' END from \(place) for 1)"
        }
        func name(_ table: String, _ id: String, _ column: String, _ value: String? = nil) -> Damage {
            let row = "\(id) = (SELECT \(id) FROM ledger.event \(one))"
            return Damage(
                name: "\(table).\(column)",
                statements: "UPDATE ledger.\(table) SET \(column) = \(value ?? text(column)) WHERE \(row)",
                position: 0)
        }
        let recompute = """
            UPDATE ledger.event e SET content_hash = sha256(
                pg_temp.part('rollbook.event.v1'::bytea) || pg_temp.part(convert_to(t.name, 'UTF8'))
                || pg_temp.part(int8send((extract(epoch FROM e.occurred_at) * 1000000)::bigint))
                || pg_temp.part(uuid_send(e.correlation)) || pg_temp.part(uuid_send(e.causation))
                || pg_temp.part(convert_to(a.subject, 'UTF8')) || pg_temp.part(convert_to(a.issuer, 'UTF8'))
                || pg_temp.part(convert_to(a.method, 'UTF8')) || pg_temp.part(convert_to(a.on_behalf_of, 'UTF8'))
                || pg_temp.part(convert_to(e.data, 'UTF8')) || pg_temp.part(convert_to(e.metadata, 'UTF8')))
            FROM ledger.event_type t, ledger.actor a
            WHERE t.type_id = e.type_id AND a.actor_id = e.actor_id AND e.position = \(position)
            """
        let part = """
            CREATE FUNCTION pg_temp.part(b bytea) RETURNS bytea LANGUAGE sql AS
            $$ SELECT CASE WHEN b IS NULL THEN int4send(-1) ELSE int4send(octet_length(b)) || b END $$;
            """
        let forget =
            "DELETE FROM ledger.tile; DELETE FROM ledger.tile_edge; DELETE FROM ledger.tree_head; UPDATE ledger.sealed SET size = 0"
        let renumber = "UPDATE ledger.event SET position = position"
        switch Int.random(in: 0..<27, using: &random) {
        case 0: return uuid("event_id")
        case 1: return uuid("correlation")
        case 2: return uuid("causation")
        case 3: return set("data", text("data"))
        case 4: return set("metadata", "'{ }'")
        case 5:
            return set(
                "content_hash", "set_byte(content_hash, \(byte % 32), get_byte(content_hash, \(byte % 32)) # \(bit))")
        case 6: return set("occurred_at", "occurred_at + interval '1 microsecond'")
        case 7: return set("recorded_at", "recorded_at + interval '1 microsecond'")
        case 8: return set("epoch", "epoch + 1")
        case 9: return set("version", "version + 1000")
        case 10:
            return set(
                "stream_id",
                "(SELECT min(stream_id) FROM ledger.stream s WHERE s.stream_id <> event.stream_id AND s.name LIKE 'proof-%'), version = version + 1000"
            )
        case 11:
            return set("type_id", "(SELECT min(type_id) FROM ledger.event_type t WHERE t.type_id <> event.type_id)")
        case 12: return set("actor_id", "(SELECT min(actor_id) FROM ledger.actor a WHERE a.actor_id <> event.actor_id)")
        case 13: return name("stream", "stream_id", "name")
        case 14: return name("event_type", "type_id", "name")
        case 15: return name("actor", "actor_id", "subject")
        case 16: return name("actor", "actor_id", "issuer")
        case 17: return name("actor", "actor_id", "method", "'oidc'")
        case 18: return name("actor", "actor_id", "on_behalf_of", "CASE WHEN on_behalf_of IS NULL THEN '' END")
        case 19: return Damage(name: "deleted", statements: "DELETE FROM ledger.event \(one)", position: position)
        case 20, 21:
            let other = Int64.random(in: 1...length, using: &random)
            let (a, b) = (min(position, other), max(position, other))
            return Damage(
                name: "swapped",
                statements: a == b
                    ? "DELETE FROM ledger.event \(one)"
                    : """
                    \(renumber) + 1000000 WHERE position = \(a); \(renumber) - \(b - a) WHERE position = \(b);
                    \(renumber) - 1000000 + \(b - a) WHERE position = \(a) + 1000000
                    """, position: a)
        case 22:
            return Damage(
                name: "tail cut", statements: "DELETE FROM ledger.event WHERE position >= \(position)",
                position: position)
        case 23:
            return Damage(
                name: "tail cut without a trace",
                statements: """
                    DELETE FROM ledger.event WHERE position >= \(position); \(forget);
                    DELETE FROM ledger.append_batch WHERE last_position >= \(position)
                    """, position: position, isResealed: true)
        case 24:
            return Damage(
                name: "rewritten with its hash",
                statements: part + "UPDATE ledger.event SET data = '{}' \(one); " + recompute,
                position: position)
        case 25:
            return Damage(
                name: "fork", statements: part + "UPDATE ledger.event SET data = '{}' \(one); \(recompute); \(forget)",
                position: nil, isResealed: true)
        default:
            return Damage(
                name: "left out without a trace",
                statements: """
                    DELETE FROM ledger.event \(one); \(renumber) + 1000000 WHERE position > \(position);
                    \(renumber) - 1000001 WHERE position > 1000000; \(forget);
                    DELETE FROM ledger.append_batch WHERE last_position >= \(length)
                    """,
                position: nil, isResealed: true)
        }
    }

    @Test func `what no sealer can go on from is not called intact`() async throws {
        for (damage, position, words) in [
            ("DELETE FROM ledger.tile_edge WHERE level = 0", 513, "level 0 has 0 hashes"),
            ("DELETE FROM ledger.tile_edge WHERE level = 1", 1, "level 1 has 0 hashes"),
            (
                "UPDATE ledger.tile_edge SET hashes = substr(hashes, 1, 320) WHERE level = 0", 523,
                "level 0 has 10 hashes"
            ),
            ("UPDATE ledger.tile_edge SET hashes = substr(hashes, 1, 32) WHERE level = 1", 257, "level 1 has 1 hashes"),
            ("INSERT INTO ledger.tile_edge SELECT 2, hashes FROM ledger.tile_edge WHERE level = 1", 1, "level 2 has 2"),
        ] as [(String, Int64, String)] {
            try await withProofs { ledger in
                try await ledger.append(540)
                try await ledger.sealAll()
                try await ledger.damage(damage)
                let report = try await ledger.verify()
                #expect(report.findings.map(\.kind) == [.tile], "\(damage): \(report.findings)")
                #expect(report.firstBadPosition == position, "\(damage)")
                #expect(report.findings.first?.detail.contains(words) == true, "\(damage): \(report.findings)")
                await #expect(throws: SealHalt.self) { try await ledger.sealer().seal() }
            }
        }
    }

    private static let tables = [
        "event", "append_batch", "stream", "event_type", "actor", "tile", "tile_edge", "tree_head", "sealed",
    ]

    @Test func `every damage at or below a head that was held outside is found, and none is made up`() async throws {
        try await withProofs { ledger in
            try await ledger.append(Int(Self.length))
            try await ledger.sealAll(eventsPerHead: 90)
            let outside = try await ledger.head(Self.held)
            #expect(try await ledger.verify(against: [outside]).findings == [])
            #expect(try await ledger.verify().findings == [])
            let save = Self.tables.map { "CREATE TABLE saved_\($0) AS TABLE ledger.\($0);" }.joined()
            let restore = Self.tables.map { table in
                let overriding = ["stream", "event_type", "actor"].contains(table) ? "OVERRIDING SYSTEM VALUE " : ""
                return
                    "DELETE FROM ledger.\(table); INSERT INTO ledger.\(table) \(overriding)SELECT * FROM saved_\(table);"
            }.joined()
            try await ledger.damage(save)
            var random = Seeded(state: UInt64(Self.seed))
            var found: [String: Int] = [:]
            for trial in 0..<Self.trials {
                let damage = Self.damage(&random)
                try await ledger.damage(damage.statements)
                if damage.isResealed {
                    try await ledger.elsewhere.sealAll(key: SigningKey(generatedFor: "example.com/log")!)
                }
                // Where it shows first, worked out from the tables and not by the verifier.
                let first = try await firstDifference(ledger)
                let report = try await ledger.verify(against: [outside])
                let place =
                    "trial \(trial) (\(damage.name)) at \(first.map(String.init) ?? "none"): \(report.findings.prefix(2))"
                if let first, first <= Self.held {
                    #expect(!report.intact, "\(place)")
                    if damage.position != nil {
                        #expect(report.firstBadPosition == first, "\(place)")
                    } else if let finding = report.findings.first {
                        #expect(finding.position <= first && first <= (finding.through ?? finding.position), "\(place)")
                    }
                    found[damage.name, default: 0] += 1
                } else {
                    let own = report.findings.filter { $0.kind != .signature && $0.kind != .tile }
                    #expect(damage.isResealed ? own == [] : report.findings == [], "\(place)")
                }
                try await ledger.damage(restore)
            }
            #expect(try await ledger.verify(against: [outside]).findings == [])
            if Self.trials >= 100 { #expect(found.count >= 20, "\(found)") }
        }
    }

    /// The lowest position at which an event differs from what was saved, in any column or name.
    private func firstDifference(_ ledger: ProofDatabase) async throws -> Int64? {
        func rows(_ schema: String, _ prefix: String) -> String {
            """
            SELECT e.position, row(e.version, e.recorded_at, e.occurred_at, e.event_id, e.correlation, e.causation, e.epoch,
                       e.content_hash, e.data, e.metadata, s.name, t.name, a.subject, a.issuer, a.method, a.on_behalf_of)::text AS what
            FROM \(schema)\(prefix)event e
            JOIN \(schema)\(prefix)stream s USING (stream_id)
            JOIN \(schema)\(prefix)event_type t USING (type_id)
            JOIN \(schema)\(prefix)actor a USING (actor_id)
            """
        }
        let text = try await ledger.value(
            """
            SELECT coalesce(min(coalesce(n.position, o.position)), 0)
            FROM (\(rows("ledger.", ""))) n
            FULL JOIN (\(rows("", "saved_"))) o ON o.position = n.position
            WHERE n.what IS DISTINCT FROM o.what
            """)
        return Int64(text).flatMap { $0 == 0 ? nil : $0 }
    }

    @Test func `damage to tiles and heads is found, and is not taken for damage to events`() async throws {
        try await withProofs { ledger in
            try await ledger.append(20)
            try await ledger.sealAll()
            try await ledger.fill(70_000)
            try await ledger.sealAll(eventsPerHead: 30_000)
            #expect(try await ledger.verify().findings == [])
            let report = try await ledger.verify()
            #expect(report.events == 70_020 && report.sealed == 70_020 && report.storedHeads == 4)
            #expect(report.root == (try await ledger.head().head.root.base64))
            func flip(_ table: String, _ column: String, _ byte: Int, _ condition: String) -> String {
                "UPDATE ledger.\(table) SET \(column) = set_byte(\(column), \(byte), get_byte(\(column), \(byte)) # 16) WHERE \(condition)"
            }
            let undo = Self.tables.filter { $0.hasPrefix("t") }
            try await ledger.damage(undo.map { "CREATE TABLE saved_\($0) AS TABLE ledger.\($0);" }.joined())
            let damages: [(String, VerifyReport.Finding.Kind, Int64)] = [
                (
                    flip("tile", "hashes", 33, "level = 0 AND index = 260"), .leaf, 66_562
                ),
                (flip("tile", "hashes", 64, "level = 1 AND index = 0"), .tile, 513),
                (flip("tile_edge", "hashes", 0, "level = 0"), .leaf, 69_889),
                (flip("tile_edge", "hashes", 32, "level = 1"), .tile, 65_793),
                (flip("tile_edge", "hashes", 31, "level = 2"), .tile, 1),
                ("DELETE FROM ledger.tile WHERE level = 0 AND index = 1", .tile, 257),
                ("DELETE FROM ledger.tile WHERE level = 1", .tile, 1),
                ("UPDATE ledger.tree_head SET root = sha256(root) WHERE size = 20", .head, 1),
                (
                    "UPDATE ledger.tree_head SET note = replace(note, 'example.com/log' || E'\\n20', 'example.com/log/epoch-2' || E'\\n20') WHERE size = 20",
                    .signature, 20
                ),
                ("DELETE FROM ledger.tree_head WHERE size > 20", .head, 21),
            ]
            for (damage, kind, position) in damages {
                try await ledger.damage(
                    "ALTER TABLE ledger.tree_head DROP CONSTRAINT IF EXISTS note_has_root; " + damage)
                let report = try await ledger.verify()
                #expect(report.findings.first?.kind == kind, "\(damage): \(report.findings.prefix(3))")
                #expect(report.firstBadPosition == position, "\(damage): \(report.findings.prefix(3))")
                try await ledger.damage(
                    undo.map { "DELETE FROM ledger.\($0); INSERT INTO ledger.\($0) SELECT * FROM saved_\($0);" }
                        .joined())
            }
            // Across the seam of two chunks.
            try await ledger.damage("UPDATE ledger.event SET version = version + 7 WHERE position = 65537")
            #expect(try await ledger.verify().firstBadPosition == 65_537)
            #expect(try await ledger.verify(against: [try await ledger.head(60_020)]).findings == [])
        }
    }

    @Test func `an empty log is intact, and one without heads is checked by its own hashes`() async throws {
        try await withProofs { ledger in
            #expect(try await ledger.verify().findings == [])
            try await ledger.append(10)
            #expect(try await ledger.verify().findings == [])
            try await ledger.damage("UPDATE ledger.event SET data = '{}' WHERE position = 4")
            let report = try await ledger.verify()
            #expect(report.firstBadPosition == 4)
            #expect(report.findings.map(\.kind) == [.content])
        }
    }
}

/// Repeatable randomness (SplitMix64).
private struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
