import Delivery
import EventSourcing
import Foundation
import Ledger
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
            #expect(try await Self.versions(owner) == [100])
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
                let latest = try await LedgerRolloutSnapshots(store, logger: silent).latest(
                    of: Self.name, at: .version(StreamVersion(.max)))
                #expect(latest?.version.value == 100, "\(change)")
            }
        }
    }

    @Test func `there is no snapshot of what never was`() async throws {
        try await withLedger { store, _ in
            let snapshots = LedgerRolloutSnapshots(store, logger: silent)
            let latest = try await snapshots.latest(of: Self.name, at: .position(.start))
            #expect(latest == nil)
            let reading = try await RolloutLookup(store, snapshots: snapshots).reading(Self.name)
            #expect(reading.view == nil)
        }
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
