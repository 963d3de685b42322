internal import DequeModule
internal import EventSourcing
internal import Synchronization

/// The end of the log as far as this instance has appended it: who follows the log here need not ask the server for what
/// went out from here a moment ago.
///
/// Only what was acknowledged, in an unbroken row. What others append breaks it, and so does another server, or another run
/// of one: it may not have all of it. As long as one server runs its log is not cut short, so that a row is of one log. Who
/// writes down what follows from it asks the log for the last event that he takes: where that stands, all before it do.
final class RecentAppends: Sendable {
    /// An event that was acknowledged, with the ids that its names have in the ledger.
    struct Entry: Sendable {
        let position: GlobalPosition
        let epoch: Int
        let version: StreamVersion
        let recordedAt: Instant
        let ids: (stream: Int64, type: Int32, actor: Int32)
        fileprivate let request: PreparedAppend
        fileprivate let index: Int

        var stream: StreamName { request.append.stream }
        var event: NewEvent { request.append.events[index] }

        /// As a read of the log gives it.
        var recorded: RecordedEvent {
            RecordedEvent(
                position: position, epoch: epoch, stream: stream, version: version,
                recordedAt: recordedAt, event: event)
        }
    }

    /// What was appended in one call, or what of it stands in a row.
    struct Part {
        private(set) var entries: [Entry] = []
        fileprivate private(set) var bytes = 0

        fileprivate var first: Int64 { entries[0].position.value }
        fileprivate var end: Int64 { first + Int64(entries.count) }

        /// What of `batch`, whose names have these `ids`, stands in the log since it was answered, and was not there before.
        init(_ batch: [PreparedAppend], _ answers: AppendStatement.Answers, _ ids: NameRegister.Ids) {
            for ((request, stream), answer) in zip(zip(batch, ids.streams), answers.each) {
                guard case .success(let appended) = answer, !appended.isDuplicate else { continue }
                let events = request.append.events
                for (index, event) in events.enumerated() {
                    guard let type = ids.types[event.type], let actor = ids.actors[event.actor] else {
                        // Nothing is sent without them.
                        preconditionFailure("\(event.type) was appended without the ids of its names")
                    }
                    let following = Int64(events.count - 1 - index)
                    entries.append(
                        Entry(
                            position: GlobalPosition(appended.position.value - following), epoch: answers.epoch,
                            version: StreamVersion(appended.version.value - following),
                            recordedAt: appended.recordedAt, ids: (stream, type, actor), request: request, index: index)
                    )
                }
                bytes += request.bytes
            }
        }
    }

    private struct State {
        /// In a row.
        var parts: Deque<Part> = []
        var bytes = 0
        /// What one lane had an answer to before the other one had to that which stands before it.
        var early: [Part] = []
        var server: NameRegister.Server?

        var end: Int64? { parts.last?.end }

        /// Which of the parts has the event at `position`.
        func place(of position: Int64) -> Int? {
            guard let first = parts.first?.first, let end, first <= position, position < end else { return nil }
            var (low, high) = (0, parts.count)
            while high - low > 1 {
                let middle = (low + high) / 2
                if parts[middle].first <= position { low = middle } else { high = middle }
            }
            return low
        }

        /// Puts what came early in the row, as far as it goes on from there.
        mutating func goOn() {
            while let part = early.first {
                if let end, part.first > end, early.count <= RecentAppends.mostEarly,
                    early.reduce(0, { $0 + $1.bytes }) <= RecentAppends.mostBytes
                {
                    break
                }
                early.removeFirst()
                if let end, part.first < end { continue }
                if part.first != end || part.entries[0].epoch != parts.last?.entries.last?.epoch {
                    (parts, bytes) = ([], 0)
                }
                parts.append(part)
                bytes += part.bytes
            }
            while bytes > RecentAppends.mostBytes { bytes -= parts.removeFirst().bytes }
        }
    }

    /// How much is kept, about.
    static let mostBytes = 8 << 20
    /// So many parts may wait for one before them; more are a sign that somebody else appended that one.
    private static let mostEarly = 8

    private let state = Mutex(State())
    private let grown = HeadSignal()

    /// Begins anew if it is another server, or another run of it, that a lane has come to.
    func begin(_ server: NameRegister.Server) {
        state.withLock { state in
            if state.server != server { state = State(server: server) }
        }
    }

    /// Forgets all.
    func forget() { state.withLock { $0 = State(server: $0.server) } }

    /// Takes what a call has appended on `server`.
    func add(_ part: Part, on server: NameRegister.Server) {
        guard !part.entries.isEmpty else { return }
        if let end = take(part, on: server) { grown.set(to: GlobalPosition(end - 1)) }
    }

    /// Waits until the row goes on after `position`, if that is its end now, for a moment at the most.
    ///
    /// For when the log is heard to have gone on: of what goes out from here, the answer mostly comes a moment later.
    func waitForMore(after position: GlobalPosition) async {
        guard state.withLock({ $0.end == position.value + 1 }) else { return }
        await grown.wait(beyond: position, atMost: .milliseconds(5))
    }

    /// - Returns: Where the row ends.
    private func take(_ part: Part, on server: NameRegister.Server) -> Int64? {
        state.withLock { state in
            guard server == state.server else { return nil }
            if part.bytes > Self.mostBytes {
                state = State(server: server)
                return nil
            }
            if let first = state.parts.first?.first, let end = state.end, part.first < end {
                // Too late, if it stands before all that is kept. Else what is kept is not the log's any more.
                if part.end > first { state = State(parts: [part], bytes: part.bytes, server: server) }
                return state.end
            }
            state.early.append(part)
            state.early.sort { $0.first < $1.first }
            state.goOn()
            return state.end
        }
    }

    /// The last position of what is in a row, if the one after `position` is in it.
    func end(after position: GlobalPosition) -> GlobalPosition? {
        state.withLock { $0.place(of: position.value + 1) == nil ? nil : $0.end.map { GlobalPosition($0 - 1) } }
    }

    /// The events of `range`; nil unless they are all there.
    func row(in range: PositionRange) -> [Entry]? {
        guard let row = row(from: GlobalPosition(range.after.value + 1), limit: range.count), row.count == range.count
        else { return nil }
        return row
    }

    /// What is in a row from `position` on, which has to be there itself, at most so many; nil if it is not.
    func row(from position: GlobalPosition, limit: Int) -> [Entry]? {
        let found: [Part]? = state.withLock { state in
            guard var place = state.place(of: position.value) else { return nil }
            var found: [Part] = []
            let enough = position.value.addingReportingOverflow(Int64(clamping: limit))
            while place < state.parts.count, enough.overflow || state.parts[place].first < enough.partialValue {
                found.append(state.parts[place])
                place += 1
            }
            return found
        }
        guard let found, let first = found.first else { return nil }
        return Array(found.lazy.flatMap(\.entries).dropFirst(Int(position.value - first.first)).prefix(limit))
    }
}
