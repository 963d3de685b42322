import EventSourcing
import Foundation
import Postgres
import TestKit
import Testing

@testable import Ledger

/// What an instance need not read in the log, for it has appended that itself.
@Suite struct RecentAppendsTests {
    @Test("two lanes may answer in any order")
    func anyOrder() {
        for order in [[0, 1, 2, 3], [1, 0, 3, 2], [3, 2, 1, 0], [2, 3, 0, 1]] {
            let recent = Self.begun()
            recent.add(part(1...2), on: Self.server)
            let parts = [part(3...3), part(4...7), part(8...9), part(10...10)]
            for index in order { recent.add(parts[index], on: Self.server) }
            #expect(positions(recent, from: 1) == Array(1...10), "\(order)")
            #expect(positions(recent, from: 5) == Array(5...10))
            #expect(recent.row(from: GlobalPosition(5), limit: 3)?.map(\.position.value) == [5, 6, 7])
            #expect(recent.end(after: GlobalPosition(4)) == GlobalPosition(10))
            #expect(recent.end(after: GlobalPosition(10)) == nil)
            #expect(recent.row(in: PositionRange(after: GlobalPosition(2), through: GlobalPosition(9)))?.count == 7)
            #expect(recent.row(in: PositionRange(after: GlobalPosition(2), through: GlobalPosition(11))) == nil)
        }
    }

    @Test("what somebody else has appended ends the row, and another begins after it")
    func gap() {
        let recent = Self.begun()
        recent.add(part(1...2), on: Self.server)
        for position in Int64(4)...20 { recent.add(part(position...position), on: Self.server) }
        #expect(positions(recent, from: 4) == Array(4...20))
        #expect(positions(recent, from: 2) == nil)
        recent.add(part(3...3), on: Self.server)
        #expect(positions(recent, from: 3) == nil, "too late")
        #expect(positions(recent, from: 4) == Array(4...20))
    }

    @Test("nothing goes over from one server to the next, also not what is answered late")
    func servers() {
        let recent = Self.begun()
        let next = NameRegister.Server(startedAt: PostgresInstant(microsecondsSinceEpoch: 1), database: 1)
        recent.add(part(1...2), on: Self.server)
        // The other lane, or one that has lost its connection alone.
        recent.join(Self.server)
        #expect(positions(recent, from: 1) == [1, 2])
        recent.join(next)
        #expect(positions(recent, from: 1) == nil)
        recent.add(part(3...4), on: Self.server)
        #expect(positions(recent, from: 3) == nil)
        recent.add(part(3...4), on: next)
        #expect(positions(recent, from: 3) == [3, 4])
        recent.forget()
        #expect(positions(recent, from: 3) == nil)
        recent.add(part(5...5), on: next)
        #expect(positions(recent, from: 5) == [5])
    }

    @Test("what a process says of its call is kept back until the call is over, and no longer")
    func callsNews() {
        let recent = Self.begun()
        let told = { (head: Int64, process: Int32) in recent.keepBack(GlobalPosition(head), from: process) }
        #expect(!told(1, 7))
        recent.begin(7)
        #expect(told(3, 7) && told(2, 7))
        #expect(!told(4, 8), "another's")
        recent.forget()
        #expect(recent.end(7) == GlobalPosition(3))
        #expect(!told(5, 7), "the number may be another's by now")
        recent.begin(7)
        #expect(recent.end(7) == .start)
    }

    @Test("a position that is given again, or a new epoch, leaves nothing of before")
    func rewritten() {
        let recent = Self.begun()
        recent.add(part(1...5), on: Self.server)
        recent.add(part(4...4), on: Self.server)
        #expect(positions(recent, from: 1) == nil)
        #expect(positions(recent, from: 4) == [4])
        recent.add(part(5...6, epoch: 2), on: Self.server)
        #expect(positions(recent, from: 4) == nil)
        #expect(positions(recent, from: 5) == [5, 6])
    }

