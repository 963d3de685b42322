internal import EventSourcing

extension AlteredLogContract {
    static var following: [AlteredLogContract] {
        [
            AlteredLogContract("a follower is given all before what stands in an archive, and ends with that") {
                stage in
                let log = try await ArchivedLog.made(on: stage)
                for (after, size) in [(0, 100), (0, 1), (0, 3), (20, 100), (47, 5)] + log.gone.map({ ($0 - 1, 7) }) {
                    guard let first = log.gone.filter({ $0 > after }).min() else { continue }
                    let (seen, end) = await followed(stage.store, after: after, size: size)
                    try EventStoreContract.same(
                        seen, Array(log.whole[Int(after)..<Int(first - 1)]), "\(after), \(size)")
                    guard case .archived(let words)? = end else {
                        throw EventStoreContract.Breach(description: "it ended with \(String(describing: end))")
                    }
                    try EventStoreContract.expect(!words.isEmpty, "it says where they are")
                }
            },
            AlteredLogContract("a follower goes on behind an archive, also from an event that only that has") { stage in
                let log = try await ArchivedLog.made(on: stage)
                guard let last = log.gone.max() else { throw EventStoreContract.Breach(description: "nothing is gone") }
                for after in [last, log.end] {
                    let rest = log.whole.count - Int(after)
                    let (seen, end) = await followed(stage.store, after: after, size: 10, until: rest)
                    try EventStoreContract.same(Array(seen.prefix(rest)), Array(log.whole[Int(after)...]))
                    try EventStoreContract.same(end, nil)
                }
            },
            AlteredLogContract("what comes back is followed as before") { stage in
                let log = try await ArchivedLog.made(on: stage, through: 32)
                try await stage.bringBack()
                let (seen, end) = await followed(stage.store, after: 0, size: 7, until: log.whole.count)
                try EventStoreContract.same(Array(seen.prefix(log.whole.count)), log.whole)
                try EventStoreContract.same(end, nil)
            },
        ]
            + [0, 2, 3, 6].map { regrown in
                AlteredLogContract("a follower of a log that was cut short ends with that, \(regrown) events later") {
                    stage in
                    let store = stage.store
                    _ = try await store.append(SampleEvents.append(5, to: "a-1"))
                    let (places, told) = AsyncStream<Int>.makeStream()
                    async let follower = followed(store, after: 0, size: 10) { told.yield($0) }
                    for await place in places where place == 5 { break }
                    try await stage.cutShort(GlobalPosition(2))
                    if regrown > 0 { _ = try await store.append(SampleEvents.append(regrown, to: "a-1", after: 2)) }
                    let (seen, end) = await follower
                    try EventStoreContract.same(seen.map(\.position.value), Array(1...5))
                    guard case .cutShort(let found)? = end else {
                        throw EventStoreContract.Breach(description: "it ended with \(String(describing: end))")
                    }
                    try EventStoreContract.expect(!found.isEmpty, "it says what it found")
                }
            }
    }

    /// What a follower is given until it ends, or has been given `count` events.
    private static func followed(
        _ store: any EventStore, after: Int64, size: Int, until count: Int = .max,
        _ note: @Sendable (Int) -> Void = { _ in }
    ) async -> (events: [RecordedEvent], end: FollowerEnd?) {
        var seen: [RecordedEvent] = []
        do throws(FollowerEnd) {
            for try await batch in store.follow(after: GlobalPosition(after), batchSize: size) {
                seen += batch
                note(seen.count)
                if seen.count >= count { break }
            }
            return (seen, nil)
        } catch {
            return (seen, error)
        }
    }
}
