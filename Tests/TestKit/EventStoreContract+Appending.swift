internal import EventSourcing

extension EventStoreContract {
    static var appending: [EventStoreContract] {
        [
            EventStoreContract("events of an append get the next versions and positions, and come back unchanged") {
                store in
                let first = SampleEvents.append(2, to: "a-1")
                let cause = first.events[1].id
                var second = SampleEvents.append(to: "b-1")
                second.events = [
                    SampleEvents.event(
                        "sample.other.v2", by: "ügur", onBehalfOf: "team \"x\", {y}", causation: cause,
                        data: "{\"text\": \"ä€😀\\u0001\\\\u0000\", \"n\":1.50,\"a\":[1 , null]}",
                        metadata: #"{"request":"r\\1"}"#)
                ]
                let one = try await store.append(first)
                let two = try await store.append(second)
                try same(one.version.value, 2)
                try same(one.position.value, 2)
                try same(two.version.value, 1)
                try same(two.position.value, 3)
                try expect(!one.isDuplicate && !two.isDuplicate, "a first append is no duplicate")
                let log = try await store.everything()
                try same(log.map(\.event), first.events + second.events)
                try same(log.map(\.position.value), [1, 2, 3])
                try same(log.map(\.version.value), [1, 2, 1])
                try same(log.map(\.stream.description), ["a-1", "a-1", "b-1"])
                try same(log.map(\.recordedAt), [one.recordedAt, one.recordedAt, two.recordedAt])
                try same(Set(log.map(\.epoch)), [1])
            },
            EventStoreContract("a wrong expected version is refused with the actual one and changes nothing") { store in
                _ = try await store.append(SampleEvents.append(2, to: "a-1"))
                for expected: Int64 in [0, 1, 3] {
                    let failure = try await refused(SampleEvents.append(to: "a-1", after: expected), by: store)
                    try same(
                        failure,
                        .wrongExpectedVersion(
                            stream: SampleEvents.stream("a-1"), expected: StreamVersion(expected),
                            actual: StreamVersion(2)))
                }
                let failure = try await refused(SampleEvents.append(to: "new-1", after: 1), by: store)
                try same(
                    failure,
                    .wrongExpectedVersion(
                        stream: SampleEvents.stream("new-1"), expected: StreamVersion(1), actual: .none))
                try same(try await store.head().value, 2)
                try same(try await store.streams(in: "new"), [])
            },
            EventStoreContract("any version is accepted with a command id, and only with one") { store in
                _ = try await store.append(SampleEvents.append(3, to: "a-1"))
                let answer = try await store.append(
                    SampleEvents.append(to: "a-1", after: nil, command: SampleEvents.id()))
                try same(answer.version.value, 4)
                guard case .rejected = try await refused(SampleEvents.append(to: "a-1", after: nil), by: store) else {
                    throw Breach(description: "an append without version and command must be rejected")
                }
            },
            EventStoreContract("what can never be kept is rejected, and its neighbours are not") { store in
                let texts = [
                    #"{"a":"\u0000"}"#, #"{"a":"\ud800"}"#, #"{"a":"\udc00\ud800"}"#, "{\"a\":}", "", "{} {}",
                    "{\"a\":\"\u{0}\"}", #"{"a":01}"#, String(repeating: "[", count: 10_000),
                ]
                for text in texts {
                    for event in [SampleEvents.event(data: text), SampleEvents.event(metadata: text)] {
                        let append = Append(
                            stream: SampleEvents.stream("a-1"), expecting: .exactly(.none), events: [event])
                        async let neighbour = store.append(
                            SampleEvents.append(to: "n-\(SampleEvents.id())", after: 0))
                        guard case .rejected = try await refused(append, by: store) else {
                            throw Breach(description: "must be rejected: \(text.prefix(40))")
                        }
                        _ = try await neighbour
                    }
                }
                let named = [
                    ("U+0000 in a subject", SampleEvents.event(by: "a\u{0}b")),
                    ("é in a type", SampleEvents.event("é.v1")),
                ]
                for (what, event) in named {
                    let append = Append(stream: SampleEvents.stream("a-1"), expecting: .exactly(.none), events: [event])
                    guard case .rejected = try await refused(append, by: store) else {
                        throw Breach(description: "\(what) must be rejected")
                    }
                }
                try same(try await store.read(SampleEvents.stream("a-1"), after: .none, limit: 9), [])
            },
            EventStoreContract("sixteen concurrent appenders leave no gap, and each version has one winner") { store in
                let rounds: Int64 = 12
                let wins = try await withThrowingTaskGroup(of: [Appended].self) { group in
                    for appender in 0..<16 {
                        group.addTask {
                            var won: [Appended] = []
                            var version: Int64 = 0
                            while version < rounds {
                                do {
                                    let answer = try await store.append(
                                        SampleEvents.append(
                                            1 + appender % 2, to: "shared-\(appender % 3)", after: version))
                                    won.append(answer)
                                    version = answer.version.value
                                } catch EventStoreFailure.wrongExpectedVersion(_, _, let actual) {
                                    try expect(actual.value > version, "a conflict must name a higher version")
                                    version = actual.value
                                }
                            }
                            return won
                        }
                    }
                    return try await group.reduce(into: []) { $0 += $1 }
                }
                let log = try await store.everything()
                try same(log.map(\.position.value), Array(1...Int64(log.count)))
                for name in ["shared-0", "shared-1", "shared-2"] {
                    let own = log.filter { $0.stream.description == name }
                    try same(own.map(\.version.value), Array(1...Int64(own.count)))
                    let read = try await store.read(SampleEvents.stream(name), after: .none, limit: 1000)
                    try same(read, own)
                }
                try same(Set(wins.map(\.position)).count, wins.count)
                for win in wins {
                    let last = log[Int(win.position.value) - 1]
                    try same(last.version, win.version)
                    try same(last.recordedAt, win.recordedAt)
                }
                for (earlier, later) in zip(log, log.dropFirst()) {
                    try expect(earlier.recordedAt <= later.recordedAt, "recorded time fell at \(later.position)")
                }
            },
        ]
    }
}
