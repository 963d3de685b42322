public import EventSourcing

/// What every event store promises of a log to which more happens than appends, as clauses that each adapter's tests run,
/// each on a stage of its own.
public struct AlteredLogContract: Sendable, CustomStringConvertible {
    /// An empty log, and what no port orders.
    public struct Stage: Sendable {
        /// The log.
        public var store: any EventStore
        /// Puts what stands up to a position, a multiple of ``range``, into archives of ``range`` positions each, but for all
        /// events of streams that do not begin with `inbox-`, and for the last of each of those in an archive.
        public var putAway: @Sendable (GlobalPosition) async throws -> Void
        /// Brings back all that was put away.
        public var bringBack: @Sendable () async throws -> Void
        /// Takes all events after a position away, as if they had never been.
        public var cutShort: @Sendable (GlobalPosition) async throws -> Void

        /// How many positions an archive has.
        public static let range: Int64 = 16

        /// Sets a stage.
        public init(
            store: any EventStore, putAway: @escaping @Sendable (GlobalPosition) async throws -> Void,
            bringBack: @escaping @Sendable () async throws -> Void,
            cutShort: @escaping @Sendable (GlobalPosition) async throws -> Void
        ) {
            self.store = store
            self.putAway = putAway
            self.bringBack = bringBack
            self.cutShort = cutShort
        }
    }

    /// The promise, in words.
    public let description: String
    /// Throws ``EventStoreContract/Breach`` if it is not kept.
    public let check: @Sendable (Stage) async throws -> Void

    init(_ description: String, _ check: @escaping @Sendable (Stage) async throws -> Void) {
        self.description = description
        self.check = check
    }

    /// Every clause.
    public static var clauses: [AlteredLogContract] { archiving + following }
}

/// A log of which a part was put away, and what has to be read of it.
struct ArchivedLog {
    let stage: AlteredLogContract.Stage
    /// As it was written, but for what was appended when it was put away.
    let whole: [RecordedEvent]
    /// Where the archives end.
    let end: Int64
    /// The positions that only they have.
    let gone: Set<Int64>

    /// Writes some 70 events of four streams, and puts those away that stand up to `end`.
    static func made(on stage: AlteredLogContract.Stage, through end: Int64 = 48) async throws -> ArchivedLog {
        var versions: [String: Int64] = [:]
        for round in 0..<32 {
            for (name, beat, at) in [
                ("rollout-a", 2, 0), ("inbox-a", 1, 0), ("inbox-b", 7, 6), ("access-once", 32, 24),
            ] where round % beat == at {
                let append = SampleEvents.append(1 + round % 2, to: name, after: versions[name] ?? 0)
                versions[name] = try await stage.store.append(append).version.value
            }
        }
        let whole = try await stage.store.everything()
        try await stage.putAway(GlobalPosition(end))
        var last: [String: Int64] = [:]
        for event in whole { last["\(event.stream) \(range(of: event.position.value))"] = event.position.value }
        let stays = Set(last.values)
        let gone = whole.prefix(Int(end)).filter {
            $0.stream.description.hasPrefix("inbox-") && !stays.contains($0.position.value)
        }
        return ArchivedLog(stage: stage, whole: whole, end: end, gone: Set(gone.map(\.position.value)))
    }

    private static func range(of position: Int64) -> Int64 { (position - 1) / AlteredLogContract.Stage.range }

    /// What a read is asked for.
    struct Question: CustomStringConvertible {
        var after: Int64
        var before: Int64?
        var filter = EventFilter()
        var backwards = false
        var limit = 1000

        var description: String {
            "after \(after), before \(before.map(String.init) ?? "-"), \(filter), backwards \(backwards), limit \(limit)"
        }
    }

    /// Asks for events that were there before anything was put away, and demands what the port says.
    func ask(_ question: Question) async throws {
        let page = try await stage.store.readAll(
            after: GlobalPosition(question.after), before: question.before.map { GlobalPosition($0) },
            filter: question.filter, backwards: question.backwards, limit: question.limit)
        let (events, stop) = answer(to: question)
        try EventStoreContract.same(page.events.map(\.position.value), events.map(\.position.value), "\(question)")
        try EventStoreContract.expect(page.events == events, "\(question): other events")
        switch page.end {
        case .archived(let first, let words):
            try EventStoreContract.same(first.value, stop, "\(question)")
            try EventStoreContract.expect(!words.isEmpty, "it says where they are")
        case .limit:
            try EventStoreContract.same(nil, stop, "\(question)")
            try EventStoreContract.same(events.count, question.limit, "\(question)")
        case .complete:
            try EventStoreContract.same(nil, stop, "\(question)")
            try EventStoreContract.expect(events.count < question.limit, "\(question): there may be more")
        }
    }

    /// Asks for events of a stream that were there before anything was put away, and demands what the port says.
    func ask(_ name: String, after: Int64, through: Int64?, backwards: Bool, limit: Int) async throws {
        let stream = SampleEvents.stream(name)
        let asked = whole.filter {
            $0.stream == stream && $0.version.value > after && $0.version.value <= through ?? .max
        }
        var wanted = StreamPage(events: [], end: .complete)
        for event in backwards ? asked.reversed() : asked {
            if gone.contains(event.position.value) {
                wanted.end = .archived(at: event.version, words: "")
                break
            }
            wanted.events.append(event)
            if wanted.events.count == limit {
                wanted.end = .limit
                break
            }
        }
        var page = try await stage.store.read(
            stream, after: StreamVersion(after), through: through.map { StreamVersion($0) }, backwards: backwards,
            limit: limit)
        if case .archived(let first, let words) = page.end {
            try EventStoreContract.expect(!words.isEmpty, "it says where they are")
            page.end = .archived(at: first, words: "")
        }
        let question = "\(name) after \(after), through \(through ?? -1), backwards \(backwards), limit \(limit)"
        try EventStoreContract.same(page.events.map(\.version), wanted.events.map(\.version), question)
        try EventStoreContract.same(page.end, wanted.end, question)
        try EventStoreContract.expect(page.events == wanted.events, "\(question): other events")
    }

    /// The events, and the first position that is in the way.
    private func answer(to question: Question) -> (events: [RecordedEvent], stop: Int64?) {
        var others = question.filter
        (others.from, others.until) = (nil, nil)
        let asked = whole.filter { event in
            event.position.value > question.after && event.position.value < question.before ?? .max
                && question.filter.from.map { event.recordedAt >= $0 } ?? true
                && question.filter.until.map { event.recordedAt <= $0 } ?? true
        }
        var events: [RecordedEvent] = []
        for event in question.backwards ? asked.reversed() : asked {
            let position = event.position.value
            if others == EventFilter() ? gone.contains(position) : position <= end { return (events, position) }
            if others.matches(event) { events.append(event) }
            if events.count == question.limit { return (events, nil) }
        }
        return (events, nil)
    }
}
