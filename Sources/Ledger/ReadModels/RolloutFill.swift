import Delivery
import EventSourcing
import Foundation
import Postgres

/// Folds the whole log into rows of rollouts, on two cores, while the server hands out the next events.
///
/// What is kept is one fold for each rollout. Where there are more rollouts than fit, the log is read once for each part
/// of them. Now and then the folds are written down, so that a rebuild that was ended goes on from there.
struct RolloutFill: Sendable {
    /// How many rollouts are folded at once.
    static let streamsInPass = 20_000
    /// Bytes that are drained at once, about.
    private static let drainBytes = 3 << 20
    /// Tasks that fold.
    private static let workers = 2
    /// Events after which the releases that ended are written.
    private static let flushEvents = 400_000
    /// The folds are written down no more often than this, and so that it takes little of the time.
    private static let leastBetweenSaves = Duration.seconds(30)

    var savingEvery: Int?
    var mostInStep = 1 << 18
    var streamsInPass = RolloutFill.streamsInPass

    /// Makes all passes that are left, and answers the folds of the last one.
    func run(_ shadow: ShadowTables) async throws -> FoldShelf {
        var last = FoldShelf()
        if await shadow.row.pass == 0, await shadow.row.position == .start {
            let streams = try await shadow.pool.query(
                "SELECT count(*) FROM ledger.stream WHERE starts_with(name, 'rollout-')"
            ).single().get(0, as: Int.self)
            try await shadow.plan(passes: max(1, (streams + streamsInPass - 1) / streamsInPass))
        }
        while let pass = await shadow.openPass { last = try await run(pass, shadow) }
        return last
    }

