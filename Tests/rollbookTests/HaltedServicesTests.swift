import API
import EventSourcing
import Foundation
import Logging
import Postgres
import TestKit
import Testing
import Transparency

@testable import Ledger
@testable import rollbook

/// What an instance says of what stands still.
@Suite(.timeLimit(.minutes(2))) struct HaltedServicesTests {
    private static let migrations = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("migrations").path

    @Test func `a sealer and a projection that stand still are named, each with its reason`() async throws {
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        try await withTemporaryDatabase { owner in
            _ = try await Migrator(folder: Self.migrations).migrate(owner)
            let pool = PostgresPool(owner.asLedgerService, logger: quiet)
            let store = PostgresEventStore(pool: pool, logger: quiet)
            _ = try await store.append(SampleEvents.append(3, to: "inbox-a"))
            let keys = [SigningKey(generatedFor: "example.com/log")!, SigningKey(generatedFor: "example.com/log")!]
            let sealers = keys.map { Sealer(store: store, signer: $0, logger: quiet) }
            try await sealers[0].seal()
            let projectors = Projector.all(store: store, logger: quiet)
            for projector in projectors { try await projector.catchUp() }
            let none = await InstanceHalt.all(sealers[0], projectors)
            #expect(none == [])

            // Another key than the one that the log is signed with, and a log that was cut short.
            await #expect(throws: SealHalt.self) { try await sealers[1].seal() }
            let superuser = try await PostgresConnection.connect(owner)
            try await superuser.script(
                """
                SET session_replication_role = replica;
                DELETE FROM ledger.event WHERE position > 2;
                DELETE FROM ledger.append_batch WHERE last_position > 2;
                INSERT INTO ledger.append_batch VALUES (2, 1, clock_timestamp(), 1)
                """)
            await superuser.close()
            let first = try #require(projectors.first)
            await #expect(throws: ProjectionHalt.self) { try await first.catchUp() }
            let halts = await InstanceHalt.all(sealers[1], projectors)
            #expect(halts.map(\.service) == ["projection/\(await first.name)", "sealer"])
            #expect(halts.last?.reason.contains("--seal-key") == true, "\(halts)")
            #expect(halts.allSatisfy { !$0.reason.isEmpty })
            let gauges = await sealers[1].gauges()
            #expect(gauges.first { $0.name == "rollbook_sealer_halted" }?.value == 1)
            await pool.close()
        }
    }
}
