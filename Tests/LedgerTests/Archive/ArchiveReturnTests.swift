import EventSourcing
import Postgres
import TestKit
import Testing

@testable import Ledger

/// What is read while an archive comes back.
@Suite(.timeLimit(.minutes(5))) struct ArchiveReturnTests {
    @Test(arguments: [false, true])
    func `a filtered read that an archive comes back under is whole, or says what it lacks`(
        _ backwards: Bool
    ) async throws {
        try await withArchivable { bed in
            let filter = EventFilter(types: ["sample.happened.v1"])
            let read = { () async throws(EventStoreFailure) -> [RecordedEvent] in
                try await bed.store.readAll(
                    after: .start, before: nil, filter: filter, backwards: backwards, limit: 1000
                ).whole()
            }
            let before = try await read()
            let archived = try await bed.archive(through: 48)
            // The page is read, and the look for archives, which ends the read, waits for this lock.
            let returning = try await PostgresConnection.connect(bed.proofs.owner)
            try await returning.script("BEGIN; LOCK TABLE ledger.archive IN ACCESS EXCLUSIVE MODE")
            async let found = outcome(read)
            let waits = try await eventually {
                try await bed.number(
                    "SELECT count(*) FROM pg_locks WHERE relation = 'ledger.archive'::regclass AND NOT granted") > 0
            }
            #expect(waits)
            do {
                _ = try await returning.query("SELECT set_config('lock_timeout', '50ms', true)")
                for first in archived.map(\.manifest.firstPosition) {
                    _ = try await returning.query("SELECT ledger.prepare_return(\(first))")
                    _ = try await returning.query("SELECT ledger.finish_return(\(first))")
                    _ = try await returning.query("SELECT ledger.return_partition(\(first))")
                }
                try await returning.script("COMMIT")
            } catch let error as PostgresError where error.sqlState == .lockNotAvailable {
                try await returning.script("ROLLBACK")
            }
            await returning.close()
            switch await found {
            case .success(let page): #expect(page == before)
            case .failure(.archived): break
            case .failure(let failure): Issue.record("\(failure)")
            }
            for file in archived.map(\.path) where try await bed.number("SELECT count(*) FROM ledger.archive") > 0 {
                try await bed.archives.bringBack(file)
            }
            #expect(try await read() == before)
        }
    }

    private func outcome(
        _ read: () async throws(EventStoreFailure) -> [RecordedEvent]
    ) async -> Result<[RecordedEvent], EventStoreFailure> {
        do throws(EventStoreFailure) { return .success(try await read()) } catch { return .failure(error) }
    }
}
