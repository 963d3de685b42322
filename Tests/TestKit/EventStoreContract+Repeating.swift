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
            EventStoreContract("only the same events at the same version are a repeat") { store in
                let first = SampleEvents.append(2, to: "a-1")
                _ = try await store.append(first)
                _ = try await store.append(SampleEvents.append(to: "b-1"))
                var longer = first
                longer.events += SampleEvents.append(to: "a-1").events
                var swapped = first
                swapped.events.reverse()
                for append in [longer, swapped, SampleEvents.append(2, to: "a-1")] {
                    let failure = try await refused(append, by: store)
                    try same(
                        failure,
                        .wrongExpectedVersion(
                            stream: SampleEvents.stream("a-1"), expected: .none, actual: StreamVersion(2)))
                }
                var twice = SampleEvents.append(to: "b-1", after: 1)
                twice.events += twice.events
                guard case .rejected = try await refused(twice, by: store) else {
                    throw Breach(description: "one id twice in an append must be rejected")
                }
                try same(try await store.head().value, 3)
            },
            EventStoreContract("a repeat of a command gets its receipt, also with other events") { store in
                let command = SampleEvents.id()
                let stream = SampleEvents.stream("a-1")
                try same(try await store.receipt(for: command, fingerprint: nil, on: stream), nil)
                var first = try await store.append(SampleEvents.append(2, to: "a-1", command: command))
                let repeated = try await store.append(SampleEvents.append(1, to: "a-1", after: 2, command: command))
                first.isDuplicate = true
                try same(repeated, first)
                try same(try await store.receipt(for: command, fingerprint: nil, on: stream), first)
                try same(try await store.receipt(for: command, fingerprint: nil, on: SampleEvents.stream("b-1")), nil)
                try same(try await store.receipt(for: SampleEvents.id(), fingerprint: nil, on: stream), nil)
                let other = try await store.append(SampleEvents.append(1, to: "b-1", command: command))
                try expect(!other.isDuplicate, "a receipt belongs to one stream")
            },
            EventStoreContract("a command id that stands for another order is refused, and changes nothing") { store in
                let command = SampleEvents.id()
                let stream = SampleEvents.stream("a-1")
                var order = SampleEvents.append(to: "a-1", command: command)
                order.fingerprint = [1, 2, 3]
                var first = try await store.append(order)
                first.isDuplicate = true
                try same(try await store.append(order), first)
                try same(try await store.receipt(for: command, fingerprint: [1, 2, 3], on: stream), first)
                for other: [UInt8]? in [[1, 2, 4], [], nil] {
                    var again = SampleEvents.append(to: "a-1", after: 1, command: command)
                    again.fingerprint = other
                    try same(try await refused(again, by: store), .commandReused(command, stream: stream))
                    do {
                        _ = try await store.receipt(for: command, fingerprint: other, on: stream)
                        throw Breach(description: "the receipt of another order must not be given")
                    } catch let failure as EventStoreFailure {
                        try same(failure, .commandReused(command, stream: stream))
                    }
                }
                // Nor is it taken for another order to another stream, while one order may go to several.
                let elsewhere = SampleEvents.stream("b-1")
                try same(try await store.receipt(for: command, fingerprint: [1, 2, 3], on: elsewhere), nil)
                do {
                    _ = try await store.receipt(for: command, fingerprint: [4], on: elsewhere)
                    throw Breach(description: "the id of another stream's order must be refused")
                } catch let failure as EventStoreFailure {
                    try same(failure, .commandReused(command, stream: stream))
                }
                try same(try await store.head().value, 1)
                // Nor is one appended for which nobody looked.
                var second = SampleEvents.append(to: "b-1", command: command)
                second.fingerprint = [4]
                try same(try await refused(second, by: store), .commandReused(command, stream: stream))
                try same(try await store.head().value, 1)
                second.fingerprint = [1, 2, 3]
                var there = try await store.append(second)
                there.isDuplicate = true
                try same(try await store.receipt(for: command, fingerprint: [1, 2, 3], on: stream), first)
                try same(try await store.receipt(for: command, fingerprint: [1, 2, 3], on: elsewhere), there)
            },
            EventStoreContract("of other orders that arrive at once under one command id one is carried out") { store in
                // More than once, so that a store that gathers has something to gather.
                for round in 0..<4 {
                    let command = SampleEvents.id()
                    let answers = await withTaskGroup(of: (StreamName, Result<Appended, EventStoreFailure>).self) {
                        group in
                        for number in 0..<12 {
                            var order = SampleEvents.append(to: "order-\(round)-\(number)", command: command)
                            order.fingerprint = [UInt8(number)]
                            let sent = order
                            group.addTask {
                                do throws(EventStoreFailure) {
                                    return (sent.stream, .success(try await store.append(sent)))
                                } catch {
                                    return (sent.stream, .failure(error))
                                }
                            }
                        }
                        return await group.reduce(into: []) { $0.append($1) }
                    }
                    let made = answers.filter { if case .success = $0.1 { true } else { false } }
                    try same(made.count, 1)
                    for (stream, answer) in answers where stream != made[0].0 {
                        guard case .failure(let failure) = answer else { continue }
                        try same(failure, .commandReused(command, stream: made[0].0))
                    }
                    try same(try await store.head().value, Int64(round + 1))
                }
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
                try same(try await store.receipt(for: command, fingerprint: nil, on: SampleEvents.stream("b-1")), first)
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
