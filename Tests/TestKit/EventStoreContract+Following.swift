internal import EventSourcing

extension EventStoreContract {
    static var following: [EventStoreContract] {
        [
            EventStoreContract("a follower gets every event once and in order, in bounded batches") { store in
                for index in 0..<9 { _ = try await store.append(SampleEvents.append(3, to: "s-\(index)")) }
                for (after, size) in [(Int64(0), 1), (0, 4), (5, 100), (26, 7)] {
                    var seen: [Int64] = []
                    for try await batch in store.follow(after: GlobalPosition(after), batchSize: size) {
                        try expect((1...size).contains(batch.count), "a batch of \(batch.count), at most \(size)")
                        seen += batch.map(\.position.value)
                        if seen.last == 27 { break }
                    }
                    try same(seen, Array((after + 1)...27))
                }
            },
            EventStoreContract("followers see appends that are made meanwhile, by several appenders") { store in
                let total: Int64 = 8 * 15
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for size in [1, 3, 1000] {
                        group.addTask {
                            var seen: [Int64] = []
                            for try await batch in store.follow(after: .start, batchSize: size) {
                                seen += batch.map(\.position.value)
                                if batch.last?.position.value == total { break }
                            }
                            try same(seen, Array(1...total))
                        }
                    }
                    for appender in 0..<8 {
                        group.addTask {
                            for version: Int64 in 0..<15 {
                                _ = try await store.append(
                                    SampleEvents.append(to: "s-\(appender)", after: version))
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            },
            EventStoreContract("followers that take no further batch hinder neither another one nor who appends") {
                store in
                _ = try await store.append(SampleEvents.append(3, to: "a-1"))
                // More than a store has connections.
                var slow: [EventBatches.AsyncIterator] = []
                for _ in 0..<40 {
                    var follower = store.follow(after: .start, batchSize: 1).makeAsyncIterator()
                    try same(try await follower.next()?.map(\.position.value), [1])
                    slow.append(follower)
                }
                for version: Int64 in 3..<60 {
                    _ = try await store.append(SampleEvents.append(to: "a-1", after: version))
                }
                var seen: [Int64] = []
                for try await batch in store.follow(after: .start, batchSize: 7) {
                    seen += batch.map(\.position.value)
                    if seen.last == 60 { break }
                }
                try same(seen, Array(1...60))
                for index in slow.indices { try same(try await slow[index].next()?.map(\.position.value), [2]) }
            },
            EventStoreContract("following ends without a reason when the task that follows is cancelled") { store in
                _ = try await store.append(SampleEvents.append(to: "a-1"))
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        for try await _ in store.follow(after: .start, batchSize: 10) {}
                    }
                    group.addTask {
                        for try await _ in store.follow(after: GlobalPosition(1), batchSize: 10) {}
                    }
                    group.cancelAll()
                    try await group.waitForAll()
                }
            },
            EventStoreContract("whoever follows once more begins at the beginning") { store in
                _ = try await store.append(SampleEvents.append(3, to: "a-1"))
                let batches = store.follow(after: GlobalPosition(1), batchSize: 10)
                for _ in 0..<2 {
                    var follower = batches.makeAsyncIterator()
                    try same(try await follower.next()?.map(\.position.value), [2, 3])
                }
            },
            EventStoreContract("a follower that has seen another event than stands there is told so, and no other") {
                store in
                _ = try await store.append(SampleEvents.append(3, to: "a-1"))
                let there = try await store.everything()[1]
                var follower = store.follow(after: there.position, seen: there.event.id, batchSize: 10)
                    .makeAsyncIterator()
                try same(try await follower.next()?.map(\.position.value), [3])
                let others = [
                    store.follow(after: there.position, seen: SampleEvents.id(), batchSize: 10),
                    store.follow(after: GlobalPosition(4), batchSize: 10),
                ]
                for other in others {
                    var follower = other.makeAsyncIterator()
                    do {
                        let batch = try await follower.next()
                        throw Breach(description: "given was \(String(describing: batch))")
                    } catch FollowerEnd.cutShort(let found) {
                        try expect(!found.isEmpty, "it says what it found")
                    }
                    try same(try await follower.next(), nil)
                }
            },
        ]
    }
}
