import EventSourcing
import TestKit

/// A log in memory whose followers get nothing before a test says so, and then all that has gathered.
struct GatedStore: ForwardingEventStore {
    let base: InMemoryEventStore
    let gate: Gate

    func follow(after: GlobalPosition, batchSize: Int) -> AsyncStream<[RecordedEvent]> {
        AsyncStream { told in
            // Ends with the stream that it feeds.
            let task = Task {
                await gate.passed()
                for await batch in base.follow(after: after, batchSize: batchSize) { told.yield(batch) }
                told.finish()
            }
            told.onTermination = { _ in task.cancel() }
        }
    }
}
