import EventSourcing
import Synchronization
import TestKit
import Testing

@Suite struct InMemoryEventStoreTests {
    @Test(arguments: EventStoreContract.clauses)
    func `the memory store keeps the contract`(_ clause: EventStoreContract) async throws {
        let time = TestTime(ticks: SampleEvents.noon)
        try await clause.check(InMemoryEventStore { time.next() })
    }

    @Test(arguments: AlteredLogContract.clauses)
    func `the memory store keeps the contract of a log that is altered`(_ clause: AlteredLogContract) async throws {
        let time = TestTime(ticks: SampleEvents.noon)
        let store = InMemoryEventStore { time.next() }
        try await clause.check(
            .init(
                store: store,
                putAway: { end in
                    let range = AlteredLogContract.Stage.range
                    let log = try await store.everything()
                    for first in stride(from: 1, to: end.value, by: Int64.Stride(range)) {
                        let events = log[Int(first - 1)..<Int(first - 1 + range)]
                        let last = Set(Dictionary(grouping: events, by: \.stream).values.compactMap(\.last?.position))
                        store.putAway(first...first + range - 1, words: "in archive \(first)") {
                            !$0.stream.description.hasPrefix("inbox-") || last.contains($0.position)
                        }
                    }
                },
                bringBack: { store.bringBack() }, cutShort: { store.cutShort(after: $0) }))
    }

    @Test func `recorded time never falls though the clock does`() async throws {
        let time = TestTime(ticks: SampleEvents.noon, step: .seconds(-60))
        let store = InMemoryEventStore { time.next() }
        for version: Int64 in 0..<3 { _ = try await store.append(SampleEvents.append(to: "a-1", after: version)) }
        let log = try await store.everything()
        #expect(Set(log.map(\.recordedAt)).count == 1)
    }
}

/// A clock that moves by one step at each look.
final class TestTime: Sendable {
    private let now: Mutex<Instant>
    private let step: Duration

    init(ticks: Instant, step: Duration = .milliseconds(1)) {
        now = Mutex(ticks)
        self.step = step
    }

    func next() -> Instant {
        now.withLock { now in
            now = now + step
            return now
        }
    }
}
