/// What the caller believes about the stream that it appends to.
public enum ExpectedVersion: Sendable, Hashable {
    /// The stream's version is exactly this one (`.none`: the stream has no events).
    case exactly(StreamVersion)
    /// Any; such an append needs a command id, so that a repeat is recognised.
    case any
}

/// One append: some events after a stream's expected version, all or none.
public struct Append: Sendable {
    /// The stream.
    public var stream: StreamName
    /// What its version must be.
    public var expecting: ExpectedVersion
    /// In order.
    ///
    /// May be empty only with a `command`, to leave a receipt for "nothing to do".
    public var events: [NewEvent]
    /// The command that is answered by this append; a receipt is kept under it.
    public var command: Identifier?
    /// A digest of what the command orders, kept in the receipt: its id given again for another order is refused.
    public var fingerprint: [UInt8]?
    /// The lease that the append is made under; once somebody else has taken it over, the append is refused.
    public var fence: Fence?

    /// Makes an append.
    public init(
        stream: StreamName, expecting: ExpectedVersion, events: [NewEvent], command: Identifier? = nil,
        fingerprint: [UInt8]? = nil, fence: Fence? = nil
    ) {
        self.stream = stream
        self.expecting = expecting
        self.events = events
        self.command = command
        self.fingerprint = fingerprint
        self.fence = fence
    }
}

/// One holding of a lease, as an append names it: each new holder gets a greater epoch, which shuts out those before.
public struct Fence: Sendable, Hashable {
    /// The lease's name.
    public var lease: String
    /// The holding's number, from 1.
    public var epoch: Int64

    /// Names a holding.
    public init(lease: String, epoch: Int64) {
        self.lease = lease
        self.epoch = epoch
    }
}

/// What a successful append answers.
public struct Appended: Sendable, Hashable {
    /// The stream's version after the last event of the append.
    public var version: StreamVersion
    /// The position of the last event of the append; with no events, the head of the log.
    public var position: GlobalPosition
    /// When the store wrote it.
    public var recordedAt: Instant
    /// Whether the same append had been made before, and this is its first answer.
    public var isDuplicate: Bool

    /// Makes an answer.
    public init(version: StreamVersion, position: GlobalPosition, recordedAt: Instant, isDuplicate: Bool) {
        self.version = version
        self.position = position
        self.recordedAt = recordedAt
        self.isDuplicate = isDuplicate
    }
}

/// Why an event store could not do what it was asked.
public enum EventStoreFailure: Error, Sendable, Equatable {
    /// Somebody else appended first; reload and decide again.
    case wrongExpectedVersion(stream: StreamName, expected: StreamVersion, actual: StreamVersion)
    /// Nothing was appended, and trying again later can help.
    case unavailable(String)
    /// The append may or may not have been made: send the same events with the same ids again.
    case outcomeUnknown(String)
    /// The request can never succeed, such as an event whose data is no JSON.
    case rejected(String)
    /// A lease that the append named is held by somebody else.
    case fenced(String)
    /// What was asked for stands in an archive and not in the store: it has to be brought back first.
    case archived(String)
    /// Events that the log once had are missing: nothing but a look at the log (`rollbook verify`) can help.
    case damaged(String)
    /// The command's id was given before, on `stream`, for another order.
    case commandReused(Identifier, stream: StreamName)
}

/// Appends events to streams; the first half of the port to the log.
public protocol EventAppender: Sendable {
    /// Appends all of `append.events`, or none, and answers only when they are durable.
    ///
    /// An append that repeats another one at the same version with the same event ids, or with the same command id and
    /// fingerprint, answers `isDuplicate` with the first result. A command id that has a receipt of another fingerprint, on
    /// whichever stream, is refused; of those that arrive at once, one is carried out.
    /// - Throws: Each case of ``EventStoreFailure``.
    func append(_ append: Append) async throws(EventStoreFailure) -> Appended

