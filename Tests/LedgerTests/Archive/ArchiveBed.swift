import EventSourcing
import Foundation
import Postgres
import TestKit
import Testing
import Transparency

@testable import Ledger

/// What the tests of archives work with.
struct ArchiveBed {
    let store: PostgresEventStore
    /// The same ledger, with the rights of who migrates.
    let owning: PostgresEventStore
    let proofs: ProofDatabase
    let folder: String
    /// Of each stream.
    var versions: [String: Int64] = [:]

    var archives: LedgerArchive { LedgerArchive(store: owning, patience: .seconds(120), logger: silent) }

    func context() -> (id: Identifier, actor: EventActor) {
        (SampleEvents.id(), SampleEvents.event().actor)
    }

    func archive(
        through: Int64, dropping: Bool = false
    ) async throws -> [LedgerArchive.Archived] {
        try await archives.archive(
            through: GlobalPosition(through), into: folder, dropping: dropping
        ) { context() }.archived
    }

    func verify(archives: String?, against: [SignedTreeHead] = []) async throws -> VerifyReport {
        try await LedgerVerifier(store: store, workers: 2).verify(
            against: against, trusting: [proofs.key.verifier], archives: archives)
    }

    /// Verifies with the files and without.
    func expectIntact(against heads: [SignedTreeHead] = [], archived: Int64) async throws {
        for folder in [folder, nil] {
            let report = try await verify(archives: folder, against: heads)
            #expect(report.intact, "\(report.findings)")
            #expect(report.archived == archived)
            #expect(report.archives == (folder == nil ? 0 : 3))
            #expect(report.remarks.count == (folder == nil ? 3 : 0))
        }
    }

    /// Looks, as a projector does, whether a stream's events up to a version are all there.
    func checkRecall(_ stream: String, through version: Int64) async throws {
        let row = try await store.pool.query("SELECT stream_id FROM ledger.stream WHERE name = \(stream)").single()
        try await ArchiveTable.check([(try row.get(0, as: Int64.self), version)], store.pool)
    }

    /// The positions that stand in the log.
    func positions() async throws -> [Int64] {
        try await store.pool.query("SELECT position FROM ledger.event").map { try $0.get(0) }
    }

    func number(_ query: SQL) async throws -> Int {
        let connection = try await PostgresConnection.connect(proofs.owner)
        let value = try await connection.query(query).single().get(0, as: Int.self)
        await connection.close()
        return value
    }

    /// The root over the first sixteen leaves, from the tile.
    var rootOfFirst16: String {
        get async throws {
            let edge = try await TreeTables.edges(store.pool)[0]
            return MerkleHash.root(of: edge.prefix(16)).base64
        }
    }
}

/// A ledger in pieces of sixteen events: streams that are folded and streams that are not, some of them long at rest.
func withArchivable(sealing: Bool = true, _ body: (ArchiveBed) async throws -> Void) async throws {
    try await withArchiveBed { bed in
        var bed = bed
        let keeper = PartitionKeeper(store: bed.store, logger: silent)
        for round in 0..<30 {
            for stream in ["rollout-a", "inbox-a", "inbox-b", "rollout-idle", "access-once"] {
                if stream == "rollout-idle", round > 5 { continue }
                if stream == "inbox-b", round % 7 != 0 { continue }
                if stream == "access-once", round != 2 { continue }
                let appended = try await bed.store.append(
                    SampleEvents.append(1 + round % 2, to: stream, after: bed.versions[stream] ?? 0))
                bed.versions[stream] = appended.version.value
            }
            try await keeper.keep()
        }
        if sealing { try await bed.proofs.sealAll() }
        try await body(bed)
    }
}

/// An empty ledger in pieces of sixteen events, and a folder for archives.
func withArchiveBed(_ body: (ArchiveBed) async throws -> Void) async throws {
    let folder = NSTemporaryDirectory() + "archive-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: folder) } }
    try await withSmallPartitions { store, owner in
        let owning = PostgresEventStore(pool: PostgresPool(owner), logger: silent)
        let bed = ArchiveBed(
            store: store, owning: owning, proofs: ProofDatabase(store: store, owner: owner), folder: folder)
        do { try await body(bed) } catch {
            await owning.pool.close()
            throw error
        }
        await owning.pool.close()
    }
}
