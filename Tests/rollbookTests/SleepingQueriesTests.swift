import Foundation
import Postgres
import Synchronization
import TestKit
import Testing
import Transfer

@testable import rollbook

/// Callers of the database never block the threads that everything else runs on.
@Suite struct SleepingQueriesTests {
    /// Answers that are asked for while queries sleep.
    private static let wanted = 300

    @Test func `while 64 queries sleep, the API answers`() async throws {
        try await withTemporaryPool(connections: 65) { pool in
            try await EndToEndTests.withServer { client in
                var taken: [Duration] = []
                // A thread that a sleeping query blocked would answer nothing; so each answer that comes while all 64
                // sleep counts, in as many rounds as a busy machine needs.
                for _ in 0..<20 where taken.count < Self.wanted {
                    taken += try await Self.round(pool, client, wanted: Self.wanted - taken.count)
                }
                #expect(taken.count == Self.wanted)
                taken.sort()
                print(
                    "/healthz while 64 queries sleep: p50 \(taken[taken.count / 2]), p99 \(taken[taken.count * 99 / 100])"
                )
            }
        }
    }

    /// Puts 64 queries to sleep, and asks until the first one wakes; how long each answer took that came before.
    private static func round(
        _ pool: PostgresPool, _ client: ServerClient, wanted: Int
    ) async throws -> [Duration] {
        let awake = Awake()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<64 {
                group.addTask {
                    _ = try await pool.query("SELECT pg_sleep(1)")
                    awake.one()
                }
            }
            let asleep = try await eventually {
                let count = try await pool.query(
                    "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(1)' AND state = 'active'")
                return try count.single().get(0, as: Int64.self) == 64 || awake.count > 0
            }
            #expect(asleep)
            var taken: [Duration] = []
            let clock = ContinuousClock()
            while taken.count < wanted {
                let start = clock.now
                let text = try await client.text("/healthz")
                let end = clock.now
                guard awake.count == 0 else { break }
                #expect(text == "ok\n")
                taken.append(end - start)
            }
            try await group.waitForAll()
            return taken
        }
    }

    /// How many sleepers have woken.
    private final class Awake: Sendable {
        private let number = Mutex(0)
        var count: Int { number.withLock(\.self) }
        func one() { number.withLock { $0 += 1 } }
    }
}