    @Test("what is kept is bounded, whatever one append weighs")
    func bounds() {
        let recent = Self.begun()
        let megabyte = String(repeating: "x", count: 1 << 20)
        for position in Int64(1)...20 { recent.add(part(position...position, data: megabyte), on: Self.server) }
        #expect(positions(recent, from: 13) == nil)
        #expect(positions(recent, from: 14) == Array(14...20))
        recent.add(part(21...21, data: String(repeating: megabyte, count: 9)), on: Self.server)
        #expect(positions(recent, from: 20) == nil)
        #expect(positions(recent, from: 21) == nil)
        recent.add(part(22...22), on: Self.server)
        #expect(positions(recent, from: 22) == [22])
        // What waits for others counts too.
        for position in Int64(30)...37 {
            recent.add(part(position...position, data: String(repeating: megabyte, count: 2)), on: Self.server)
        }
        #expect(positions(recent, from: 22) == nil)
        #expect(positions(recent, from: 37) == [37])
    }

    @Test("what was refused, or had been appended before, is not among it")
    func onlyAppended() throws {
        let batch = [2, 1, 3, 1].enumerated().map { index, count in
            PreparedAppend(SampleEvents.append(count, to: "a-\(index)"))
        }
        let answers: [AppendQueue.Answer] = [
            .success(appended(version: 2, position: 42)), .failure(.unavailable("a test's answer")),
            .success(appended(version: 8, position: 45)),
            .success(appended(version: 1, position: 7, isDuplicate: true)),
        ]
        let part = try #require(RecentAppends.Part(batch, (answers, 1), Self.ids(batch)))
        let nothing = RecentAppends.Part(Array(batch[1...1]), ([answers[1]], 1), Self.ids(batch))
        #expect(nothing == nil)
        #expect(part.entries.map(\.position.value) == [41, 42, 43, 44, 45])
        #expect(part.entries.map(\.version.value) == [1, 2, 6, 7, 8])
        #expect(part.entries.map(\.recorded.stream.description) == ["a-0", "a-0", "a-2", "a-2", "a-2"])
        #expect(part.entries.map(\.event) == batch[0].append.events + batch[2].append.events)
        #expect(part.entries.map(\.ids.stream) == [1, 1, 3, 3, 3])
        #expect(part.entries.map(\.ids.type) == [1, 2, 4, 5, 6])
        #expect(part.entries.map(\.ids.actor) == [101, 102, 104, 105, 106])
    }

