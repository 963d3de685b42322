import Delivery
import EventSourcing
import Foundation
import Postgres

/// One row for each rollout, as it is, and one for each of its releases.
struct RolloutRows: ReadModel {
    let name = "rollout"
    let version = 1
    let tables = RolloutTables.all
    let readsRecentAppends = true
    /// How many folds are kept between ranges; the others are made again from their streams.
    private static let mostKept = 10_000
    /// So few events are asked for as rows: a COPY of them would have to be planned each time.
    private static let mostAtOnce = 64
    /// Events of a range that are folded, and rollouts that are written, before appends may go first.
    ///
    /// Some milliseconds of work; of 60 and 20 at once appends had nothing, and the projector fell further behind.
    static let atOnce = (events: 250, rollouts: 125)
    /// Events of streams' beginnings that are read at once.
    private static let pageSize: Int64 = 5000

    private var names = EventNames()
    private var kept = FoldShelf()
    private var fill = RolloutFill()
    /// Bytes of streams' beginnings that are taken at once at the most.
    private let mostBytes: Int
    private let atOnce: (events: Int, rollouts: Int)

    /// Makes the read model; the parameters are for tests.
    ///
    /// - Parameter savingEvery: How many events a rebuild folds before it keeps what it has; `nil`: by time.
    init(
        savingEvery: Int? = nil, streamsInPass: Int = RolloutFill.streamsInPass, mostInStep: Int = 1 << 18,
        mostBytes: Int = EventDrain.mostBytes, atOnce: (events: Int, rollouts: Int) = RolloutRows.atOnce
    ) {
        self.mostBytes = mostBytes
        self.atOnce = atOnce
        fill.mostInStep = mostInStep
        fill.savingEvery = savingEvery
        fill.streamsInPass = streamsInPass
    }

    /// Also the names: a log that was cut short may have given their ids to others since.
    mutating func forget() {
        kept = FoldShelf()
        names = EventNames()
    }

    func opening(_ range: PositionRange, into generation: Int) -> [SQL] {
        range.count <= Self.mostAtOnce ? [EventDrain.query(range, passingOver: names.passedOver)] : []
    }

    mutating func project(
        _ range: PositionRange, _ opened: [PostgresResult], _ recent: [RecentAppends.Entry]?, into generation: Int,
        through connection: PostgresConnection, _ courtesy: Courtesy?
    ) async throws -> [SQL] {
        let drain: EventDrain
        if let recent {
            drain = EventDrain(recent, passingOver: names.passedOver)
        } else if let few = try opened.first.flatMap({ try EventDrain($0) }) {
            drain = few
        } else {
            if names.typeNames.isEmpty { try await names.learnTypes(through: connection) }
            drain = try await connection.events(
                EventDrain.copy(
                    where: """
                        e.position > \(unsafeRaw: "\(range.after)") AND e.position <= \(unsafeRaw: "\(range.through)")
                        """,
                    orderedBy: "e.position", passingOver: names.passedOver))
        }
        try range.check(rows: drain.rows.count)
        try await names.learn(drain, through: connection)
        try await recall(drain, through: connection)
        // What is one part is not held up: a rest would double the time that whoever waits for its rows waits.
        let isMuch = drain.rows.count > atOnce.events
        var touched: Set<Int> = []
        for part in drain.parts(of: atOnce.events) {
            if isMuch { await courtesy?.giveWay() }
            touched.formUnion(try kept.fold(part, names) { _ in true })
        }
        let courtesy = isMuch || touched.count > atOnce.rollouts ? courtesy : nil
        var parts = touched.sorted().parts(of: atOnce.rollouts)[...]
        let last = parts.popLast() ?? []
        for part in parts {
            await courtesy?.giveWay()
            try await connection.pipeline(writing(part, into: generation))
        }
        await courtesy?.giveWay()
        return writing(last, into: generation)
    }

    /// The statements that write what has changed of the rollouts at these places.
    private mutating func writing(_ places: [Int], into generation: Int) -> [SQL] {
        let tables = RolloutTables(generation: generation, replacing: true)
        var summaries: [RolloutSummary] = []
        var releases: [(rollout: RolloutName, row: ReleaseRow)] = []
        for place in places {
            // In place: a fold is large.
            kept.change(place) { fold in
                if let summary = fold.summary { summaries.append(summary) }
                for release in fold.takeChangedReleases() { releases.append((fold.name, release)) }
            }
        }
        return tables.writing(summaries) + tables.writing(releases)
    }

    mutating func fill(_ shadow: ShadowTables) async throws {
        let last = try await fill.run(shadow)
        kept = last.count <= Self.mostKept ? last : FoldShelf()
    }

    /// Makes the folds that `drain` goes on from, as far as they are not kept.
    private mutating func recall(_ drain: EventDrain, through connection: PostgresConnection) async throws {
        var first: [Int64: Int64] = [:]
        drain.bytes.withUnsafeBytes { buffer in
            for at in drain.rows {
                let event = DrainedEvent(buffer: buffer, at: at)
                if first[event.stream] == nil { first[event.stream] = event.version }
            }
        }
        let more = first.keys.count { !kept.has($0) }
        if kept.count + more > Self.mostKept {
            kept = kept.keeping(Set(first.keys), most: min(Self.mostKept / 2, max(0, Self.mostKept - more)))
            names.forgetStreams()
            try await names.learn(drain, through: connection)
        }
        var missing: [Earlier] = []
        for (stream, version) in first where version > 1 && !kept.has(stream) {
            guard let name = names.streams[stream] ?? nil else { continue }
            missing.append(Earlier(stream: stream, through: version - 1, name: name))
        }
        try await ArchiveTable.check(missing.map { ($0.stream, $0.through) }, connection)
        // By stream, since rollouts that began together lie together.
        missing.sort { $0.stream < $1.stream }
        guard !missing.isEmpty else { return }
        // Off the connection's thread, which reads on meanwhile.
        try await withTaskExecutorPreference(ReaderExecutor.shared) { try await read(missing, through: connection) }
    }

