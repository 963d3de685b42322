import Delivery
import EventSourcing

/// Folds of rollouts by stream, worked on by one task at a time.
struct FoldShelf: Sendable {
    private var places: [Int64: Int] = [:]
    private(set) var streams: [Int64] = []
    private(set) var folds: [RolloutSummaryFold] = []
    /// When each was last changed, counted in drains.
    private var touched: [Int] = []
    private var drains = 0

    var count: Int { folds.count }

    func has(_ stream: Int64) -> Bool { places[stream] != nil }

    func place(of stream: Int64) -> Int? { places[stream] }

    /// Puts a fold there, in place of the one that was.
    mutating func put(_ fold: RolloutSummaryFold, of stream: Int64) {
        if let place = places[stream] {
            folds[place] = fold
        } else {
            places[stream] = folds.count
            streams.append(stream)
            folds.append(fold)
            // Before the drain that is being folded, which will count it among those that it changes.
            touched.append(drains - 1)
        }
    }

    /// A shelf with the folds of `wanted` streams, and of the others those that were changed last, up to `most` of them.
    func keeping(_ wanted: Set<Int64>, most: Int) -> FoldShelf {
        var fewer = FoldShelf()
        fewer.drains = drains
        let others = folds.indices.filter { !wanted.contains(streams[$0]) }.sorted { touched[$0] > touched[$1] }
        let mine = wanted.compactMap { places[$0] }
        for place in mine + others.prefix(max(0, most - mine.count)) {
            fewer.put(folds[place], of: streams[place])
            fewer.touched[fewer.count - 1] = touched[place]
        }
        return fewer
    }

    mutating func change<Value>(_ place: Int, _ body: (inout RolloutSummaryFold) -> Value) -> Value {
        body(&folds[place])
    }

    /// Folds those events of `drain` whose stream `isMine`; events of streams that are no rollouts are passed over.
    ///
    /// - Returns: The places of the folds that were changed.
    /// - Throws: ``PoisonEvent``.
    mutating func fold(
        _ drain: EventDrain, _ names: EventNames, where isMine: (Int64) -> Bool
    ) throws(PoisonEvent) -> Set<Int> {
        var changed: Set<Int> = []
        drains += 1
        let failure = drain.bytes.withUnsafeBytes { buffer -> PoisonEvent? in
            for at in drain.rows {
                let event = DrainedEvent(buffer: buffer, at: at)
                let stream = event.stream
                guard isMine(stream), let place = placeOrNew(stream, names) else { continue }
                if touched[place] != drains {
                    touched[place] = drains
                    changed.insert(place)
                }
                do throws(PoisonEvent) { try fold(event, at: place, names) } catch { return error }
            }
            return nil
        }
        if let failure { throw failure }
        return changed
    }

    private mutating func fold(_ event: DrainedEvent, at place: Int, _ names: EventNames) throws(PoisonEvent) {
        guard let type = names.types[event.type] else {
            let unreadable = UnreadableEvent(
                type: names.typeNames[event.type] ?? "?", detail: "this build knows no such type")
            throw PoisonEvent(position: GlobalPosition(event.position), reason: unreadable.description)
        }
        do throws(UnreadableEvent) {
            try folds[place].fold(
                type,
                at: RolloutSummaryFold.Place(
                    version: StreamVersion(event.version), position: GlobalPosition(event.position),
                    occurredAt: event.occurredAt, recordedAt: event.recordedAt),
                by: names.actors[event.actor]!, payload: event.payload)
        } catch {
            throw PoisonEvent(position: GlobalPosition(event.position), reason: error.description)
        }
    }

    private mutating func placeOrNew(_ stream: Int64, _ names: EventNames) -> Int? {
        if let place = places[stream] { return place }
        guard let name = names.streams[stream] ?? nil else { return nil }
        put(RolloutSummaryFold(name), of: stream)
        return folds.count - 1
    }
}