    /// The answer that was first given to `command` on `stream`, if it has a receipt.
    ///
    /// One order, of one id and fingerprint, may have receipts on several streams.
    /// - Throws: ``EventStoreFailure``; `.commandReused` if the id has a receipt of an order with another fingerprint, on
    ///   whichever stream.
    func receipt(
        for command: Identifier, fingerprint: [UInt8]?, on stream: StreamName
    ) async throws(EventStoreFailure) -> Appended?
}

/// Which events a read of the whole log wants; an empty filter wants all.
public struct EventFilter: Sendable, Hashable {
    /// Wire names (with version); empty wants every type.
    public var types: [String]
    /// A prefix of stream names.
    public var streamPrefix: String?
    /// The release or command they belong to.
    public var correlation: Identifier?
    /// The subject of their actor.
    public var actor: String?
    /// Recorded at or after.
    public var from: Instant?
    /// Recorded before or at.
    public var until: Instant?

    /// Makes a filter.
    public init(
        types: [String] = [], streamPrefix: String? = nil, correlation: Identifier? = nil, actor: String? = nil,
        from: Instant? = nil, until: Instant? = nil
    ) {
        self.types = types
        self.streamPrefix = streamPrefix
        self.correlation = correlation
        self.actor = actor
        self.from = from
        self.until = until
    }

    /// Whether `event` passes.
    public func matches(_ event: RecordedEvent) -> Bool {
        (types.isEmpty || types.contains(event.event.type))
            && (streamPrefix.map { event.stream.description.hasPrefix($0) } ?? true)
            && (correlation.map { event.event.correlation == $0 } ?? true)
            && (actor.map { event.event.actor.subject == $0 } ?? true)
            && (from.map { event.recordedAt >= $0 } ?? true)
            && (until.map { event.recordedAt <= $0 } ?? true)
    }
}

/// Reads the log; the second half of the port to it.
public protocol EventReader: Sendable {
    /// Events of `stream` with a version above `after` (and up to `through`, if given); ascending, or descending when
    /// `backwards`; at most `limit` of them and ``EventsPage/mostBytes``, and none behind one that stands in an archive.
    ///
    /// A stream that does not exist has no events.
    /// - Throws: ``EventStoreFailure``; `.damaged` if events are missing that no archive has.
    func read(
        _ stream: StreamName, after: StreamVersion, through: StreamVersion?, backwards: Bool, limit: Int
    ) async throws(EventStoreFailure) -> StreamPage

    /// Events of the log with a position above `after` (below `before`, if given) that pass `filter`; ascending, or
    /// descending when `backwards`; at most `limit` of them and ``EventsPage/mostBytes``, and none behind one that stands
    /// in an archive.
    ///
    /// - Throws: ``EventStoreFailure``; `.damaged` if events are missing that no archive has.
    func readAll(
        after: GlobalPosition, before: GlobalPosition?, filter: EventFilter, backwards: Bool, limit: Int
    ) async throws(EventStoreFailure) -> LogPage

    /// The position of the last event; `.start` if there is none.
    func head() async throws(EventStoreFailure) -> GlobalPosition

    /// The names of all streams of a category (the text before the identity's dash) in ascending order.
    func streams(in category: String) async throws(EventStoreFailure) -> [StreamName]
}

/// Follows the log.
public protocol EventFollower: Sendable {
    /// Every event after `after`, in order, each once; heals from lost connections by itself.
    ///
    /// Ends when the consuming task is cancelled, and with its reason where nobody can go on: before events that stand in an
    /// archive, or when the log was cut short.
    /// - Parameters:
    ///   - seen: The event at `after`, if it was read: the log is known again by it.
    ///   - batchSize: How many events a batch has at the most; it also has no more bytes than ``EventsPage/mostBytes``,
    ///     unless it is one event alone.
    func follow(after: GlobalPosition, seen: Identifier?, batchSize: Int) -> EventBatches
}

extension EventFollower {
    /// Every event after `after`, whichever stands there.
    public func follow(after: GlobalPosition, batchSize: Int) -> EventBatches {
        follow(after: after, seen: nil, batchSize: batchSize)
    }
}

/// The whole port to the log.
public typealias EventStore = EventAppender & EventReader & EventFollower