    /// The beginning of a stream that is not kept.
    private struct Earlier: Sendable {
        var stream: Int64
        var through: Int64
        var name: RolloutName
    }

    /// Folds the beginnings of many streams, a good many at a time, the next ones under way while the last are folded.
    private mutating func read(_ missing: [Earlier], through connection: PostgresConnection) async throws {
        let (passed, most) = (names.passedOver, mostBytes)
        var parts = Self.parts(missing)[...]
        guard let first = parts.popFirst() else { return }
        var next: (part: [Earlier], drain: EventDrain?)? = (
            first, try await Self.drain(first, passingOver: passed, atMost: most, through: connection)
        )
        while let (part, drain) = next {
            guard let drain else {
                // Too much for once: one after the other, by pages.
                for one in part { kept.put(try await earlier(one, through: connection), of: one.stream) }
                next = try await Self.next(&parts, passingOver: passed, atMost: most, through: connection)
                continue
            }
            try await names.learn(drain, through: connection)
            let following = parts.popFirst()
            async let wanted = Self.drain(following ?? [], passingOver: passed, atMost: most, through: connection)
            for one in part { kept.put(RolloutSummaryFold(one.name), of: one.stream) }
            let touched = try kept.fold(drain, names) { _ in true }
            for place in touched { _ = kept.change(place) { $0.takeChangedReleases() } }
            let drained = try await wanted
            next = following.map { ($0, drained) }
        }
    }

    private static func next(
        _ parts: inout ArraySlice<[Earlier]>, passingOver passed: [Int32], atMost limit: Int,
        through connection: PostgresConnection
    ) async throws -> (part: [Earlier], drain: EventDrain?)? {
        guard let part = parts.popFirst() else { return nil }
        return (part, try await drain(part, passingOver: passed, atMost: limit, through: connection))
    }

    /// Parts of about a page; what is longer than a page stands alone.
    private static func parts(_ missing: [Earlier]) -> [[Earlier]] {
        var parts: [[Earlier]] = []
        var events = pageSize
        for one in missing {
            if events + one.through > pageSize {
                parts.append([])
                events = 0
            }
            parts[parts.count - 1].append(one)
            events += one.through
        }
        return parts
    }

    /// The events of the beginnings in `part`, those that move nothing left out; nil if they are too much for once.
    private static func drain(
        _ part: [Earlier], passingOver passed: [Int32], atMost limit: Int, through connection: PostgresConnection
    ) async throws -> EventDrain? {
        guard let only = part.first, part.count > 1 || only.through <= pageSize else { return nil }
        let list = { (values: [Int64]) in values.map(String.init).joined(separator: ",") }
        return try await beginning(
            EventDrain.copy(
                from: """
                    unnest('{\(unsafeRaw: list(part.map(\.stream)))}'::int8[],
                           '{\(unsafeRaw: list(part.map(\.through)))}'::int8[]) m (stream_id, through)
                    CROSS JOIN LATERAL (
                        SELECT * FROM ledger.event x WHERE x.stream_id = m.stream_id AND x.version <= m.through
                        -- By its index, stream by stream: never a scan of all events to join them.
                        OFFSET 0) e
                    """,
                where: "e.type_id <> ALL ('{\(unsafeRaw: passed.map(String.init).joined(separator: ","))}')",
                orderedBy: "e.stream_id, e.version", passingOver: []), atMost: limit, through: connection)
    }

    /// The events of a statement; nil if they are more than `limit` bytes, and then the transaction goes on all the same.
    private static func beginning(
        _ statement: SQL, atMost limit: Int, through connection: PostgresConnection
    ) async throws -> EventDrain? {
        do {
            return try await connection.savepoint { try await $0.events(statement, atMost: limit) }
        } catch is RangeTooLarge {
            return nil
        }
    }

    /// What the stream's events up to a version amount to; events that move nothing are not even read.
    private mutating func earlier(
        _ wanted: Earlier, through connection: PostgresConnection
    ) async throws -> RolloutSummaryFold {
        var shelf = FoldShelf()
        shelf.put(RolloutSummaryFold(wanted.name), of: wanted.stream)
        let passed = names.passedOver.map(String.init).joined(separator: ",")
        var (start, size) = (Int64(0), Self.pageSize)
        while start < wanted.through {
            let end = min(start + size, wanted.through)
            let page = try await Self.beginning(
                EventDrain.copy(
                    where: """
                        e.stream_id = \(unsafeRaw: "\(wanted.stream)") AND e.version > \(unsafeRaw: "\(start)")
                            AND e.version <= \(unsafeRaw: "\(end)") AND e.type_id <> ALL ('{\(unsafeRaw: passed)}')
                        """,
                    orderedBy: "e.version", passingOver: []), atMost: mostBytes, through: connection)
            guard let page else {
                guard end - start > 1 else {
                    throw PostgresError(
                        .decoding, "version \(end) of \(wanted.name.stream) has more than \(mostBytes) bytes")
                }
                size = (end - start) / 2
                continue
            }
            try await names.learn(page, through: connection)
            _ = try shelf.fold(page, names) { _ in true }
            start = end
        }
        _ = shelf.change(0) { $0.takeChangedReleases() }
        return shelf.folds[0]
    }
}
