import API
import Delivery
import EventSourcing
import Foundation
import Logging
import Postgres
import TestKit
import Testing
import Transfer
import Transparency

@testable import Ledger
@testable import rollbook

/// The API over a log on PostgreSQL of which a part stands in files.
@Suite(.timeLimit(.minutes(3))) struct ArchivedLedgerTests {
    private static let migrations = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("migrations").path

    @Test func `pages and streams go up to an archive and say so, and a watch of an older rollout goes on`()
        async throws
    {
        let hole: Int64 = 17
        try await withArchived { client in
            // Pages.
            for limit in [1, 2, 100] {
                var (seen, next): ([Int64], String?) = ([], "0")
                while let cursor = next, cursor != "\(hole - 1)" {
                    let page: EventPage = try await client.get(
                        "/api/v1/events", query: [("limit", "\(limit)"), ("cursor", cursor)])
                    seen += page.events.map(\.position.value)
                    next = page.next
                }
                #expect(seen == Array(1..<hole))
                #expect(next == "\(hole - 1)")
                await expectArchived {
                    let _: EventPage = try await client.get("/api/v1/events", query: [("cursor", "\(hole - 1)")])
                }
            }
            let behind: EventPage = try await client.get("/api/v1/events", query: [("after", "32"), ("limit", "5")])
            #expect(behind.events.map(\.position.value) == [33, 34, 35, 36, 37])
            // By a filter: the rollout's own events stand before those of the others.
            var (found, next): ([Int64], String?) = ([], "0")
            while let cursor = next, cursor != "16" {
                let page: EventPage = try await client.get(
                    "/api/v1/events", query: [("stream", "inbox-"), ("limit", "7"), ("cursor", cursor)])
                found += page.events.map(\.position.value)
                next = page.next
            }
            #expect(found == Array(4...16))
            await expectArchived {
                let _: EventPage = try await client.get(
                    "/api/v1/events", query: [("stream", "inbox-"), ("cursor", "16")])
            }
            // A stream of events.
            var request = TransferRequest(url: client.server + "/api/v1/events/stream?after=0", headers: [])
            request.timeout = nil
            var reader = ServerSentEvents()
            var events: [ServerSentEvents.Event] = []
            for try await bytes in try await client.transfer.stream(request) { events += reader.read(bytes) }
            #expect(events.dropLast().compactMap(\.id) == (1..<hole).map { "1-\($0)" })
            #expect(events.last?.name == "problem")
            #expect(events.last?.data.contains("--bring-back ledger-0000000000000000017") == true)
            // A rollout whose last event lies before the archive.
            var watched: [RolloutView] = []
            try await client.watch("default", "shop", lost: { Issue.record("connection lost: \($0)") }) { view in
                watched.append(view)
                if watched.count == 1 {
                    let _: ActionReply = try await client.post(client.path("default", "shop", "pause"), [:])
                }
                return watched.count < 2
            }
            #expect(watched.map(\.phase) == [.progressing, .paused])
        }
    }

    private func expectArchived(_ body: () async throws -> Void) async {
        do {
            try await body()
            Issue.record("it was answered")
        } catch ClientFailure.problem(let problem) {
            #expect(problem.status == 410)
            #expect(problem.code == "archived")
            #expect(problem.detail.contains("--bring-back ledger-"))
        } catch { Issue.record(error) }
    }

    /// A rollout of three events, forty that others wrote afterwards, and positions 17 to 32 in a file, but for the last.
    private func withArchived(_ body: @Sendable @escaping (ServerClient) async throws -> Void) async throws {
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("archived-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: folder) } }
        try await withTemporaryDatabase { owner in
            _ = try await Migrator(folder: Self.migrations).migrate(owner)
            let superuser = try await PostgresConnection.connect(owner)
            try await superuser.script(smallPartitions)
            await superuser.close()
            let pools = [PostgresPool(owner.asLedgerService, logger: quiet), PostgresPool(owner, logger: quiet)]
            let store = PostgresEventStore(pool: pools[0], logger: quiet)
            try await EndToEndTests.withShop(store: { _ in store }) { client, _ in
                let _: ApplyReply = try await client.post("/api/v1/apply", EndToEndTests.manifest)
                let keeper = PartitionKeeper(store: store, logger: quiet)
                for version: Int64 in 0..<40 {
                    if version.isMultiple(of: 8) { try await keeper.keep() }
                    _ = try await store.append(SampleEvents.append(to: "inbox-a", after: version))
                }
                try await keeper.keep()
                try await Sealer(store: store, signer: SigningKey(generatedFor: "example.com/log")!, logger: quiet)
                    .seal()
                let archive = LedgerArchive(
                    store: PostgresEventStore(pool: pools[1], logger: quiet), patience: .seconds(60), logger: quiet)
                let done = try await archive.archive(through: GlobalPosition(32), into: folder) {
                    (SampleEvents.id(), SampleEvents.event().actor)
                }.archived
                #expect(done.count == 2)
                try await archive.bringBack(done[0].path)
                // As an instance that has not appended them itself, or long ago.
                store.recent.forget()
                try await body(client)
            }
            for pool in pools { await pool.close() }
        }
    }
}
