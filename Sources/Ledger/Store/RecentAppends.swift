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
    /// An event that was acknowledged.
    struct Entry: Sendable {
        let position: GlobalPosition
        let version: StreamVersion
        fileprivate let part: Part
        /// Which of the part's requests it came with, and which of that one's events it is.
        fileprivate let request: Int
        fileprivate let index: Int

        var epoch: Int { part.epoch }
        var recordedAt: Instant { part.requests[request].appended.recordedAt }
        var stream: StreamName { part.requests[request].request.append.stream }
        var event: NewEvent { part.requests[request].request.append.events[index] }
        var id: Identifier { part.requests[request].request.append.events[index].id }
        var contentHash: [UInt8] { part.requests[request].request.hashes[index] }

        /// What its names have in the ledger.
        var ids: (stream: Int64, type: Int32, actor: Int32) {
            let sent = part.requests[request]
            let place = sent.firstEvent + index
            return (part.ids.streams[sent.place], part.ids.types[place], part.ids.actors[place])
        }

        /// As a read of the log gives it.
        var recorded: RecordedEvent {
            RecordedEvent(
                position: position, epoch: epoch, stream: stream, version: version,
                recordedAt: recordedAt, event: event)
        }
    }

    /// What was appended in one call; its entries are made for whoever reads them.
    final class Part: Sendable {
        fileprivate struct Request {
            let request: PreparedAppend
            /// Which one of the call it was, and which of all events of the call its first one.
            let place: Int
            let firstEvent: Int
            let appended: Appended
        }

        fileprivate let requests: [Request]
        fileprivate let ids: NameRegister.Ids
        fileprivate let epoch: Int
        /// The first position, and the one after the last.
        fileprivate let first: Int64
        fileprivate let end: Int64
        fileprivate let bytes: Int

        /// What of `batch`, whose names have these `ids`, stands in the log since it was answered, and was not there before;
        /// nil if that is nothing.
        init?(_ batch: [PreparedAppend], _ answers: AppendStatement.Answers, _ ids: NameRegister.Ids) {
            var requests: [Request] = []
            requests.reserveCapacity(batch.count)
            var firstEvent = 0
            for (place, (request, answer)) in zip(batch, answers.each).enumerated() {
                defer { firstEvent += request.append.events.count }
                guard case .success(let appended) = answer, !appended.isDuplicate, !request.append.events.isEmpty else {
                    continue
                }
                requests.append(Request(request: request, place: place, firstEvent: firstEvent, appended: appended))
            }
            guard let first = requests.first, let last = requests.last else { return nil }
            (self.requests, self.ids, epoch) = (requests, ids, answers.epoch)
            self.first = first.appended.position.value - Int64(first.request.append.events.count) + 1
            end = last.appended.position.value + 1
            bytes = requests.reduce(0) { $0 + $1.request.bytes }
        }

        /// Its events, in order.
        var entries: [Entry] {
            var entries: [Entry] = []
            entries.reserveCapacity(Int(end - first))
            for (place, sent) in requests.enumerated() {
                let (appended, last) = (sent.appended, sent.request.append.events.count - 1)
                for index in 0...last {
                    let following = Int64(last - index)
                    entries.append(
                        Entry(
                            position: GlobalPosition(appended.position.value - following),
                            version: StreamVersion(appended.version.value - following), part: self, request: place,
                            index: index))
                }
            }
            return entries
        }
    }

    private struct State {
        /// In a row.
        var parts: Deque<Part> = []
        var bytes = 0
        /// What one lane had an answer to before the other one had to that which stands before it.
        var early: [Part] = []
        var server: NameRegister.Server?
        /// The server's processes that carry out a call for this instance, each with the greatest head that it has told of.
        var calls: [Int32: GlobalPosition] = [:]

        mutating func forget() { (parts, bytes, early) = ([], 0, []) }

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
                if part.first != end || part.epoch != parts.last?.epoch {
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

    /// A lane has come to `server`; begins anew if that is another one, or another run of it.
    func join(_ server: NameRegister.Server) {
        state.withLock { state in
            guard state.server != server else { return }
            state.forget()
            state.server = server
        }
    }

    /// The server's `process` begins a call for this instance.
    func begin(_ process: Int32) { state.withLock { $0.calls[process] = .start } }

    /// The call that `process` had is over, and what it has answered is in a row here.
    ///
    /// - Returns: The greatest head that was kept back until now: the log may have it also where there was no answer.
    func end(_ process: Int32) -> GlobalPosition { state.withLock { $0.calls.removeValue(forKey: process) ?? .start } }

    /// Keeps back that the log goes up to `head`, if `process`, which says so, has a call for this instance: what it has
    /// done can be read here once it is answered, and not before.
    ///
    /// - Returns: Whether it has one.
    func keepBack(_ head: GlobalPosition, from process: Int32) -> Bool {
        state.withLock { state in
            guard let known = state.calls[process] else { return false }
            state.calls[process] = max(known, head)
            return true
        }
    }

    /// Forgets all that was appended.
    func forget() { state.withLock { $0.forget() } }

    /// Takes what a call has appended on `server`.
    func add(_ part: Part, on server: NameRegister.Server) {
        state.withLock { state in
            guard server == state.server else { return }
            if part.bytes > Self.mostBytes { return state.forget() }
            if let first = state.parts.first?.first, let end = state.end, part.first < end {
                // Too late, if it stands before all that is kept. Else what is kept is not the log's any more.
                guard part.end > first else { return }
                state.forget()
            }
            state.early.append(part)
            state.early.sort { $0.first < $1.first }
            state.goOn()
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
        guard let found else { return nil }
        var row: [Entry] = []
        for part in found {
            // Each part makes its entries once, which a lazy collection of them would do for each entry.
            let entries = part.entries
            let passed = max(0, Int(position.value - part.first))
            row += entries.dropFirst(passed).prefix(limit - row.count)
        }
        return row
    }
}
