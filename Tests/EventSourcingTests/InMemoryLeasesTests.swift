import EventSourcing
import Synchronization
import TestKit
import Testing

@Suite struct InMemoryLeasesTests {
    @Test(arguments: LeasesContract.clauses)
    func `leases in memory keep the contract`(_ clause: LeasesContract) async throws {
        let clock = StandingClock()
        let store = InMemoryEventStore { clock.now }
        try await clause.check(
            LeasesContract.Stage(
                leases: InMemoryLeases(store: store) { clock.now }, store: store, pass: { clock.advance($0) }))
    }
}

/// A clock that stands still unless it is moved.
private final class StandingClock: Sendable {
    private let time = Mutex(SampleEvents.noon)

    var now: Instant { time.withLock { $0 } }

    func advance(_ duration: Duration) { time.withLock { $0 = $0 + duration } }
}
