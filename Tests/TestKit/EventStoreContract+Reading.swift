internal import EventSourcing

extension EventStoreContract {
    static var reading: [EventStoreContract] {
        [
            EventStoreContract("an empty store has no events, no streams and its head at the start") { store in
                try same(try await store.head(), .start)
                try same(try await store.everything(), [])
                try same(try await store.read(SampleEvents.stream("no-such"), after: .none, limit: 10), [])
                try same(try await store.streams(in: "no"), [])
            },
            EventStoreContract("a stream is read in pieces by version") { store in
                _ = try await store.append(SampleEvents.append(7, to: "a-1"))
                _ = try await store.append(SampleEvents.append(2, to: "b-1"))
                let stream = SampleEvents.stream("a-1")
                func versions(_ after: Int64, _ limit: Int) async throws -> [Int64] {
                    try await store.read(stream, after: StreamVersion(after), limit: limit).map(\.version.value)
                }
                try same(try await versions(0, 3), [1, 2, 3])
                try same(try await versions(3, 3), [4, 5, 6])
                try same(try await versions(6, 3), [7])
                try same(try await versions(7, 3), [])
                try same(try await versions(99, 3), [])
                try same(try await versions(0, 0), [])
            },
            EventStoreContract("streams are listed by category, in order, once they have events") { store in
                for name in ["rollout-z", "rollout-a", "rollouts-b", "access-a"] {
                    _ = try await store.append(SampleEvents.append(to: name))
                }
                _ = try await store.append(SampleEvents.append(0, to: "rollout-empty", command: SampleEvents.id()))
                try same(try await store.streams(in: "rollout").map(\.description), ["rollout-a", "rollout-z"])
            },
            EventStoreContract("the log is read between positions, forwards and backwards, in pieces") { store in
                for index in 0..<10 { _ = try await store.append(SampleEvents.append(to: "s-\(index)")) }
                func positions(
                    _ after: Int64, _ before: Int64?, backwards: Bool = false, _ limit: Int = 100
                ) async throws -> [Int64] {
                    try await store.readAll(
                        after: GlobalPosition(after), before: before.map { GlobalPosition($0) }, filter: EventFilter(),
                        backwards: backwards, limit: limit
                    ).whole().map(\.position.value)
                }
                try same(try await positions(0, nil, 4), [1, 2, 3, 4])
                try same(try await positions(4, 8), [5, 6, 7])
                try same(try await positions(4, 8, backwards: true), [7, 6, 5])
                try same(try await positions(0, nil, backwards: true, 3), [10, 9, 8])
                try same(try await positions(0, 8, backwards: true, 3), [7, 6, 5])
                try same(try await positions(10, nil), [])
                try same(try await positions(.max, nil), [])
                try same(try await positions(.max - 1, .max), [])
                try same(try await positions(8, .max), [9, 10])
                try same(try await positions(50, 60), [])
                try same(try await positions(0, 1), [])
                try same(try await positions(0, 0), [])
                try same(try await positions(0, nil, 0), [])
            },
            EventStoreContract("each filter, and each pair of them, gives what it says and nothing else") { store in
                let release = SampleEvents.id()
                for index in 0..<24 {
                    let event = SampleEvents.event(
                        "sample.kind-\(index % 3).v1", by: index % 4 == 0 ? "rollbook/1" : "maria",
                        correlation: index % 5 == 0 ? release : SampleEvents.id())
                    let name = index % 2 == 0 ? "rollout-l/d/a\(index % 6)" : "access-\(index % 6)"
                    let stream = SampleEvents.stream(name)
                    let version = StreamVersion(
                        Int64(try await store.read(stream, after: .none, limit: 100).count))
                    _ = try await store.append(Append(stream: stream, expecting: .exactly(version), events: [event]))
                }
                let log = try await store.everything()
                let (early, late) = (log[6].recordedAt, log[17].recordedAt)
                let parts: [@Sendable (inout EventFilter) -> Void] = [
                    { $0.types = ["sample.kind-1.v1"] },
                    { $0.types = ["sample.kind-0.v1", "sample.kind-2.v1", "none"] },
                    { $0.streamPrefix = "rollout-" }, { $0.streamPrefix = "rollout-l/d/a2" },
                    { $0.streamPrefix = "no_such%" }, { $0.correlation = release }, { $0.actor = "rollbook/1" },
                    { $0.actor = "nobody" }, { $0.from = early }, { $0.until = late },
                    { $0.from = Instant(microseconds: 0) }, { $0.until = Instant(microseconds: 0) },
                    { $0.from = log[23].recordedAt + .seconds(1) },
                ]
                for one in parts {
                    for two in parts {
                        var filter = EventFilter()
                        one(&filter)
                        two(&filter)
                        let wanted = log.filter(filter.matches)
                        let found = try await store.readAll(
                            after: .start, before: nil, filter: filter, backwards: false, limit: 100
                        ).whole()
                        try same(found, wanted)
                        let backwards = try await store.readAll(
                            after: GlobalPosition(3), before: GlobalPosition(20), filter: filter, backwards: true,
                            limit: 5
                        ).whole()
                        let inside = wanted.filter { (4..<20).contains($0.position.value) }
                        try same(backwards, Array(inside.reversed().prefix(5)))
                    }
                }
            },
        ]
    }
}
