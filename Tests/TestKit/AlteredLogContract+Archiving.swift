internal import EventSourcing

extension AlteredLogContract {
    static var archiving: [AlteredLogContract] {
        [
            AlteredLogContract("a page goes up to what stands in an archive and says so, whatever its bounds") {
                stage in
                let log = try await ArchivedLog.made(on: stage)
                let head = Int64(log.whole.count)
                for after in stride(from: Int64(0), to: 60, by: 7) {
                    for before in stride(from: Int64(2), to: 60, by: 3).map({ Optional($0) }) + [head + 1] {
                        for backwards in [false, true] {
                            for limit in [1, 4, 1000] {
                                try await log.ask(
                                    .init(after: after, before: before, backwards: backwards, limit: limit))
                            }
                        }
                    }
                    try await log.ask(.init(after: after, limit: 4))
                }
            },
            AlteredLogContract("a filtered page goes up to an archive, and one wholly past or before archives is whole")
            {
                stage in
                let log = try await ArchivedLog.made(on: stage)
                let (early, late) = (log.whole[20].recordedAt, log.whole[53].recordedAt)
                let bound = Int64(log.whole.count + 1)
                let filters = [
                    EventFilter(streamPrefix: "rollout-"), EventFilter(types: ["sample.happened.v1"]),
                    EventFilter(streamPrefix: "inbox-", from: early), EventFilter(streamPrefix: "inbox-", from: late),
                    EventFilter(actor: "maria@laptop", until: early), EventFilter(from: late), EventFilter(from: early),
                    EventFilter(until: early), EventFilter(from: early, until: late),
                    EventFilter(correlation: log.whole[60].event.correlation),
                    EventFilter(until: Instant(microseconds: 0)),
                ]
                for filter in filters {
                    for after in [0, 10, 40, 47, 48, 55] as [Int64] {
                        for before in [12, 49, 60, bound] {
                            for (backwards, limit) in [(false, 3), (false, 1000), (true, 3), (true, 1000)] {
                                try await log.ask(
                                    .init(
                                        after: after, before: before, filter: filter, backwards: backwards, limit: limit
                                    ))
                            }
                        }
                    }
                }
            },
            AlteredLogContract("a page that lacks events is not taken for the whole, and one of none not for an end") {
                stage in
                let log = try await ArchivedLog.made(on: stage)
                guard let first = log.gone.min() else {
                    throw EventStoreContract.Breach(description: "nothing is gone")
                }
                for (after, isBegun) in [(0, true), (first - 1, false)] {
                    let page = try await stage.store.readAll(
                        after: GlobalPosition(after), before: nil, filter: EventFilter(), backwards: false, limit: 1000)
                    try EventStoreContract.same(try isRefused { _ = try page.whole() }, true)
                    try EventStoreContract.same(try isRefused { _ = try page.beginning() }, !isBegun)
                }
            },
            AlteredLogContract("a stream that lacks events is not read, and the others are") { stage in
                let log = try await ArchivedLog.made(on: stage)
                do {
                    let events = try await stage.store.read(SampleEvents.stream("inbox-a"), after: .none, limit: 1000)
                    throw EventStoreContract.Breach(description: "given were \(events.map(\.version))")
                } catch EventStoreFailure.archived(let words) {
                    try EventStoreContract.expect(!words.isEmpty, "it says where they are")
                }
                for name in ["rollout-a", "access-once"] {
                    let events = try await stage.store.read(SampleEvents.stream(name), after: .none, limit: 1000)
                    try EventStoreContract.same(events, log.whole.filter { $0.stream.description == name })
                }
            },
            AlteredLogContract(
                "a page of a stream goes up to what stands in an archive and says so, whatever its bounds"
            ) {
                stage in
                let log = try await ArchivedLog.made(on: stage)
                for name in ["inbox-a", "inbox-b", "access-once"] {
                    for after in [0, 1, 2, 9, 15, 30] as [Int64] {
                        for through in [nil, 1, 2, 3, 4, 11, 14, 26, 48, 99, .max] as [Int64?] {
                            for (backwards, limit) in [(false, 1), (false, 1000), (true, 1), (true, 3), (true, 1000)] {
                                try await log.ask(
                                    name, after: after, through: through, backwards: backwards, limit: limit)
                            }
                        }
                    }
                }
            },
            AlteredLogContract("what comes back is read as before") { stage in
                let log = try await ArchivedLog.made(on: stage, through: 32)
                try await stage.bringBack()
                for backwards in [false, true] {
                    let stream = SampleEvents.stream("inbox-a")
                    let wanted = log.whole.filter { $0.stream == stream }
                    let page = try await stage.store.read(
                        stream, after: .none, through: StreamVersion(999), backwards: backwards, limit: 1000)
                    try EventStoreContract.same(
                        page, StreamPage(events: backwards ? wanted.reversed() : wanted, end: .complete))
                }
                for filter in [EventFilter(), EventFilter(streamPrefix: "inbox-")] {
                    let wanted = log.whole.filter { filter.matches($0) }
                    for backwards in [false, true] {
                        let page = try await stage.store.readAll(
                            after: .start, before: GlobalPosition(Int64(log.whole.count) + 1), filter: filter,
                            backwards: backwards, limit: 1000)
                        try EventStoreContract.same(page.end, .complete)
                        try EventStoreContract.same(page.events, backwards ? wanted.reversed() : wanted)
                    }
                }
            },
        ]
    }

    /// Whether `body` fails because events stand in an archive.
    private static func isRefused(_ body: () throws -> Void) throws -> Bool {
        do {
            try body()
            return false
        } catch EventStoreFailure.archived {
            return true
        }
    }
}
