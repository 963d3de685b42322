import Postgres
import TestKit
import Testing

@Suite struct ListenerTests {
    @Test func `a listener hears messages, says when it was deaf, and listens again`() async throws {
        try await withTemporaryPool(connections: 2) { pool in
            var events = pool.listen("weather", "it's \"odd\"").makeAsyncIterator()
            func next() async throws -> ListenerEvent { try #require(await events.next()) }
            guard case .listening = try await next() else { throw Unexpected() }
            try await pool.query("SELECT pg_notify('weather', \("rain")), pg_notify(\("it's \"odd\""), '')")
            guard case .notification(let first) = try await next(), case .notification(let second) = try await next()
            else { throw Unexpected() }
            #expect(first.channel == "weather" && first.payload == "rain")
            #expect(second.channel == "it's \"odd\"" && second.payload.isEmpty)
            let killed = try await pool.query(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
            )
            #expect(killed.count == 1)
            guard case .lost(let error) = try await next() else { throw Unexpected() }
            #expect(error.code == .connectionLost)
            guard case .listening = try await next() else { throw Unexpected() }
            try await pool.query("SELECT pg_notify('weather', 'sun')")
            guard case .notification(let third) = try await next() else { throw Unexpected() }
            #expect(third.payload == "sun")
        }
    }

    @Test func `a quiet listener ends when its task is cancelled`() async throws {
        try await withTemporaryPool(connections: 1) { pool in
            let (heard, hear) = AsyncStream<Void>.makeStream()
            // Awaited below.
            let task = Task {
                for await event in pool.listen("silence") {
                    if case .listening = event { hear.yield() }
                }
                return "ended"
            }
            for await _ in heard { break }
            task.cancel()
            #expect(await task.value == "ended")
        }
    }
}

private struct Unexpected: Error {}
