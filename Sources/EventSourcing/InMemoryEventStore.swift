internal import Synchronization

/// An event store without a database: same promises, same contract suite, gone with the process.
public final class InMemoryEventStore: EventStore {
    struct Receipt: Hashable {
        var command: Identifier
        var stream: StreamName
    }

    struct State {
        /// Also what was put away.
        var log: [RecordedEvent] = []
        /// Places in `log`, in order of version.
        var streams: [StreamName: [Int]] = [:]
        var receipts: [Receipt: (answer: Appended, fingerprint: [UInt8]?)] = [:]
        var leaseEpochs: [String: Int64] = [:]
        /// The lowest positions first.
        var archives: [Archive] = []

        var head: GlobalPosition { GlobalPosition(Int64(log.count)) }
    }

    let state = Mutex(State())
    let signal = HeadSignal()
    private let clock: @Sendable () -> Instant

    /// Makes an empty store.
    ///
    /// - Parameter clock: Gives the time of recording; when it goes back, the last time is used again.
    public init(clock: @escaping @Sendable () -> Instant) {
        self.clock = clock
    }

    /// Appends, as the port says.
    public func append(_ append: Append) async throws(EventStoreFailure) -> Appended {
        try append.check()
        let now = clock()
        return try state.withLock { state in
            defer { signal.raise(to: state.head) }
            return Self.append(append, to: &state, at: now)
        }.get()
    }

    /// The first answer to a command.
    public func receipt(
        for command: Identifier, fingerprint: [UInt8]?, on stream: StreamName
    ) async throws(EventStoreFailure) -> Appended? {
        let kept = state.withLock { $0.receipts.filter { $0.key.command == command } }
        // What was answered on the stream itself counts, whatever became of the key elsewhere.
        let own = kept[Receipt(command: command, stream: stream)]
        if let own, own.fingerprint == fingerprint { return own.answer }
        if let other = kept.first(where: { own == nil ? $0.value.fingerprint != fingerprint : $0.key.stream == stream })
        {
            throw .commandReused(command, stream: other.key.stream)
        }
        return nil
    }

    /// Says that the holding of a lease has this epoch from now on: appends under an earlier one are refused.
    public func fence(_ lease: String, epoch: Int64) {
        state.withLock { $0.leaseEpochs[lease] = epoch }
    }

    /// Reads a stream.
    public func read(
        _ stream: StreamName, after: StreamVersion, through: StreamVersion?, backwards: Bool, limit: Int
    ) async throws(EventStoreFailure) -> StreamPage {
        state.withLock { state in
            state.page(of: stream, after: after, through: through, backwards: backwards, limit: limit)
        }
    }

    /// Reads the log.
    public func readAll(
        after: GlobalPosition, before: GlobalPosition?, filter: EventFilter, backwards: Bool, limit: Int
    ) async throws(EventStoreFailure) -> LogPage {
        state.withLock { state in
            state.page(after: after, before: before, filter: filter, backwards: backwards, limit: limit)
        }
    }

    /// The last position.
    public func head() async throws(EventStoreFailure) -> GlobalPosition {
        state.withLock { $0.head }
    }

    /// The names of a category's streams.
    public func streams(in category: String) async throws(EventStoreFailure) -> [StreamName] {
        state.withLock { $0.streams.keys.filter { $0.belongs(to: category) }.sorted() }
    }

    /// Follows the log.
    public func follow(after: GlobalPosition, seen: Identifier?, batchSize: Int) -> EventBatches {
        EventBatches {
            var cursor = FollowerPlace(after, seen: seen)
            return { () async throws(FollowerEnd) in
                while !Task.isCancelled {
                    if let batch = try self.batch(after: &cursor, limit: max(1, batchSize)) { return batch }
                    // A log that was cut short just before wakes nobody who comes after.
                    await self.signal.wait(beyond: cursor.place, atMost: .seconds(1))
                }
                return nil
            }
        }
    }

    private func batch(after cursor: inout FollowerPlace, limit: Int) throws(FollowerEnd) -> [RecordedEvent]? {
        let place = cursor.place
        let (head, last, page) = state.withLock { state in
            let last = place > .start && place <= state.head ? state.log[Int(place.value) - 1] : nil
            let page = state.page(after: place, before: nil, filter: EventFilter(), backwards: false, limit: limit)
            return (state.head, last, page)
        }
        try cursor.check(head: head)
        if let last { try cursor.check(last) }
        return try cursor.take(page)
    }

    private static func append(
        _ append: Append, to state: inout State, at now: Instant
    ) -> Result<Appended, EventStoreFailure> {
        let receipt = append.command.map { Receipt(command: $0, stream: append.stream) }
        if let receipt, let first = state.receipts[receipt] {
            guard first.fingerprint == append.fingerprint else {
                return .failure(.commandReused(receipt.command, stream: append.stream))
            }
            return .success(first.answer)
        }
        if let first = firstAnswer(to: append, in: state) { return .success(first) }
        if let command = append.command,
            let other = state.receipts.first(where: {
                $0.key.command == command && $0.value.fingerprint != append.fingerprint
            })
        {
            return .failure(.commandReused(command, stream: other.key.stream))
        }
        if let fence = append.fence, state.leaseEpochs[fence.lease] != fence.epoch {
            return .failure(.fenced(by: fence))
        }
        let actual = StreamVersion(Int64(state.streams[append.stream, default: []].count))
        if case .exactly(let expected) = append.expecting, expected != actual {
            return .failure(.wrongExpectedVersion(stream: append.stream, expected: expected, actual: actual))
        }
        let recordedAt = max(now, state.log.last?.recordedAt ?? now)
        var version = actual
        for event in append.events {
            version = version.next
            state.streams[append.stream, default: []].append(state.log.count)
            state.log.append(
                RecordedEvent(
                    position: GlobalPosition(Int64(state.log.count + 1)), epoch: 1, stream: append.stream,
                    version: version, recordedAt: recordedAt, event: event))
        }
        let position = GlobalPosition(Int64(state.log.count))
        if let receipt {
            let answer = Appended(version: version, position: position, recordedAt: recordedAt, isDuplicate: true)
            state.receipts[receipt] = (answer, append.fingerprint)
        }
        return .success(
            Appended(version: version, position: position, recordedAt: recordedAt, isDuplicate: false))
    }

    /// The first answer to an append whose events stand just where it wants them.
    private static func firstAnswer(to append: Append, in state: State) -> Appended? {
        guard case .exactly(let expected) = append.expecting, !append.events.isEmpty else { return nil }
        let standing = state.streams[append.stream, default: []].dropFirst(Int(clamping: expected.value))
            .prefix(append.events.count).map { state.log[$0] }
        guard let last = standing.last, standing.map(\.event.id) == append.events.map(\.id) else { return nil }
        return Appended(version: last.version, position: last.position, recordedAt: last.recordedAt, isDuplicate: true)
    }
}

extension EventStoreFailure {
    /// Somebody else holds the lease by now.
    public static func fenced(by fence: Fence) -> EventStoreFailure {
        .fenced("lease \(fence.lease) is no longer that of epoch \(fence.epoch): somebody else has taken it over")
    }
}
