import EventSourcing
import Ledger
import Postgres
import TestKit
import Testing

@Suite(.timeLimit(.minutes(5))) struct PostgresLeasesTests {
    @Test(arguments: LeasesContract.clauses)
    func `leases in PostgreSQL keep the contract`(_ clause: LeasesContract) async throws {
        try await withLedger { store, owner in
            try await clause.check(
                LeasesContract.Stage(
                    leases: PostgresLeases(pool: store.pool, patience: .seconds(60)), store: store,
                    pass: { duration in
                        let superuser = try await PostgresConnection.connect(owner)
                        try await superuser.query(
                            """
                            UPDATE ledger.lease
                            SET expires_at = expires_at - \(duration.components.seconds) * interval '1 second'
                            """)
                        await superuser.close()
                    }))
        }
    }

    @Test func `a renewal does not wait for the appends, and a claim that finds nothing neither`() async throws {
        try await withLedger { store, owner in
            let leases = PostgresLeases(pool: store.pool, patience: .seconds(60))
            let held = try await leases.claim(["a"], for: "one", lasting: .seconds(30), atMost: 1)
            let superuser = try await PostgresConnection.connect(owner)
            try await superuser.transaction { connection in
                try await connection.query("LOCK TABLE ledger.append_lock IN EXCLUSIVE MODE")
                #expect(try await leases.renew(held, for: "one", lasting: .seconds(30)) == held)
                #expect(try await leases.claim(["a"], for: "two", lasting: .seconds(30), atMost: 1) == [])
                // One that finds something does, but not for long.
                await #expect(throws: EventStoreFailure.self) {
                    try await leases.claim(["b"], for: "two", lasting: .seconds(30), atMost: 1)
                }
            }
            #expect(try await leases.claim(["b"], for: "two", lasting: .seconds(30), atMost: 1).count == 1)
            await superuser.close()
        }
    }

    @Test func `a claim waits for nobody under the append lock`() async throws {
        try await withLedger { store, owner in
            let leases = PostgresLeases(pool: store.pool, patience: .seconds(60))
            _ = try await leases.claim(["a", "b"], for: "one", lasting: .zero, atMost: 2)
            let superuser = try await PostgresConnection.connect(owner)
            try await superuser.transaction { connection in
                try await connection.query("SELECT FROM ledger.lease WHERE name = 'a' FOR UPDATE")
                let taken = try await leases.claim(["a", "b"], for: "two", lasting: .seconds(30), atMost: 2)
                #expect(taken == [Fence(lease: "b", epoch: 2)])
            }
            await superuser.close()
        }
    }

    @Test func `a call that was given up while it waited for a connection is not carried out`() async throws {
        try await withLedger { store, owner in
            let leases = PostgresLeases(pool: store.pool, patience: .seconds(60))
            let held = try await leases.claim(["a"], for: "one", lasting: .seconds(30), atMost: 1)
            let narrow = PostgresPool(store.pool.configuration, options: PoolOptions(maximumConnections: 1))
            let hasty = PostgresLeases(pool: narrow, patience: .milliseconds(1))
            let begun = AsyncStream.makeStream(of: ContinuousClock.Instant.self)
            async let renewal = narrow.withConnection { _ in
                // Awaited below.
                let renewal = Task {
                    begun.continuation.yield(.now)
                    return try await hasty.renew(held, for: "one", lasting: .seconds(300))
                }
                let start = try #require(await begun.stream.first { _ in true })
                #expect(try await eventually { ContinuousClock.now - start > .milliseconds(200) })
                return renewal
            }
            let outcome = try await renewal.result
            #expect(throws: EventStoreFailure.self) { try outcome.get() }
            let remaining = try #require(try await leases.list(under: "a").first).remaining
            #expect(remaining < .seconds(31))
            await narrow.close()
        }
    }

    @Test func `the service can hold leases, but not write them by itself`() async throws {
        try await withLedger { store, _ in
            _ = try await PostgresLeases(pool: store.pool, patience: .seconds(60)).claim(
                ["a"], for: "one", lasting: .seconds(30), atMost: 1)
            for statement in [
                "UPDATE ledger.lease SET epoch = 1", "DELETE FROM ledger.lease", "INSERT INTO ledger.cluster SELECT",
                "INSERT INTO ledger.lease VALUES ('b', 'x', 1, now())",
            ] {
                await #expect(throws: PostgresError.self) { try await store.pool.query(SQL(unsafeRaw: statement)) }
            }
        }
    }

    @Test func `a cluster stays with its platform until it is moved`() async throws {
        try await withLedger { store, _ in
            func bind(_ platform: String, _ place: String, moving: Bool = false) async throws -> ClusterBinding {
                try await ClusterBinding.bind("default", to: platform, at: place, moving: moving, through: store.pool)
            }
            let first = try await bind("p1", "host:/a")
            #expect((first.platform, first.place) == ("p1", "host:/a"))
            let moved = try await bind("p1", "host:/b")
            #expect((moved.platform, moved.place, moved.boundAt) == ("p1", "host:/b", first.boundAt))
            #expect(try await bind("p2", "other:/a") == moved)
            #expect(try await bind("p2", "other:/a", moving: true).platform == "p2")
            #expect(try await bind("p1", "host:/b").platform == "p2")
        }
    }
}