    @Test("it is to the letter what the log has")
    func toTheLetter() async throws {
        try await withLedger { store, _ in
            // The row begins with the first answer that is heard, which need not be the first that was given.
            _ = try await store.append(SampleEvents.append(to: "first-1"))
            for appends in [40, 41, 8] {
                try await withThrowingDiscardingTaskGroup { group in
                    for index in 0..<appends {
                        group.addTask {
                            var append = SampleEvents.append(
                                index % 3 + 1, to: "a\(appends)-\(index)",
                                command: index % 4 == 0 ? Identifier(UUID()) : nil)
                            append.events[0].data = #"{"é":"\#(index) \u00e9","n":1.50}"#
                            append.events[0].causation = Identifier(UUID())
                            append.events[0].actor = EventActor(
                                subject: "maria", issuer: "i", method: .oidc, onBehalfOf: index % 2 == 0 ? "ops" : nil)
                            _ = try await store.append(append)
                            // Once more, and once too late: neither adds anything.
                            _ = try await store.append(append)
                            _ = await #expect(throws: EventStoreFailure.self) {
                                try await store.append(SampleEvents.append(to: "a\(appends)-\(index)"))
                            }
                        }
                    }
                }
            }
            let log = try await store.everything()
            #expect(log.count == 176)
            #expect(store.recent.row(from: GlobalPosition(1), limit: 1000)?.map(\.recorded) == log)
        }
    }

    @Test("rows that are made of it are those that the log gives")
    func sameRows() async throws {
        try await withLedger { store, owner in
            try await RolloutTales.tell("shop", store)
            try await RolloutTales.tell("long", reason: String(repeating: "odd ", count: 20_000), store)
            let pool = PostgresPool(owner.asLedgerService, logger: silent)
            let other = PostgresEventStore(pool: pool, logger: silent)
            let first = GlobalPosition(1)
            #expect(
                store.recent.row(from: first, limit: 5)?.count == 5 && other.recent.row(from: first, limit: 5) == nil)
            var rows: [[String]] = []
            for (store, size) in [(store, 1), (store, 3), (store, 1000), (other, 1000)] {
                for projector in Projector.all(store: store, logger: silent) {
                    try await projector.reset()
                    try await projector.catchUp(batchSize: size)
                }
                rows.append(try await RolloutTales.rows(owner))
            }
            #expect(rows.allSatisfy { $0 == rows[0] && $0.count > 20 })
            await pool.close()
        }
    }

    @Test("rows are not made of what the log has lost")
    func lost() async throws {
        try await withLedger { store, owner in
            try await RolloutTales.tell("kept", store)
            let kept = try await store.head()
            try await RolloutTales.tell("lost", store)
            try await cutShort(after: kept.value, owner)
            let pool = PostgresPool(owner.asLedgerService, logger: silent)
            let other = PostgresEventStore(pool: pool, logger: silent)
            try await RolloutTales.tell("late", other)
            let head = try await other.head()
            // The one that appended what is lost still has it, in the places of what has come since.
            #expect(store.recent.row(in: PositionRange(after: kept, through: head)) != nil)
            for projector in Projector.all(store: store, logger: silent) {
                #expect(try await projector.catchUp() == head)
            }
            let names = try await pool.query("SELECT name FROM views.rollout_summary ORDER BY name").map {
                try $0.get(0, as: String.self)
            }
            #expect(names == ["kept", "late"])
            await pool.close()
        }
    }

    @Test("a follower here is given it, and what others append, each once and in order")
    func follower() async throws {
        try await withLedger { store, owner in
            let pool = PostgresPool(owner.asLedgerService, logger: silent)
            let other = PostgresEventStore(pool: pool, logger: silent)
            try await withThrowingTaskGroup(of: [RecordedEvent].self) { group in
                group.addTask {
                    var seen: [RecordedEvent] = []
                    for try await batch in store.follow(after: .start, batchSize: 7) {
                        seen += batch
                        if seen.count >= 300 { break }
                    }
                    return seen
                }
                for (name, writer) in [("mine", store), ("theirs", other)] {
                    group.addTask {
                        for index in 0..<150 {
                            _ = try await writer.append(
                                SampleEvents.append(to: "\(name)-\(index % 5)", after: Int64(index / 5)))
                        }
                        return []
                    }
                }
                let seen = try await group.reduce(into: []) { $0 += $1 }
                #expect(seen == (try await store.everything()))
                #expect(seen.count == 300)
            }
            await pool.close()
        }
    }

    private static let server = NameRegister.Server(
        startedAt: PostgresInstant(microsecondsSinceEpoch: 0), database: 1)

    private static func begun() -> RecentAppends {
        let recent = RecentAppends()
        recent.join(server)
        return recent
    }

    private func positions(_ recent: RecentAppends, from first: Int64) -> [Int64]? {
        recent.row(from: GlobalPosition(first), limit: .max)?.map(\.position.value)
    }

    private func part(_ range: ClosedRange<Int64>, epoch: Int = 1, data: String = "{}") -> RecentAppends.Part {
        var append = SampleEvents.append(range.count, to: "a-1")
        for index in append.events.indices { append.events[index].data = data }
        let batch = [PreparedAppend(append)]
        let answer = appended(version: range.upperBound, position: range.upperBound)
        return RecentAppends.Part(batch, ([.success(answer)], epoch), Self.ids(batch))!
    }

    private func appended(version: Int64, position: Int64, isDuplicate: Bool = false) -> Appended {
        Appended(
            version: StreamVersion(version), position: GlobalPosition(position), recordedAt: SampleEvents.noon,
            isDuplicate: isDuplicate)
    }

    private static func ids(_ batch: [PreparedAppend]) -> NameRegister.Ids {
        let events = (1...).prefix(batch.reduce(0) { $0 + $1.append.events.count })
        return NameRegister.Ids(
            streams: batch.indices.map { Int64($0 + 1) }, types: events.map { Int32($0) },
            actors: events.map { Int32(100 + $0) })
    }
}
