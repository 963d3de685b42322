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
            EventStoreContract(
                "a stream is read between versions, forwards and backwards, and says whether there is more"
            ) {
                store in
                _ = try await store.append(SampleEvents.append(7, to: "a-1"))
                _ = try await store.append(SampleEvents.append(2, to: "b-1"))
                func check(
                    _ after: Int64, _ through: Int64?, backwards: Bool = false, limit: Int = 100, _ wanted: [Int64],
                    _ end: StreamPage.End = .complete, line: UInt = #line
                ) async throws {
                    let page = try await store.read(
                        SampleEvents.stream("a-1"), after: StreamVersion(after),
                        through: through.map { StreamVersion($0) }, backwards: backwards, limit: limit)
                    try same(page.events.map(\.version.value), wanted, "\(after)", line: line)
                    try same(page.end, end, "\(after)", line: line)
                    try same(Set(page.events.map(\.stream.description)).subtracting(["a-1"]), [], line: line)
                }
                try await check(0, nil, [1, 2, 3, 4, 5, 6, 7])
                try await check(2, 5, [3, 4, 5])
                try await check(2, 5, limit: 2, [3, 4], .limit)
                try await check(2, 99, [3, 4, 5, 6, 7])
                try await check(2, .max, limit: 5, [3, 4, 5, 6, 7], .limit)
                try await check(0, nil, backwards: true, limit: 3, [7, 6, 5], .limit)
                try await check(0, 4, backwards: true, limit: 3, [4, 3, 2], .limit)
                try await check(0, 1, backwards: true, limit: 3, [1])
                try await check(4, nil, backwards: true, [7, 6, 5])
                try await check(4, 99, backwards: true, [7, 6, 5])
                try await check(4, 6, backwards: true, [6, 5])
                for (after, through) in [(7, nil), (5, 5), (5, 4), (0, 0), (99, 200), (.max, .max), (8, .max)]
                    as [(Int64, Int64?)]
                {
                    for backwards in [false, true] { try await check(after, through, backwards: backwards, []) }
                }
                try await check(0, nil, limit: 0, [], .limit)
                for backwards in [false, true] {
                    for through in [nil, StreamVersion(3)] {
                        let none = try await store.read(
                            SampleEvents.stream("no-such"), after: .none, through: through, backwards: backwards,
                            limit: 9)
                        try same(none, StreamPage(events: [], end: .complete))
                    }
                }
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
            EventStoreContract("no page has more bytes than it should, unless it is one event, and none is left out") {
                store in
                for (index, size) in ([3] + Array(repeating: 1, count: 9) + [0, 3, 3, 3]).enumerated() {
                    let event = SampleEvents.event(
                        by: index % 2 == 0 ? "maria" : "paul",
                        data: #"{"n":\#(index),"text":"\#(String(repeating: "x", count: size << 20))"}"#)
                    let version = StreamVersion(Int64(index))
                    _ = try await store.append(
                        Append(stream: SampleEvents.stream("a-1"), expecting: .exactly(version), events: [event]))
                }
                for filter in [EventFilter(), EventFilter(actor: "maria")] {
                    let wanted = try await logPages(store, filter: filter, backwards: false, limit: 1)
                    try same(wanted.map(\.event.actor.subject).filter { $0 == "maria" }.count, 7)
                    for backwards in [false, true] {
                        let found = try await logPages(store, filter: filter, backwards: backwards, limit: 100)
                        try expect(found == (backwards ? wanted.reversed() : wanted), "\(filter), \(backwards)")
                    }
                }
                let log = try await logPages(store, filter: EventFilter(), backwards: false, limit: 1)
                for backwards in [false, true] {
                    let found = try await streamPages(store, backwards: backwards)
                    try expect(found == (backwards ? log.reversed() : log), "the stream, \(backwards)")
                }
                var seen: [RecordedEvent] = []
                for try await batch in store.follow(after: .start, batchSize: 100) {
                    try fits(batch)
                    seen += batch
                    if seen.count >= log.count { break }
                }
                try expect(seen == log, "the follower saw other events")
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

    private static func fits(_ events: [RecordedEvent]) throws {
        let bytes = events.reduce(0) { $0 + $1.event.textBytes }
        try expect(events.count == 1 || bytes <= LogPage.mostBytes, "\(events.count) events of \(bytes) bytes")
    }

    /// The log, read page by page until one says that it is the last.
    private static func logPages(
        _ store: any EventStore, filter: EventFilter, backwards: Bool, limit: Int
    ) async throws -> [RecordedEvent] {
        var events: [RecordedEvent] = []
        while true {
            let last = events.last?.position
            let page = try await store.readAll(
                after: backwards ? .start : last ?? .start, before: backwards ? last : nil, filter: filter,
                backwards: backwards, limit: limit)
            try fits(page.events)
            events += page.events
            if page.end == .complete { return events }
            try same(page.end, .limit)
            try expect(!page.events.isEmpty, "a page that is not the last has an event at least")
        }
    }

    private static func streamPages(_ store: any EventStore, backwards: Bool) async throws -> [RecordedEvent] {
        var events: [RecordedEvent] = []
        while true {
            let last = events.last?.version
            let page = try await store.read(
                SampleEvents.stream("a-1"), after: backwards ? .none : last ?? .none,
                through: backwards ? last.map { StreamVersion($0.value - 1) } : nil, backwards: backwards, limit: 100)
            try fits(page.events)
            events += page.events
            if page.end == .complete { return events }
            try expect(!page.events.isEmpty, "a page that is not the last has an event at least")
        }
    }
}
