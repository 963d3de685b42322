internal import EventSourcing

extension EventStoreContract {
    static var repeating: [EventStoreContract] {
        [
            EventStoreContract("a repeat with the same event ids gets the first answer, whatever came between") {
                store in
                let append = SampleEvents.append(3, to: "a-1")
                var first = try await store.append(append)
                _ = try await store.append(SampleEvents.append(2, to: "a-1", after: 3))
                _ = try await store.append(SampleEvents.append(to: "b-1"))
                let repeated = try await store.append(append)
                first.isDuplicate = true
                try same(repeated, first)
                try same(try await store.head().value, 6)
            },
            EventStoreContract("the id of an event that stands in the log is refused for another append") { store in
                let first = SampleEvents.append(2, to: "a-1")
                _ = try await store.append(first)
                var part = SampleEvents.append(to: "a-1", after: 2)
                part.events.append(first.events[1])
                var elsewhere = SampleEvents.append(to: "b-1")
                elsewhere.events = [first.events[0]]
                var twice = SampleEvents.append(to: "b-1")
                twice.events += twice.events
                for append in [part, elsewhere, twice] {
                    guard case .rejected = try await refused(append, by: store) else {
                        throw Breach(description: "a reused id must be rejected")
                    }
                }
                try same(try await store.head().value, 2)
            },
            EventStoreContract("a repeat of a command gets its receipt, also with other events") { store in
                let command = SampleEvents.id()
                let stream = SampleEvents.stream("a-1")
                try same(try await store.receipt(for: command, on: stream), nil)
                var first = try await store.append(SampleEvents.append(2, to: "a-1", command: command))
                let repeated = try await store.append(SampleEvents.append(1, to: "a-1", after: 2, command: command))
                first.isDuplicate = true
                try same(repeated, first)
                try same(try await store.receipt(for: command, on: stream), first)
                try same(try await store.receipt(for: command, on: SampleEvents.stream("b-1")), nil)
                try same(try await store.receipt(for: SampleEvents.id(), on: stream), nil)
                let other = try await store.append(SampleEvents.append(1, to: "b-1", command: command))
                try expect(!other.isDuplicate, "a receipt belongs to one stream")
            },
            EventStoreContract("an answer without events leaves a receipt at the head of the log") { store in
                _ = try await store.append(SampleEvents.append(3, to: "a-1"))
                let command = SampleEvents.id()
                let nothing = SampleEvents.append(0, to: "b-1", command: command)
                var first = try await store.append(nothing)
                try same(first.version, .none)
                try same(first.position.value, 3)
                _ = try await store.append(SampleEvents.append(to: "b-1"))
                let repeated = try await store.append(nothing)
                first.isDuplicate = true
                try same(repeated, first)
                try same(try await store.receipt(for: command, on: SampleEvents.stream("b-1")), first)
                let stale = SampleEvents.append(0, to: "b-1", after: 0, command: SampleEvents.id())
                guard case .wrongExpectedVersion = try await refused(stale, by: store) else {
                    throw Breach(description: "an answer that a stale state led to must be refused")
                }
                guard case .rejected = try await refused(SampleEvents.append(0, to: "b-1", after: 1), by: store) else {
                    throw Breach(description: "an append of nothing, for nobody, must be rejected")
                }
                try same(try await store.head().value, 4)
            },
            EventStoreContract("of concurrent repeats one is appended and all get the same answer") { store in
                let append = SampleEvents.append(2, to: "a-1", command: SampleEvents.id())
                let answers = try await withThrowingTaskGroup(of: Appended.self) { group in
                    for _ in 0..<16 { group.addTask { try await store.append(append) } }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                try same(answers.filter { !$0.isDuplicate }.count, 1)
                try same(Set(answers.map(\.position)).count, 1)
                try same(Set(answers.map(\.recordedAt)).count, 1)
                try same(try await store.head().value, 2)
            },
        ]
    }
}
