import Delivery
import EventSourcing
import Foundation
import Ledger
import Logging
import Postgres
import TestKit
import Testing

@Suite(.timeLimit(.minutes(5))) struct SnapshotTests {
    private static let name = RolloutName(namespace: "default", name: "shop")!

    @Test func `with snapshots every moment of the past is what folding from the first event gives`() async throws {
        try await withLedger { store, owner in
            try await Self.tell(store)
            let plain = RolloutLookup(store)
            let quick = RolloutLookup(store, snapshots: LedgerRolloutSnapshots(store, logger: silent))
            let events = try await plain.events(Self.name)
            #expect(events.count > 120)
            // The first question finds none and leaves some behind; later ones begin at those.
            for _ in 1...2 {
                for event in events where event.version.value % 7 == 0 || event.version.value % 20 < 2 {
                    for point in [
                        PointInTime.version(event.version), .position(event.position), .time(event.recordedAt),
                    ] {
                        let (wanted, read) = (
                            try await plain.reading(Self.name, at: point), try await quick.reading(Self.name, at: point)
                        )
                        #expect(read == wanted, "\(point)")
                    }
                }
                #expect(try await quick.reading(Self.name) == plain.reading(Self.name))
            }
            #expect(try await Self.versions(owner) == [40, 80, 120])
            // Another instance, which begins at what is in the database.
            let other = RolloutLookup(store, snapshots: LedgerRolloutSnapshots(store, logger: silent))
            for event in events.suffix(40) {
                let (wanted, read) = (
                    try await plain.reading(Self.name, at: .version(event.version)),
                    try await other.reading(Self.name, at: .version(event.version))
                )
                #expect(read == wanted, "\(event.version)")
            }
        }
    }

    @Test func `a snapshot of another fold, or of another log, is not believed`() async throws {
        for change in ["fold = 0", "recorded_at = recorded_at - interval '1 second'", "\"position\" = 1"] {
            try await withLedger { store, owner in
                try await Self.tell(store)
                let wanted = try await RolloutLookup(
                    store, snapshots: LedgerRolloutSnapshots(store, logger: silent)
                ).reading(Self.name)
                let connection = try await PostgresConnection.connect(owner)
                try await connection.script(
                    "UPDATE views.rollout_snapshot SET \(change), state = replace(state, 'shop:', 'mallory:')")
                await connection.close()
                // Another one, that remembers nothing.
                let quick = RolloutLookup(store, snapshots: LedgerRolloutSnapshots(store, logger: silent))
                #expect(try await quick.reading(Self.name) == wanted, "\(change)")
                // What was wrong has been replaced.
                let latest = try await Self.latest(store)
                #expect(latest?.reading.version.value == 120, "\(change)")
            }
        }
    }

    @Test func `there is no snapshot of what never was`() async throws {
        try await withLedger { store, _ in
            let snapshots = LedgerRolloutSnapshots(store, logger: silent)
            let latest = try await snapshots.latest(of: Self.name, at: .position(.start), following: 10)
            #expect(latest == nil)
            let reading = try await RolloutLookup(store, snapshots: snapshots).reading(Self.name)
            #expect(reading.view == nil)
        }
    }

    @Test func `each version is the same by snapshots of this instance, of another, and without any`() async throws {
        try await withLedger { store, owner in
            let events = EventfulRollout.appended(try EventfulRollout.told(releases: 16))
            for start in stride(from: 0, to: events.count, by: 7) {
                _ = try await store.append(
                    Append(
                        stream: Self.name.stream, expecting: .exactly(StreamVersion(Int64(start))),
                        events: Array(events[start..<min(start + 7, events.count)])))
            }
            // Beside it another one, so that versions and positions differ.
            try await RolloutTales.tell("other", store)
            let quick = RolloutLookup(store, snapshots: LedgerRolloutSnapshots(store, logger: silent))
            _ = try await quick.reading(Self.name)
            let written = try await Self.versions(owner)
            #expect(written == written.sorted() && written.count == events.count / 40)
            var folded = RolloutReading(Self.name)
            for recorded in try await RolloutLookup(store).events(Self.name) {
                try folded.fold(recorded)
                // One that remembers nothing begins at what is in the database, or at the first event.
                let other = RolloutLookup(store, snapshots: LedgerRolloutSnapshots(store, logger: silent))
                for (who, lookup) in [("this", quick), ("another", other)] {
                    let read = try await lookup.reading(Self.name, at: .version(recorded.version))
                    #expect(read == folded && read.view == folded.view, "\(who), \(recorded.version)")
                }
                let then = try await other.reading(Self.name, at: .position(recorded.position))
                #expect(then == folded, "position \(recorded.position)")
            }
        }
    }

    @Test(arguments: [
        "state = 'garbage'", "state = replace(state, 'shop:', 'mallory:')", "packed = substr(packed, 2)",
        "packed = set_byte(packed, 0, 255)", "digest = sha256('')",
        // Of another version, with a digest that fits.
        "(state, packed, digest) = (SELECT o.state, o.packed, o.digest FROM views.rollout_snapshot o WHERE o.version = 40)",
    ])
    func `a damaged snapshot is told of, thrown away and made anew`(damage: String) async throws {
        try await withLedger { store, owner in
            try await Self.tell(store)
            let wanted = try await RolloutLookup(
                store, snapshots: LedgerRolloutSnapshots(store, logger: silent)
            ).reading(Self.name)
            let connection = try await PostgresConnection.connect(owner)
            try await connection.script("UPDATE views.rollout_snapshot SET \(damage) WHERE version > 40")
            await connection.close()
            let heard = HeardMessages()
            var logger = heard.logger
            logger.logLevel = .warning
            // Once for each of the two that are damaged, and once more for what is whole again.
            for point in [
                PointInTime.version(StreamVersion(85)), .version(StreamVersion(125)), .version(StreamVersion(125)),
            ] {
                let quick = RolloutLookup(store, snapshots: LedgerRolloutSnapshots(store, logger: logger))
                let (plain, read) = (
                    try await RolloutLookup(store).reading(Self.name, at: point),
                    try await quick.reading(Self.name, at: point)
                )
                #expect(read == plain, "\(damage) at \(point)")
            }
            #expect(try await RolloutLookup(store).reading(Self.name) == wanted)
            #expect(heard.messages.count == 2 && heard.messages.allSatisfy { $0.contains("cannot be read") })
            #expect(try await Self.versions(owner) == [40, 80, 120])
            #expect(try await Self.latest(store)?.reading.version.value == 120)
        }
    }

    private static func latest(_ store: PostgresEventStore) async throws -> KeptReading? {
        try await LedgerRolloutSnapshots(store, logger: silent).latest(
            of: name, at: .version(StreamVersion(.max)), following: 10)
    }

    private static func tell(_ store: PostgresEventStore) async throws {
        var teller = RolloutTales.Teller("shop", store)
        try await teller.order(
            .apply(
                RolloutTales.bundle("shop"), source: ManifestSource(kind: .cli), warnings: [],
                newRelease: Identifier(UUID())))
        while teller.version.value < 125 {
            try await teller.seePods()
            try await teller.order(
                .setImages(["app": "shop:\(teller.version.value)"], newRelease: Identifier(UUID())))
        }
    }

    private static func versions(_ owner: PostgresConfiguration) async throws -> [Int64] {
        let connection = try await PostgresConnection.connect(owner)
        let versions = try await connection.query("SELECT version FROM views.rollout_snapshot ORDER BY version")
            .map { try $0.get(0, as: Int64.self) }
        await connection.close()
        return versions
    }
}
