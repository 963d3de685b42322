import EventSourcing
import Foundation
import Postgres
import Synchronization
import TestKit
import Testing
import Transparency

@testable import Ledger

/// Ranges of the log that stand in files: everything is as right as before, and what is not there is said to be not there.
@Suite(.timeLimit(.minutes(5))) struct ArchiveTests {
    @Test func `versions, folds and proofs are right after a partition went into a file, and it comes back`()
        async throws
    {
        try await withArchivable { bed in
            let before = try await bed.store.everything()
            let done = try await bed.archive(through: 48)
            #expect(done.map(\.manifest.firstPosition) == [1, 17, 33])
            #expect(done.map(\.manifest.events) == [16, 16, 16])
            #expect(done.allSatisfy { $0.kept < 16 && !$0.isDropped })
            for archived in done {
                let mode = try FileManager.default.attributesOfItem(atPath: archived.path)[.posixPermissions]
                #expect(mode as? Int == 0o600, "for the owner alone")
            }
            // Who appends is told the version, though the last event lies far back.
            for (stream, version) in bed.versions {
                let stale = Append(
                    stream: SampleEvents.stream(stream), expecting: .exactly(.none), events: [SampleEvents.event()])
                await #expect(
                    throws: EventStoreFailure.wrongExpectedVersion(
                        stream: stale.stream, expected: .none, actual: StreamVersion(version))
                ) { try await bed.store.append(stale) }
                let next = try await bed.store.append(SampleEvents.append(to: stream, after: version))
                #expect(next.version.value == version + 1)
            }
            // A folded stream is whole; of another, what is left out is never passed over in silence.
            let folded = try await bed.store.read(SampleEvents.stream("rollout-a"), after: .none, limit: 1000)
            #expect(folded.map(\.version.value) == Array(1...Int64(folded.count)))
            await expectArchived("ledger-0000000000000000001") {
                _ = try await bed.store.read(SampleEvents.stream("inbox-a"), after: .none, limit: 1000)
            }
            await expectArchived("ledger-") { _ = try await bed.store.everything() }
            // A projector that goes on from a stream's earlier events does not take what is left of them for all.
            await expectArchived("ledger-") { try await bed.checkRecall("inbox-a", through: 19) }
            try await bed.checkRecall("rollout-a", through: 19)
            let gone = try #require(Set(1...48).subtracting(try await bed.positions()).min())
            await expectArchived("ledger-") {
                _ = try await bed.store.readAll(
                    after: GlobalPosition(gone - 1), before: GlobalPosition(gone + 1), filter: EventFilter(),
                    backwards: false, limit: 10
                ).whole()
            }
            await expectArchived("ledger-") {
                _ = try await bed.store.readAll(
                    after: .start, before: nil, filter: EventFilter(types: ["sample.happened.v1"]), backwards: true,
                    limit: 1000
                ).whole()
            }
            await expectArchived("ledger-") {
                _ = try await LedgerExport(store: bed.store).run(through: GlobalPosition(20)) { _ in }
            }
            #expect(
                try await bed.store.readAll(
                    after: GlobalPosition(48), before: nil, filter: EventFilter(), backwards: false, limit: 1000
                ).events.first?.position.value == 49)
            #expect(
                try await bed.store.readAll(
                    after: .start, before: nil, filter: EventFilter(), backwards: true, limit: 3
                ).events.count == 3)
            // The archive is in the log itself, and the log is what was signed.
            let said = try await bed.store.read(KeyHistory.stream, after: .none, limit: 100)
            #expect(said.map(\.event.type) == Array(repeating: LedgerArchive.wireName, count: 3))
            try await bed.proofs.sealAll()
            let head = try await bed.proofs.head()
            try await bed.expectIntact(against: [head], archived: 48 - done.reduce(0) { $0 + $1.kept })

            for archived in done { try await bed.archives.bringBack(archived.path) }
            #expect(Array(try await bed.store.everything().prefix(before.count)) == before)
            let verified = try await bed.proofs.verify(against: [head])
            #expect(verified.intact, "\(verified.findings)")
            #expect(verified.archived == 0)
            await #expect(throws: ArchiveFailure.self) { try await bed.archives.bringBack(done[0].path) }
        }
    }

    @Test func `tables change places in one statement, which waits for nobody long and needs no word to be committed`()
        async throws
    {
        try await withArchivable { bed in
            let before = try await bed.store.everything()
            let archived = try await bed.archive(through: 16)[0]
            let owner = try await PostgresConnection.connect(bed.proofs.owner)
            let reader = try await PostgresConnection.connect(bed.proofs.owner)
            for call in ["prepare_return(1)", "finish_return(1)"] {
                try await owner.query("SELECT ledger.\(unsafeRaw: call)")
            }
            try await reader.script("BEGIN; SELECT count(*) FROM ledger.event")
            do {
                try await owner.query("SELECT ledger.return_partition(1)")
                Issue.record("somebody reads the table")
            } catch let error as PostgresError {
                #expect(error.sqlState == .lockNotAvailable)
            }
            try await reader.script("COMMIT")
            try await owner.query("SELECT ledger.return_partition(1)")
            await reader.close()
            await owner.close()
            #expect(Array(try await bed.store.everything().prefix(before.count)) == before)
            await #expect(throws: ArchiveFailure.self) { try await bed.archives.bringBack(archived.path) }
        }
    }

    @Test func `a partition that was dropped is made anew from its file`() async throws {
        try await withArchivable { bed in
            let before = try await bed.store.everything()
            let kept = try await bed.archive(through: 16)
            let done = try await bed.archive(through: 48, dropping: true)
            #expect(done.count == 2)
            let tables = try await bed.number("SELECT count(*) FROM ledger.archive WHERE is_dropped")
            #expect(tables == 3, "also the one that an earlier call had put beside")
            let again = try await bed.archives.archive(through: GlobalPosition(48), into: bed.folder, dropping: true) {
                bed.context()
            }
            #expect(again == LedgerArchive.Outcome(archived: [], dropped: []), "nothing is dropped twice")
            #expect(
                try await bed.number("SELECT count(*) FROM pg_class WHERE relname = 'event_0000000000000000017'") == 0)
            try await bed.expectIntact(archived: 48 - (kept + done).reduce(0) { $0 + $1.kept })
            #expect(try await bed.number(PartitionTests.vacuumedOtherwise) == 0, "what stands in their places")
            for archived in (kept + done).reversed() { try await bed.archives.bringBack(archived.path) }
            #expect(try await bed.number(PartitionTests.vacuumedOtherwise) == 0)
            #expect(Array(try await bed.store.everything().prefix(before.count)) == before)
            #expect(try await bed.proofs.verify().intact)
            // What came back refuses changes as before.
            let superuser = try await PostgresConnection.connect(bed.proofs.owner)
            await #expect(throws: PostgresError.self) {
                try await superuser.query("DELETE FROM ledger.event_0000000000000000017")
            }
            await superuser.close()
        }
    }

    @Test func `what an earlier call has archived is dropped, and said to be`() async throws {
        try await withArchivable { bed in
            _ = try await bed.archive(through: 32)
            let outcome = try await bed.archives.archive(through: GlobalPosition(16), into: bed.folder, dropping: true)
            {
                bed.context()
            }
            #expect(outcome == LedgerArchive.Outcome(archived: [], dropped: [1...16]))
        }
    }

    @Test func `what is archived already is not archived again, whoever tries`() async throws {
        try await withArchivable { bed in
            _ = try await bed.archive(through: 16)
            let there = try await bed.positions()
            let owner = try await PostgresConnection.connect(bed.proofs.owner)
            for call in [
                "prepare_archive(1)", "archive_partition(1, 16, 4, 'f', sha256(''), sha256(''), gen_random_uuid())",
            ] {
                do {
                    try await owner.query("SELECT ledger.\(unsafeRaw: call)")
                    Issue.record("\(call) was done")
                } catch let error as PostgresError {
                    #expect(error.message.contains("archived already"), "\(error)")
                }
            }
            await owner.close()
            #expect(try await bed.positions() == there)
        }
    }

    @Test func `streams that are folded stay whole, also those that rest`() async throws {
        try await withArchivable { bed in
            _ = try await bed.archive(through: 32)
            for (stream, version) in bed.versions where stream.hasPrefix("rollout-") {
                let events = try await bed.store.read(SampleEvents.stream(stream), after: .none, limit: 1000)
                #expect(events.map(\.version.value) == Array(1...version))
            }
        }
    }

    @Test func `an event that only a file has is not said to be nowhere`() async throws {
        try await withArchivable { bed in
            let before = try await bed.store.everything()
            let prover = LedgerProver(store: bed.store)
            #expect(try await prover.position(of: SampleEvents.id()) == nil)
            // The audit index goes on having what went into a file.
            try await bed.proofs.damage(
                """
                INSERT INTO views.audit_entry_1
                SELECT position, recorded_at, stream_id, event_id, correlation, type_id, actor_id, NULL FROM ledger.event
                """)
            _ = try await bed.archive(through: 16)
            let there = Set(try await bed.positions())
            for event in before.prefix(16) {
                if there.contains(event.position.value) {
                    #expect(try await prover.position(of: event.event.id) == event.position)
                } else {
                    await expectArchived("--bring-back ledger-0000000000000000001") {
                        _ = try await prover.position(of: event.event.id)
                    }
                    await expectArchived("--bring-back ledger-0000000000000000001") {
                        _ = try await prover.inclusion(of: event.position)
                    }
                }
            }
        }
    }

    @Test(arguments: AlteredLogContract.clauses)
    func `the PostgreSQL store keeps the contract of a log that is altered`(_ clause: AlteredLogContract) async throws {
        try await withArchiveBed { bed in
            let archived = Mutex<[LedgerArchive.Archived]>([])
            try await clause.check(
                .init(
                    store: RoomyStore(base: bed.store),
                    putAway: { end in
                        try await bed.proofs.sealAll()
                        let done = try await bed.archive(through: end.value)
                        #expect(
                            done.map { Int64($0.manifest.events) } == done.map { _ in AlteredLogContract.Stage.range })
                        #expect(done.last?.manifest.lastPosition == end.value)
                        archived.withLock { $0 += done }
                        // As one that has not appended them itself, or long ago.
                        bed.store.recent.forget()
                    },
                    bringBack: {
                        for file in archived.withLock({ $0.map(\.path) }) { try await bed.archives.bringBack(file) }
                    },
                    cutShort: { try await cutShort(after: $0.value, bed.proofs.owner) }))
        }
    }

    @Test func `a page with a hole that no archive has any more is not given`() async throws {
        try await withArchivable { bed in
            let gone = try #require(try await bed.store.everything().dropFirst(20).first { $0.version.value > 3 })
            try await bed.proofs.damage("DELETE FROM ledger.event WHERE position = \(gone.position.value)")
            func expectDamaged(_ body: () async throws -> Void) async {
                let failure = await #expect(throws: EventStoreFailure.self) { try await body() }
                guard case .damaged? = failure else {
                    Issue.record("\(String(describing: failure))")
                    return
                }
            }
            await expectDamaged { _ = try await bed.store.read(gone.stream, after: .none, limit: 1000) }
            for backwards in [false, true] {
                await expectDamaged {
                    _ = try await bed.store.readAll(
                        after: .start, before: nil, filter: EventFilter(), backwards: backwards, limit: 1000)
                }
            }
            let rest = try await bed.store.readAll(
                after: gone.position, before: nil, filter: EventFilter(), backwards: false, limit: 1000
            ).whole()
            #expect(rest.first?.position.value == gone.position.value + 1)
        }
    }

    @Test func `of two archives at once one works, and the other says so`() async throws {
        try await withArchivable { bed in
            let other = try await PostgresConnection.connect(bed.proofs.owner)
            try await other.query("SELECT pg_advisory_lock(hashtext('rollbook.archive'), 0)")
            await #expect(throws: ArchiveFailure.self) { _ = try await bed.archive(through: 32) }
            #expect(try await bed.number("SELECT count(*) FROM ledger.archive") == 0)
            await other.close()
            // Refused until the server has noticed that the other session is gone.
            let isFree = try await eventually {
                do { return try await !bed.archive(through: 32).isEmpty } catch is ArchiveFailure { return false }
            }
            #expect(isFree)
        }
    }

    @Test func `what appends, the sealer or a projection still need stays`() async throws {
        try await withArchivable(sealing: false) { bed in
            #expect(try await bed.archives.held(through: GlobalPosition(1000)).count > 3)
            #expect(try await bed.archive(through: 1000).isEmpty)
            try await bed.proofs.sealAll()
            let connection = try await PostgresConnection.connect(bed.proofs.owner)
            try await connection.script(
                """
                SET ROLE rollbook_ledger;
                INSERT INTO ledger.checkpoint
                SELECT 'late', 1, position, event_id, epoch FROM ledger.event WHERE position = 31
                """)
            #expect(try await bed.archive(through: 1000).map(\.manifest.lastPosition) == [16])
            let held = try await bed.archives.held(through: GlobalPosition(1000))
            #expect(held.first?.reason.contains("late") == true)
            try await connection.script("DELETE FROM ledger.checkpoint")
            await connection.close()
            let rest = try await bed.archive(through: 1000)
            #expect(rest.count >= 3)
            #expect(rest.last!.manifest.lastPosition < (try await bed.store.head().value))
        }
    }

    @Test func `appends do not wait while an archive waits for a reader with an open transaction`() async throws {
        try await withArchivable { bed in
            let reader = try await PostgresConnection.connect(bed.proofs.owner)
            try await reader.script("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM ledger.event")
            let impatient = LedgerArchive(store: bed.owning, patience: .milliseconds(300), logger: silent)
            await #expect(throws: ArchiveFailure.self) {
                _ = try await impatient.archive(through: GlobalPosition(16), into: bed.folder) { bed.context() }
            }
            #expect(try await bed.number("SELECT count(*) FROM ledger.archive") == 0)

            async let archived = bed.archive(through: 16)
            // It has come to the swap, and is kept from it by the reader alone.
            let waits = try await eventually {
                try await bed.number(
                    "SELECT count(*) FROM pg_locks WHERE relation = 'ledger.event'::regclass AND NOT granted") > 0
            }
            #expect(waits)
            var version: Int64 = 0
            let keeper = PartitionKeeper(store: bed.store, logger: silent)
            for round in 0..<100 {
                if round % 8 == 0 { try await keeper.keep() }
                version = try await bed.store.append(SampleEvents.append(to: "beside-1", after: version)).version.value
            }
            #expect(try await bed.number("SELECT count(*) FROM ledger.archive") == 0)
            try await reader.script("COMMIT")
            await reader.close()
            #expect(try await archived.count == 1)
            #expect(
                try await bed.store.append(SampleEvents.append(to: "beside-1", after: version)).version.value == 101)
        }
    }

    @Test func `damage in a file or in what is left of the log is found`() async throws {
        try await withArchivable { bed in
            let done = try await bed.archive(through: 32)
            let first = try Data(contentsOf: URL(fileURLWithPath: done[0].path))
            // One byte of the compressed file.
            var damaged = first
            damaged[damaged.count / 2] ^= 1
            try damaged.write(to: URL(fileURLWithPath: done[0].path))
            var report = try await bed.verify(archives: bed.folder)
            #expect(report.findings.map(\.kind) == [.archive])
            #expect(report.archives == 1)
            await #expect(throws: ArchiveFailure.self) { try await bed.archives.bringBack(done[0].path) }
            // Another file under its name.
            try FileManager.default.removeItem(atPath: done[0].path)
            try FileManager.default.copyItem(atPath: done[1].path, toPath: done[0].path)
            #expect(try await bed.verify(archives: bed.folder).findings.map(\.kind) == [.archive])
            try first.write(to: URL(fileURLWithPath: done[0].path))
            #expect(try await bed.verify(archives: bed.folder).intact)
            // An event that stayed in the log.
            try await bed.proofs.damage(
                "UPDATE ledger.event SET data = '{}' WHERE position = (SELECT min(position) FROM ledger.event)")
            report = try await bed.verify(archives: bed.folder)
            #expect(report.findings.map(\.kind) == [.content])
            // A tile, which is all that the log itself has of the rest.
            try await bed.proofs.damage(
                "UPDATE ledger.tile_edge SET hashes = set_byte(hashes, 33, get_byte(hashes, 33) # 1) WHERE level = 0")
            #expect(try await bed.verify(archives: nil).intact == false)
        }
    }

    @Test func `a file that stands there already is taken if it is the right one, and never overwritten`() async throws
    {
        try await withArchivable { bed in
            let first = try await bed.archive(through: 16)[0]
            try await bed.archives.bringBack(first.path)
            #expect(try await bed.archive(through: 16)[0].sha256 == first.sha256)
            try await bed.archives.bringBack(first.path)
            let other = Data("another ledger's".utf8)
            try other.write(to: URL(fileURLWithPath: first.path))
            await #expect(throws: ArchiveFailure.self) { _ = try await bed.archive(through: 16) }
            #expect(try Data(contentsOf: URL(fileURLWithPath: first.path)) == other)
            #expect(try await bed.store.everything().first?.position.value == 1)
        }
    }

    @Test func `the file is what it says, read with other programs`() async throws {
        try await withArchivable { bed in
            let archived = try await bed.archive(through: 16)[0]
            #expect(archived.path.hasSuffix("/ledger-0000000000000000001-0000000000000000016.jsonl.gz"))
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = [
                "-c", #"gzip -dc "$0" | head -n 16 | sha256sum | cut -d' ' -f1; sha256sum < "$0" | cut -d' ' -f1"#,
                archived.path,
            ]
            let pipe = Pipe()
            process.standardOutput = pipe
            try process.run()
            let said = String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
            process.waitUntilExit()
            #expect(said == "\(archived.manifest.sha256)\n\(archived.sha256)\n")
            #expect(archived.manifest.root == (try await bed.rootOfFirst16))
        }
    }

    /// Fails unless `body` is told that events stand in an archive whose name begins so.
    private func expectArchived(_ file: String, _ body: () async throws -> Void) async {
        let failure = await #expect(throws: EventStoreFailure.self) { try await body() }
        guard case .archived(let words)? = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(words.contains(file))
    }
}

/// A store whose log has room for more before each append.
private struct RoomyStore: ForwardingEventStore {
    let base: PostgresEventStore

    func append(_ append: Append) async throws(EventStoreFailure) -> Appended {
        do { try await PartitionKeeper(store: base, logger: silent).keep() } catch { throw .init(reading: error) }
        return try await base.append(append)
    }
}
