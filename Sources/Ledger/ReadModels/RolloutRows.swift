import Delivery
import EventSourcing
import Foundation
import Postgres

/// One row for each rollout, as it is, and one for each of its releases.
struct RolloutRows: ReadModel {
    let name = "rollout"
    let version = 1
    let tables = RolloutTables.all
    /// How many folds are kept between ranges; the others are made again from their streams.
    private static let mostKept = 5000
    /// Versions of one stream that are read at once.
    private static let pageSize: Int64 = 10_000

    private var names = EventNames()
    private var kept = FoldShelf()
    private var fill = RolloutFill()

    /// Makes the read model; the parameters are for tests.
    ///
    /// - Parameter savingEvery: How many events a rebuild folds before it keeps what it has; `nil`: by time.
    init(savingEvery: Int? = nil, streamsInPass: Int = RolloutFill.streamsInPass, mostInStep: Int = 1 << 18) {
        fill.mostInStep = mostInStep
        fill.savingEvery = savingEvery
        fill.streamsInPass = streamsInPass
    }

    mutating func forget() { kept = FoldShelf() }

    mutating func project(
        _ range: PositionRange, into generation: Int, through connection: PostgresConnection
    ) async throws {
        if names.typeNames.isEmpty { try await names.learnTypes(through: connection) }
        let drain = try await connection.events(
            EventDrain.copy(
                where: "e.position > \(unsafeRaw: "\(range.after)") AND e.position <= \(unsafeRaw: "\(range.through)")",
                orderedBy: "e.position", passingOver: names.passedOver))
        try range.check(rows: drain.rows.count)
        try await names.learn(drain, through: connection)
        try await recall(drain, through: connection)
        let touched = try kept.fold(drain, names) { _ in true }
        let tables = RolloutTables(generation: generation, replacing: true, connection: connection)
        var views: [RolloutView] = []
        var releases: [(rollout: RolloutName, row: ReleaseRow)] = []
        for place in touched.sorted() {
            if let view = kept.folds[place].view { views.append(view) }
            let name = kept.folds[place].name
            releases += kept.change(place) { $0.takeChangedReleases() }.map { (name, $0) }
        }
        try await tables.write(views)
        try await tables.write(releases)
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
        if kept.count + first.count > Self.mostKept {
            var fewer = FoldShelf()
            for stream in first.keys {
                if let place = kept.place(of: stream) { fewer.put(kept.folds[place], of: stream) }
            }
            kept = fewer
            names.forgetStreams()
            try await names.learn(drain, through: connection)
        }
        for (stream, version) in first where version > 1 && !kept.has(stream) {
            guard let name = names.streams[stream] ?? nil else { continue }
            kept.put(try await earlier(name, stream, below: version, through: connection), of: stream)
        }
    }

    /// What the stream's events below `version` amount to; events that move nothing are not even read.
    private mutating func earlier(
        _ name: RolloutName, _ stream: Int64, below version: Int64, through connection: PostgresConnection
    ) async throws -> RolloutSummaryFold {
        var shelf = FoldShelf()
        shelf.put(RolloutSummaryFold(name), of: stream)
        let passed = names.passedOver.map(String.init).joined(separator: ",")
        for start in stride(from: Int64(0), to: version - 1, by: Int(Self.pageSize)) {
            let end = min(start + Self.pageSize, version - 1)
            let page = try await connection.events(
                EventDrain.copy(
                    where: """
                        e.stream_id = \(unsafeRaw: "\(stream)") AND e.version > \(unsafeRaw: "\(start)")
                            AND e.version <= \(unsafeRaw: "\(end)") AND e.type_id <> ALL ('{\(unsafeRaw: passed)}')
                        """,
                    orderedBy: "e.version", passingOver: []))
            try await names.learn(page, through: connection)
            _ = try shelf.fold(page, names) { _ in true }
        }
        _ = shelf.change(0) { $0.takeChangedReleases() }
        return shelf.folds[0]
    }
}