    /// One pass: all events of those rollouts whose turn it is.
    private func run(_ pass: Int, _ shadow: ShadowTables) async throws -> FoldShelf {
        let row = await shadow.row
        let workers = (0..<Self.workers).map { FoldWorker($0, of: Self.workers) }
        try await resume(workers, shadow)
        try await shadow.pool.withConnection { connection in
            var names = EventNames()
            try await names.learnTypes(through: connection)
            var size = min(4096, mostInStep)
            var place = row.position
            var (flushedAt, savedAt, savedTime, saveTook) = (place, place, ContinuousClock.now, Duration.zero)
            var next = try await drain(Wanted(place, size, names, row), connection)
            while let (range, events) = next {
                place = range.through
                size = min(2 * size, max(512, range.count * Self.drainBytes / max(1, events.bytes.count)), mostInStep)
                try await names.learn(events, through: connection)
                let (known, wanted) = (names, Wanted(place, size, names, row))
                async let following = drain(wanted, connection)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for worker in workers { group.addTask { try await worker.fold(events, known) } }
                    try await Self.first(of: &group)
                }
                await shadow.report(place)
                let isDue =
                    savingEvery.map { place.value - savedAt.value >= Int64($0) }
                    ?? (ContinuousClock.now - savedTime > max(Self.leastBetweenSaves, saveTook * 20))
                if isDue {
                    let begun = ContinuousClock.now
                    try await save(workers, shadow, at: place)
                    (flushedAt, savedAt, savedTime, saveTook) = (place, place, .now, .now - begun)
                } else if place.value - flushedAt.value > Int64(Self.flushEvents) {
                    try await flush(workers, shadow)
                    flushedAt = place
                }
                next = try await following
            }
        }
        try await finish(workers, shadow)
        var all = FoldShelf()
        for worker in workers {
            let shelf = await worker.contents
            for (stream, fold) in zip(shelf.streams, shelf.folds) { all.put(fold, of: stream) }
        }
        return all
    }

    /// Waits for all, and throws the error that stands first in the log.
    private static func first(of group: inout ThrowingTaskGroup<Void, any Error>) async throws {
        var poison: PoisonEvent?
        while let outcome = await group.nextResult() {
            do { try outcome.get() } catch let found as PoisonEvent {
                if found.position < poison?.position ?? GlobalPosition(.max) { poison = found }
            }
        }
        if let poison { throw poison }
    }

    /// What is to be drained next.
    private struct Wanted: Sendable {
        var after: GlobalPosition
        var size: Int
        var passedOver: [Int32]
        var row: ShadowTables.Row

        init(_ after: GlobalPosition, _ size: Int, _ names: EventNames, _ row: ShadowTables.Row) {
            (self.after, self.size, self.row) = (after, size, row)
            passedOver = names.passedOver
        }
    }

    private func drain(_ wanted: Wanted, _ connection: PostgresConnection) async throws -> (PositionRange, EventDrain)?
    {
        guard wanted.after < wanted.row.target else { return nil }
        var range = PositionRange(after: wanted.after, through: wanted.row.target).prefix(wanted.size)
        let (pass, passes) = (wanted.row.pass, wanted.row.passes)
        while true {
            let turn: SQL = passes == 1 ? "" : " AND e.stream_id % \(unsafeRaw: "\(passes) = \(pass)")"
            do {
                let events = try await connection.events(
                    EventDrain.copy(
                        where: """
                            e.position > \(unsafeRaw: "\(range.after)") AND e.position <= \(unsafeRaw: "\(range.through)")\
                            \(turn)
                            """,
                        orderedBy: "e.position", passingOver: wanted.passedOver),
                    reserving: Self.drainBytes * 3 / 2)
                if passes == 1 { try range.check(rows: events.rows.count) }
                return (range, events)
            } catch is RangeTooLarge where range.count > 1 {
                range = range.prefix(range.count / 2)
            }
        }
    }

    /// What was written down at the position from which this goes on.
    private func resume(_ workers: [FoldWorker], _ shadow: ShadowTables) async throws {
        // Those that were written after the folds were kept will be written again.
        let row = await shadow.row
        try await shadow.write { connection in
            try await connection.query(
                """
                DELETE FROM \(RolloutTables.all[1].of(shadow.generation)) r
                USING ledger.stream s
                WHERE r.ended_position > \(row.position.value) AND s.stream_id % \(row.passes) = \(row.pass)
                  AND s.name = 'rollout-' || r.cluster || '/' || r.namespace || '/' || r.rollout
                """)
        }
        for (stream, state) in try await shadow.folds() {
            let fold = try CanonicalJSON.read(RolloutSummaryFold.self, from: state)
            for worker in workers { await worker.put(fold, of: stream) }
        }
    }

    /// Writes the releases that have ended, to have them out of the way.
    private func flush(_ workers: [FoldWorker], _ shadow: ShadowTables) async throws {
        for worker in workers {
            let (ended, tables) = (await worker.takeEnded(), tables(shadow))
            try await shadow.write { connection in
                try await connection.pipeline(tables.writing(ended))
            }
        }
    }

    /// Writes everything down as of `place`.
    private func save(_ workers: [FoldWorker], _ shadow: ShadowTables, at place: GlobalPosition) async throws {
        try await shadow.advance(to: place) { connection in
            try await shadow.dropFolds(through: connection)
            for worker in workers {
                try await connection.pipeline(tables(shadow).writing(await worker.takeEnded()))
                let shelf = await worker.contents
                try await shadow.keep(shelf.streams, shelf.folds, through: connection)
            }
        }
    }

    /// Writes the rows of a pass.
    private func finish(_ workers: [FoldWorker], _ shadow: ShadowTables) async throws {
        try await shadow.closePass { connection in
            let tables = tables(shadow)
            for worker in workers {
                try await connection.pipeline(tables.writing(await worker.takeEnded()))
                try await connection.pipeline(tables.writing(await worker.takeAll()))
                try await connection.pipeline(tables.writing(await worker.contents.folds.compactMap(\.summary)))
            }
        }
    }

    private func tables(_ shadow: ShadowTables) -> RolloutTables {
        RolloutTables(generation: shadow.generation, replacing: false)
    }
}
