import EventSourcing
import Ledger
import Postgres
import TestKit
import Testing

/// What is noticed when the log loses its end: by a restore to an earlier time, or a failover without synchronous
/// replication.
@Suite(.timeLimit(.minutes(5))) struct LogCutTests {
    /// As after a failover, the first thing that is noticed may be that all connections are gone.
    @Test(arguments: [0, 1, 5], [false, true])
    func `a follower of a log that was cut short ends, however far that has grown again`(
        _ regrown: Int, _ isDisconnected: Bool
    ) async throws {
        try await withLedger { writer, owner in
            let heard = HeardMessages()
            let pool = PostgresPool(owner.asLedgerService, logger: silent)
            let store = PostgresEventStore(pool: pool, logger: heard.logger)
            _ = try await writer.append(SampleEvents.append(5, to: "a-1"))
            try await withThrowingTaskGroup(of: [Int64].self) { group in
                let (places, told) = AsyncStream<Int64>.makeStream()
                group.addTask {
                    var seen: [Int64] = []
                    do {
                        for try await batch in store.follow(after: .start, batchSize: 10) {
                            seen += batch.map(\.position.value)
                            batch.forEach { told.yield($0.position.value) }
                        }
                        Issue.record("nobody has cancelled it")
                    } catch FollowerEnd.cutShort {
                        return seen
                    }
                    return []
                }
                for await place in places where place == 5 { break }
                // As a replica that had not heard of the last two appends yet, and was promoted.
                try await cutShort(after: 2, owner, disconnecting: isDisconnected)
                if regrown > 0 { _ = try await writer.append(SampleEvents.append(regrown, to: "a-1", after: 2)) }
                let isHeard = try await eventually { heard.messages.contains { $0.contains("cut short") } }
                #expect(isHeard, "\(heard.messages)")
                #expect(store.whyCut?.contains("cut short") == true)
                // By itself.
                let seen = try await group.next()
                #expect(seen == [1, 2, 3, 4, 5])
            }
            await pool.close()
        }
    }

    @Test func `a projector whose rows show more than a log that was cut short has stands still`() async throws {
        try await withLedger { store, owner in
            _ = try await store.append(SampleEvents.append(5, to: "a-1"))
            let projector = try #require(Projector.all(store: store, logger: silent).first)
            #expect(try await projector.catchUp() == GlobalPosition(5))
            try await cutShort(after: 2, owner)
            await #expect(throws: ProjectionHalt.self) { try await projector.catchUp() }
        }
    }

    @Test func `a projector whose checkpoint came back with a shorter log goes on from there`() async throws {
        try await withLedger { store, owner in
            _ = try await store.append(SampleEvents.append(5, to: "a-1"))
            // The store has heard of five events; the server that it finds next has two, and rows of two.
            try await cutShort(after: 2, owner)
            let projector = try #require(Projector.all(store: store, logger: silent).first)
            await #expect(throws: PostgresError.self) { try await projector.catchUp() }
            #expect(try await projector.catchUp() == GlobalPosition(2))
            _ = try await store.append(SampleEvents.append(to: "a-1", after: 2))
            #expect(try await projector.catchUp() == GlobalPosition(3))
        }
    }

    @Test func `a name whose id was given to another after the log was cut short is forgotten`() async throws {
        try await withLedger { store, owner in
            try await RolloutTales.tell("kept", store)
            let projectors = Projector.all(store: store, logger: silent)
            for projector in projectors { try await projector.catchUp() }
            let last = try await store.head().value
            let superuser = try await PostgresConnection.connect(owner)
            let tables = ["ledger.checkpoint", "views.rollout_summary_1", "views.release_1"]
            for (number, table) in tables.enumerated() {
                try await superuser.script("CREATE TABLE public.saved_\(number) AS SELECT * FROM \(table)")
            }
            try await RolloutTales.tell("lost", store)
            for projector in projectors { try await projector.catchUp() }
            // As a replica that had not heard of the second rollout, and was promoted.
            try await cutShort(after: last, owner)
            let id = try await superuser.query(
                "SELECT stream_id FROM ledger.stream WHERE name LIKE 'rollout-%/lost'"
            ).single().get(0, as: Int64.self)
            try await superuser.script(
                """
                SET session_replication_role = replica;
                DELETE FROM ledger.stream WHERE stream_id >= \(id);
                DELETE FROM ledger.receipt WHERE stream_id >= \(id);
                DELETE FROM views.audit_entry_1 WHERE "position" > \(last);
                DELETE FROM views.audit_word_1 WHERE "position" > \(last);
                ALTER TABLE ledger.stream ALTER stream_id RESTART WITH \(id)
                """)
            for (number, table) in tables.enumerated() {
                try await superuser.script(
                    "DELETE FROM \(table); INSERT INTO \(table) SELECT * FROM public.saved_\(number)")
            }
            let pool = PostgresPool(owner.asLedgerService, logger: silent)
            // Another instance appends; this one has heard of more than there is.
            let other = PostgresEventStore(pool: pool, logger: silent)
            try await RolloutTales.tell("new", other)
            let again = try await superuser.query(
                "SELECT stream_id FROM ledger.stream WHERE name LIKE 'rollout-%/new'"
            ).single().get(0, as: Int64.self)
            #expect(again == id)
            // As long a log as this one knew: with one event more, its checkpoint is found to be elsewhere.
            _ = try await other.append(SampleEvents.append(to: "other-1"))
            for projector in projectors {
                let isThere = try await eventually {
                    do { return try await projector.catchUp() >= other.head() } catch is PostgresError { return false }
                }
                #expect(isThere)
            }
            let names = try await superuser.query("SELECT name FROM views.rollout_summary ORDER BY name").map {
                try $0.get(0, as: String.self)
            }
            #expect(names == ["kept", "new"])
            #expect(try await ReadModelCheck.run(store: other, logger: silent).identical)
            await superuser.close()
            await pool.close()
        }
    }

    @Test func `a log goes on in a new epoch, whose first event says so, if it ends where its operator believes`()
        async throws
    {
        try await withLedger { store, owner in
            _ = try await store.append(SampleEvents.append(5, to: "a-1"))
            try await cutShort(after: 2, owner)
            let begin = { (last: Int64) async throws in
                try await LogEpoch.begin(
                    owner, after: GlobalPosition(last), because: "restored", id: SampleEvents.id(),
                    at: SampleEvents.noon,
                    actor: .controller("here"))
            }
            await #expect(throws: EventStoreFailure.self) { _ = try await begin(5) }
            let begun = try await begin(2)
            #expect(begun.epoch == 2)
            #expect(begun.position.value == 3)
            _ = try await store.append(SampleEvents.append(to: "a-1", after: 2))
            _ = try await begin(4)
            let log = try await store.everything()
            #expect(log.map(\.position.value) == Array(1...5))
            #expect(log.map(\.epoch) == [1, 1, 2, 2, 3])
            #expect(log.map(\.version.value) == [1, 2, 1, 3, 2])
            #expect(log[2].event.type == LogEpoch.wireName)
            #expect(log[2].event.data == #"{"after":2,"epoch":2,"reason":"restored"}"#)
            let report = try await LedgerVerifier(store: store).verify(against: [], trusting: [])
            #expect(report.intact, "\(report.findings)")
        }
    }
}
