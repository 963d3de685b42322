import Foundation
import Postgres
import Synchronization
import TestKit
import Testing

@Suite struct PoolTests {
    @Test func `what a body does between its statements is done on the connection's thread`() async throws {
        try await withTemporaryPool(connections: 2) { pool in
            let threads = try await pool.onConnection { connection in
                var threads = [await connection.ownThread()]
                for _ in 0..<20 {
                    try await connection.query("SELECT 1")
                    threads.append(await currentThread())
                }
                return threads
            }
            #expect(Set(threads).count == 1)
            await #expect(throws: PostgresError.self) {
                try await pool.onConnection { try await $0.query("SELECT pg_terminate_backend(pg_backend_pid())") }
            }
            #expect(pool.load.lent == 0 && pool.load.idle == 0)
            #expect(try await pool.query("SELECT 2").single().get(0, as: Int.self) == 2)
        }
    }

    @Test func `two hundred callers share eight connections while backends are killed at random`() async throws {
        try await withTemporaryPool(connections: 8) { pool in
            try await pool.query("CREATE TABLE done (caller int, round int, PRIMARY KEY (caller, round))")
            let lost = Counter()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for caller in 0..<200 {
                    group.addTask {
                        for round in 0..<10 {
                            while true {
                                do {
                                    // The same bytes again after an unknown outcome: the key recognises them.
                                    try await pool.query(
                                        "INSERT INTO done VALUES (\(caller), \(round)) ON CONFLICT DO NOTHING")
                                    break
                                } catch let error as PostgresError where error.retryCanHelp {
                                    lost.add()
                                }
                            }
                        }
                    }
                }
                group.addTask {
                    let killer = try await PostgresConnection.connect(pool.configuration)
                    for _ in 0..<40 {
                        try await killer.query(
                            """
                            SELECT pg_terminate_backend(pid)
                            FROM pg_stat_activity
                            WHERE datname = current_database() AND pid <> pg_backend_pid()
                            ORDER BY random()
                            LIMIT 1
                            """)
                    }
                    await killer.close()
                }
                try await group.waitForAll()
            }
            let count = try await pool.query("SELECT count(*) FROM done").single().get(0, as: Int.self)
            #expect(count == 2000)
            #expect(pool.load.lent == 0 && pool.load.waiting == 0 && pool.load.idle <= 8)
            print("pool under fire: \(lost.count) statements were sent again")
        }
    }

    @Test func `an idle connection that broke is replaced without the caller noticing`() async throws {
        try await withTemporaryPool(connections: 1) { pool in
            let first = try await pool.withConnection { $0.backendProcessID }
            let killer = try await PostgresConnection.connect(pool.configuration)
            try await killer.query("SELECT pg_terminate_backend(\(first), 5000)")
            await killer.close()
            let second = try await pool.query("SELECT pg_backend_pid()").single().get(0, as: Int32.self)
            #expect(first != second)
        }
    }

    @Test func `waiting for a connection ends by deadline and by cancellation, and loses no slot`() async throws {
        try await withTemporaryDatabase { configuration in
            let pool = PostgresPool(
                configuration, options: PoolOptions(maximumConnections: 1, acquireTimeout: .milliseconds(50)))
            try await pool.withConnection { _ in
                let late = await #expect(throws: PostgresError.self) { try await pool.query("SELECT 1") }
                #expect(late?.code == .timeout && late?.retryCanHelp == true)
            }
            let patient = PostgresPool(configuration, options: PoolOptions(maximumConnections: 1))
            try await patient.withConnection { _ in
                // Awaited below.
                let waiter = Task { try await patient.query("SELECT 1") }
                try await expectEventually { patient.load.waiting == 1 }
                waiter.cancel()
                let error = await #expect(throws: PostgresError.self) { try await waiter.value }
                #expect(error?.code == .cancelled)
            }
            #expect(try await patient.query("SELECT 1").count == 1)
            await pool.close()
            await patient.close()
        }
    }

    @Test func `closing waits for what is lent and refuses what comes after`() async throws {
        try await withTemporaryDatabase { configuration in
            let pool = PostgresPool(configuration)
            async let slow = pool.query("SELECT pg_sleep(0.2)")
            try await expectEventually { pool.load.lent == 1 }
            await pool.close()
            #expect(pool.load.lent == 0)
            _ = try await slow
            let refused = await #expect(throws: PostgresError.self) { try await pool.query("SELECT 1") }
            #expect(refused?.code == .poolClosed)
            await pool.close()
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func `waiting statements do not hold up the cooperative pool`() async throws {
        try await withTemporaryPool(connections: 64) { pool in
            let holder = try await PostgresConnection.connect(pool.configuration)
            try await holder.query("SELECT pg_advisory_lock(1)")
            let returned = Counter()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<64 {
                    group.addTask {
                        try await pool.query("SELECT pg_advisory_lock_shared(1)")
                        returned.add()
                    }
                }
                try await expectEventually {
                    try await holder.query(
                        """
                        SELECT 1
                        FROM pg_stat_activity
                        WHERE wait_event = 'advisory' AND datname = current_database()
                        """
                    ).count == 64
                }
                // Were any thread of the pool in libpq now, these would not end, as nothing else lets the 64 go.
                let hopper = Hopper()
                let start = ContinuousClock.now
                for _ in 0..<1000 { await hopper.hop() }
                print("1,000 hops beside 64 waiting statements took \(ContinuousClock.now - start)")
                #expect(await hopper.hops == 1000)
                #expect(returned.count == 0)
                try await holder.query("SELECT pg_advisory_unlock(1)")
                try await group.waitForAll()
            }
            #expect(returned.count == 64)
            await holder.close()
        }
    }

    @Test func `sixty-four sleeps of a second take little more than a second`() async throws {
        try await withTemporaryPool(connections: 64) { pool in
            let start = ContinuousClock.now
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<64 { group.addTask { try await pool.query("SELECT pg_sleep(1)") } }
                try await group.waitForAll()
            }
            let took = ContinuousClock.now - start
            print("64 sleeps of 1 s took \(took)")
            #expect(took < .seconds(32), "they ran beside each other")
        }
    }
}

private actor Hopper {
    private(set) var hops = 0
    func hop() async {
        hops += 1
        await Task.yield()
    }
}

private final class Counter: Sendable {
    private let value = Mutex(0)
    var count: Int { value.withLock { $0 } }
    func add() { value.withLock { $0 += 1 } }
}

/// The thread that a task goes on with.
private func currentThread() async -> UInt { UInt(pthread_self()) }

extension PostgresConnection {
    fileprivate func ownThread() -> UInt { UInt(pthread_self()) }
}
