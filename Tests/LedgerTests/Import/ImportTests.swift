import EventSourcing
import Foundation
import Postgres
import TestKit
import Testing
import Transparency

@testable import Ledger

/// What an import promises: the contract of the log holds over imported events as over others.
@Suite(.timeLimit(.minutes(5))) struct ImportTests {
    @Test func `what was exported comes back the same, in order and without gaps`() async throws {
        try await withExported { file, original in
            try await withProofs { ledger in
                let report = try await LedgerImport(store: ledger.store).run(file.path)
                #expect(report == ImportReport(events: 120, appended: 120, known: 0, lastPosition: 120))
                let log = try await ledger.store.everything()
                #expect(log.map(\.position.value) == Array(1...120))
                #expect(log.map(\.event) == original.map(\.event))
                #expect(log.map(\.stream) == original.map(\.stream))
                #expect(log.map(\.version) == original.map(\.version))
                #expect(log.map(\.recordedAt) == log.map(\.recordedAt).sorted())
                #expect(log[0].recordedAt > original[119].recordedAt, "it is recorded now")
                // Time leads to position, and every event's hash is the one that was computed here.
                let until = EventFilter(until: log[119].recordedAt)
                #expect(
                    try await ledger.store.readAll(
                        after: .start, before: nil, filter: until, backwards: false, limit: 1000
                    ).whole().count == 120)
                try await ledger.sealAll()
                let verified = try await ledger.verify()
                #expect(verified.intact, "\(verified.findings)")
                #expect(verified.events == 120)
            }
        }
    }

    @Test func `events of much text are exported a few at a time`() async throws {
        try await withLedger { store, _ in
            let long = String(repeating: "0123456789abcdef", count: 40_000)
            var version: Int64 = 0
            for size in [0, 40, 0, 1] {
                // Many small ones, and some that are large, line breaks among them.
                let text = size == 0 ? #"{"n":1}"# : "{\n\"n\":\"\(long)\"}"
                let events = (0..<(size == 0 ? 500 : size)).map { _ in SampleEvents.event(data: text) }
                for start in stride(from: 0, to: events.count, by: 100) {
                    version = try await store.append(
                        Append(
                            stream: SampleEvents.stream("a-1"), expecting: .exactly(StreamVersion(version)),
                            events: Array(events[start..<min(events.count, start + 100)]))
                    ).version.value
                }
            }
            var (pieces, lines): ([Int], [UInt8]) = ([], [])
            let count = try await LedgerExport(store: store).run {
                pieces.append($0.count)
                lines += $0
            }
            #expect(count == 1041)
            #expect(pieces.count > 6)
            #expect(pieces.allSatisfy { $0 > 0 && $0 < LedgerExport.mostBytes + 2 * long.utf8.count }, "\(pieces)")
            let file = FileManager.default.temporaryDirectory.appendingPathComponent("long-\(UUID().uuidString).jsonl")
            try Data(lines).write(to: file)
            defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: file) } }
            let original = try await store.everything()
            try await withLedger { other, _ in
                let report = try await LedgerImport(store: other).run(file.path)
                #expect(report.appended == 1041)
                let log = try await other.everything()
                #expect(log.map(\.event) == original.map(\.event))
            }
        }
    }

    @Test func `a second import changes nothing, and a longer file appends what is new`() async throws {
        try await withExported { file, original in
            try await withLedger { store, _ in
                let begin = try file.cut(lines: 50)
                #expect(try await LedgerImport(store: store).run(begin.path).appended == 50)
                let report = try await LedgerImport(store: store).run(file.path)
                #expect(report == ImportReport(events: 120, appended: 70, known: 50, lastPosition: 120))
                let log = try await store.everything()
                #expect(log.map(\.event) == original.map(\.event))
                let again = try await LedgerImport(store: store).run(file.path)
                #expect(again == ImportReport(events: 120, appended: 0, known: 120, lastPosition: nil))
                #expect(try await store.everything() == log)
            }
        }
    }

    @Test func `an export of the same ledger is recognised, and the rest goes behind what stands there`() async throws {
        try await withExported { file, original in
            try await withLedger { store, _ in
                let other = try await store.append(SampleEvents.append(3, to: "other-1"))
                #expect(other.position.value == 3)
                #expect(try await LedgerImport(store: store).run(file.path).lastPosition == 123)
                let log = try await store.everything()
                #expect(log.map(\.position.value) == Array(1...123))
                #expect(log.dropFirst(3).map(\.event) == original.map(\.event))
                // Appends go on where the import left the streams, and know its events as their own.
                let stream = original[0].stream
                let own = original.filter { $0.stream == stream }
                let repeated = try await store.append(
                    Append(stream: stream, expecting: .none0, events: own.map(\.event)))
                #expect(repeated.isDuplicate)
                let next = try await store.append(
                    SampleEvents.append(to: stream.description, after: Int64(own.count)))
                #expect(next.position.value == 124)
            }
        }
    }

    @Test func `an import goes on over the ends of partitions`() async throws {
        try await withExported(events: 300) { file, original in
            try await withSmallPartitions { store, _ in
                #expect(try await LedgerImport(store: store).run(file.path).appended == 300)
                #expect(try await store.everything().map(\.event) == original.map(\.event))
                _ = try await store.append(SampleEvents.append(to: "after-1"))
            }
        }
    }

    @Test func `followers see imported events once and in order, beside appends`() async throws {
        try await withExported(events: 3000) { file, _ in
            try await withLedger { store, _ in
                async let seen = store.follow(after: .start, batchSize: 500).reading(3300)
                async let imported = LedgerImport(store: store).run(file.path)
                for version in 0..<300 {
                    _ = try await store.append(SampleEvents.append(to: "beside-1", after: Int64(version)))
                }
                _ = try await imported
                #expect(try await seen.map(\.position.value) == Array(1...3300))
            }
        }
    }

    @Test func `events may keep their places, and then the other ledger's tree heads are true`() async throws {
        try await withProofs { source in
            try await source.append(100)
            try await source.sealAll(eventsPerHead: 40)
            let file = try await LineFile(exporting: source.store)
            let original = try await source.store.everything()
            try await withLedger { _, owner in
                let pool = PostgresPool(owner)
                let store = PostgresEventStore(pool: pool, logger: silent)
                let copy = LedgerImport(store: store, keepsPlaces: true)
                #expect(try await copy.run(file.path).appended == 100)
                #expect(try await store.everything() == original)
                #expect(try await copy.run(file.path).known == 100)
                let verified = try await LedgerVerifier(store: store).verify(
                    against: [try await source.head(40), try await source.head(100)], trusting: [source.key.verifier])
                #expect(verified.intact, "\(verified.findings)")
                // What comes later cannot go before what is there.
                try await source.append(10)
                let more = try await LineFile(exporting: source.store, after: 105)
                await #expect(throws: ImportFailure.self) { try await copy.run(more.path) }
                #expect(try await store.head().value == 100)
                await pool.close()
            }
            // The service's role may not choose times.
            try await withLedger { store, _ in
                await #expect(throws: PostgresError.self) {
                    try await LedgerImport(store: store, keepsPlaces: true).run(file.path)
                }
                let head = try await store.head()
                #expect(head == .start)
            }
        }
    }

    @Test func `histories that differ are refused, and nothing is appended`() async throws {
        try await withExported { file, original in
            try await withLedger { store, _ in
                let stream = original[3].stream
                _ = try await store.append(SampleEvents.append(2, to: stream.description))
                let failure = await #expect(throws: ImportFailure.self) {
                    try await LedgerImport(store: store).run(file.path)
                }
                #expect(failure?.line == Int64(original.firstIndex { $0.stream == stream }! + 1))
                #expect(failure?.field == "id")
                #expect(failure?.problem.contains("version 1 of \(stream)") == true)
                #expect(try await store.head().value == 2)
            }
            try await withLedger { store, _ in
                let end = try file.cut(lines: 60, fromEnd: true)
                let failure = await #expect(throws: ImportFailure.self) {
                    try await LedgerImport(store: store).run(end.path)
                }
                #expect(failure?.field == "version")
                #expect(failure?.line == 1)
                #expect(try await store.head() == .start)
            }
        }
    }

    /// A line that is replaced by another, and what is said of it.
    struct Poison: CustomStringConvertible, Sendable {
        var description: String
        var field: String
        var change: @Sendable (String) -> String
    }

    static let poisons: [Poison] = [
        Poison(description: "no JSON", field: "", change: { _ in "{" }),
        Poison(description: "not an object", field: "", change: { _ in "17" }),
        Poison(description: "two events", field: "", change: { $0 + $0 }),
        Poison(description: "cut", field: "contentHash", change: { String($0.dropLast(3)) }),
        Poison(description: "no id", field: "id", change: { $0.replacing(/"id":"[^"]*",/, with: "") }),
        Poison(description: "bad id", field: "id", change: { $0.replacing(/"id":"./, with: #""id":"x"#) }),
        Poison(
            description: "bad stream", field: "stream",
            change: { $0.replacing(/"stream":"[^"]*"/, with: #""stream":"a b""#) }),
        Poison(
            description: "version skipped", field: "version",
            change: { $0.replacing(/"version":\d+/, with: #""version":900"#) }),
        Poison(
            description: "version is text", field: "version",
            change: { $0.replacing(/"version":\d+/, with: #""version":"1""#) }),
        Poison(
            description: "time", field: "occurredAt",
            change: { $0.replacing(/"occurredAt":"[^"]*"/, with: #""occurredAt":"2026-02-30T00:00:00Z""#) }),
        Poison(
            description: "method", field: "actor.method",
            change: { $0.replacing(#""method":"token""#, with: #""method":"guess""#) }),
        Poison(
            description: "no subject", field: "actor.subject",
            change: { $0.replacing(/"subject":"[^"]*"/, with: #""subject":"""#) }),
        Poison(
            description: "data changed", field: "contentHash",
            change: { $0.replacing(#""number":"#, with: #""nombre":"#) }),
        Poison(
            description: "U+0000 in data", field: "data",
            change: { $0.replacing(#""number":"#, with: #""n\#u{5C}u0000":"#) }),
        Poison(
            description: "unknown member", field: "colour",
            change: { $0.replacing(#"{"position""#, with: #"{"colour":1,"position""#) }),
        Poison(description: "twice", field: "id", change: { $0.replacing(/("id":"[^"]*",)/) { "\($0.1)\($0.1)" } }),
        Poison(
            description: "a type beyond ASCII", field: "type",
            change: { $0.replacing(/"type":"[^"]*"/, with: #""type":"é.v1""#) }),
        Poison(description: "no type", field: "type", change: { $0.replacing(/"type":"[^"]*"/, with: #""type":"""#) }),
    ]

    @Test(arguments: [
        Poison(
            description: "future", field: "recordedAt",
            change: { $0.replacing(/"recordedAt":"[^"]*"/, with: #""recordedAt":"2999-01-01T00:00:00Z""#) }),
        Poison(
            description: "epoch", field: "epoch",
            change: { $0.replacing(/"epoch":\d+/, with: #""epoch":4294967296"#) }),
    ])
    func `an event that cannot keep its place is named before any is appended`(_ wrong: Poison) async throws {
        try await withLedger { source, _ in
            for number in 0..<3 { _ = try await source.append(SampleEvents.append(to: "s-\(number)")) }
            let file = try await LineFile(exporting: source)
            try await withLedger { store, _ in
                let bad = try file.changing(line: 3, wrong.change)
                let failure = await #expect(throws: ImportFailure.self) {
                    try await LedgerImport(store: store, keepsPlaces: true).run(bad.path)
                }
                #expect(failure?.field == wrong.field)
                #expect(failure?.line == 3)
                #expect(try await store.head() == .start)
            }
        }
    }

    @Test func `an event that cannot keep its place is named also behind events that are known`() async throws {
        try await withLedger { store, owner in
            _ = try await store.append(SampleEvents.append(2, to: "a-1"))
            let connection = try await PostgresConnection.connect(owner)
            // The two that stand there, and two that come behind them and were recorded before them.
            let row = try await connection.query(
                """
                SELECT p.refused, p.reason, p.known, p.appended
                FROM ledger.place_events((
                    SELECT array_agg(
                               row(e.stream_id, e.version + 2 * late, CASE late WHEN 0 THEN e.event_id ELSE gen_random_uuid() END,
                                   e.type_id, e.actor_id, e.occurred_at, e.causation, e.correlation, e.data, e.metadata,
                                   e.content_hash, e.recorded_at - late * interval '1 day', e.epoch)::ledger.imported_event
                               ORDER BY e.version + 2 * late)
                    FROM ledger.event e
                    CROSS JOIN generate_series(0, 1) late), 1) p
                """
            ).single()
            #expect(try row.get(0, as: Int64.self) == 3)
            #expect(try row.get(1, as: String.self) == "place")
            #expect(try row.get(2, as: Int64.self) == 2)
            #expect(try row.get(3, as: Int64.self) == 0)
            await connection.close()
        }
    }

    @Test(arguments: poisons) func `a line that is wrong is named, and nothing is appended`(_ poison: Poison)
        async throws
    {
        try await withExported { file, _ in
            try await withLedger { store, _ in
                let bad = try file.changing(line: 77, poison.change)
                let failure = await #expect(throws: ImportFailure.self) {
                    try await LedgerImport(store: store).run(bad.path)
                }
                #expect(failure?.line == 77, "\(failure?.description ?? "")")
                #expect(failure?.field == poison.field, "\(failure?.description ?? "")")
                #expect(failure?.description.contains("\(bad.path):77:") == true)
                #expect(failure?.fix.isEmpty == false)
                #expect(try await store.head() == .start)
                let names = try await store.pool.query("SELECT count(*) FROM ledger.stream").single()
                #expect(try names.get(0, as: Int.self) == 0)
            }
        }
    }

    @Test func `escapes, line breaks in payloads and other forms of instants are read as they are meant`() async throws
    {
        try await withLedger { source, _ in
            let event = SampleEvents.event(
                by: "a\"b\\c\tü", onBehalfOf: "", data: "{\n \"ä\": [1.50, \"\\u20ac\"]}", metadata: "{ }")
            _ = try await source.append(
                Append(stream: SampleEvents.stream("x\"y\\z"), expecting: .none0, events: [event]))
            let file = try await LineFile(exporting: source)
            try await withLedger { store, _ in
                _ = try await LedgerImport(store: store).run(file.path)
                #expect(try await store.everything().map(\.event) == [event])
            }
            let foreign = try file.changing(line: 1) {
                $0.replacing(/"occurredAt":"[^"]*"/, with: #""occurredAt":"2026-11-24T10:30:00+01:00""#)
                    .replacing(/,"contentHash":"[^"]*"/, with: "").replacing(/"recordedAt":"[^"]*",/, with: "")
                    .replacing(#""subject":""#, with: #""subject":"\#u{5C}ud83d\#u{5C}ude00"#)
            }
            try await withLedger { store, _ in
                _ = try await LedgerImport(store: store).run(foreign.path)
                let read = try await store.everything()[0].event
                #expect(read.occurredAt == Instant("2026-11-24T09:30:00Z"))
                #expect(read.actor.subject.hasPrefix("😀"))
            }
        }
    }

    @Test func `a file that is not there, or no file, is named`() async throws {
        try await withLedger { store, _ in
            for name in ["/nowhere/at/all", "/tmp"] {
                let failure = await #expect(throws: ImportFailure.self) {
                    try await LedgerImport(store: store).run(name)
                }
                #expect(failure?.description.hasPrefix(name) == true)
            }
        }
    }

    /// An exported ledger of `events` events, and what it held.
    private func withExported(
        events: Int = 120, _ body: (LineFile, [RecordedEvent]) async throws -> Void
    ) async throws {
        try await withProofs { source in
            try await source.append(events)
            try await body(try await LineFile(exporting: source.store), try await source.store.everything())
        }
    }
}

/// A file of lines below the temporary folder, removed with the last copy of this.
final class LineFile: Sendable {
    let path: String
    private let lines: [String]

    init(_ lines: [String]) throws {
        self.lines = lines
        path = NSTemporaryDirectory() + "lines-\(UUID().uuidString)"
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: path))
    }

    convenience init(exporting store: PostgresEventStore, after: Int64 = 0) async throws {
        var bytes: [UInt8] = []
        _ = try await LedgerExport(store: store).run(after: GlobalPosition(after)) { bytes += $0 }
        try self.init(String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init))
    }

    deinit { unlink(path) }

    func cut(lines count: Int, fromEnd: Bool = false) throws -> LineFile {
        try LineFile(Array(fromEnd ? lines.suffix(count) : lines.prefix(count)))
    }

    func changing(line: Int, _ change: (String) -> String) throws -> LineFile {
        var changed = lines
        changed[line - 1] = change(lines[line - 1])
        return try LineFile(changed)
    }
}

extension ExpectedVersion {
    /// The stream has no events.
    static var none0: ExpectedVersion { .exactly(.none) }
}

extension EventBatches {
    /// The first `count` events.
    func reading(_ count: Int) async throws(FollowerEnd) -> [RecordedEvent] {
        var events: [RecordedEvent] = []
        for try await batch in self {
            events += batch
            if events.count >= count { break }
        }
        return events
    }
}
