public import EventSourcing
internal import Foundation
public import Logging
public import Postgres
public import ServiceLifecycle

/// The log on PostgreSQL.
///
/// Reads go over a pool, appends over two connections of their own. ``run()`` hears of other instances' appends at once;
/// without it followers look once a second.
public struct PostgresEventStore: EventStore, Service {
    /// How long an idle follower waits before it looks, if nobody says that there is news and nothing else was chosen.
    public static let pollInterval = Duration.seconds(1)

    /// Where reads go; its connections should be ``Postgres/PostgresConfiguration/asLedgerService``.
    public let pool: PostgresPool
    private let appender: Appender
    private let signal = HeadSignal()
    private let cut = CutSign()
    private let patience: Duration
    private let logger: Logger

    /// Makes a store on a migrated database; connections are opened when needed.
    ///
    /// - Parameter patience: How long an idle follower waits before it looks.
    public init(
        pool: PostgresPool, patience: Duration = Self.pollInterval, logger: Logger = Logger(label: "ledger")
    ) {
        self.pool = pool
        self.patience = patience
        self.logger = logger
        appender = Appender(pool.configuration, signal: signal, logger: logger)
    }

    /// Appends, as the port says; once begun, cancellation of the caller does not end it.
    public func append(_ append: Append) async throws(EventStoreFailure) -> Appended {
        try append.check()
        return try await appender.append(PreparedAppend(append)).get()
    }

    /// How busy the appends are.
    public var appendLoad: AppendLoad { appender.load }

    /// What a follower found, and ended, that had read more than the log has now, or something else; `nil` if none did.
    ///
    /// Controllers begin anew, but whoever else read the log here may still show what it does not have: the instance is to be
    /// started again.
    public var whyCut: String? { cut.why }

    /// The first answer to a command, once that is durable.
    public func receipt(
        for command: Identifier, fingerprint: [UInt8]?, on stream: StreamName
    ) async throws(EventStoreFailure) -> Appended? {
        try await reading { () async throws -> Appended? in
            let rows = try await pool.query(
                """
                SELECT r.version, r.position, r.recorded_at, r.fingerprint, s.name, \(AppendStatement.durableCommit)
                FROM ledger.receipt r
                JOIN ledger.stream s USING (stream_id)
                WHERE r.command_id = \(command.uuid)
                """,
                // It may wait for a replica, which may not be there.
                StatementOptions(timeout: .seconds(15))
            )
            // What was answered on the stream itself counts, whatever became of the key elsewhere.
            let own = try rows.first { try $0.get(4, as: String.self) == stream.description }
            for row in own.map({ [$0] }) ?? Array(rows) {
                guard try row.get(3, as: [UInt8]?.self) == fingerprint else {
                    throw EventStoreFailure.commandReused(command, stream: StreamName(try row.get(4)) ?? stream)
                }
            }
            return try own.map { row in
                Appended(
                    version: StreamVersion(try row.get(0)), position: GlobalPosition(try row.get(1)),
                    recordedAt: Instant(try row.get(2)), isDuplicate: true)
            }
        }
    }

    /// Reads a stream.
    public func read(
        _ stream: StreamName, after: StreamVersion, through: StreamVersion?, backwards: Bool, limit: Int
    ) async throws(EventStoreFailure) -> StreamPage {
        try await reading {
            try await StreamRead(stream, after: after, through: through, backwards: backwards, limit: limit).page(pool)
        }
    }

    /// Reads the log.
    public func readAll(
        after: GlobalPosition, before: GlobalPosition?, filter: EventFilter, backwards: Bool, limit: Int
    ) async throws(EventStoreFailure) -> LogPage {
        guard limit > 0 else { return LogPage(events: [], end: .limit) }
        return try await reading {
            var read = LogRead(
                filter: filter, after: after.value, through: before.map { $0.value - 1 }, backwards: backwards,
                limit: limit)
            // Up to here all stands in the log or in an archive by now: what is appended meanwhile is not looked for.
            if let through = read.through { read.through = min(through, try await head().value) }
            if filter == EventFilter() {
                do { return try await read.page(pool) } catch EventStoreFailure.damaged {
                    // What came back between the page and the look for archives is neither in the page nor in an archive:
                    // in one transaction nothing does.
                }
            }
            return try await pool.transaction(readOnly: true) { try await read.page($0) }
        }
    }

    /// The last position.
    public func head() async throws(EventStoreFailure) -> GlobalPosition {
        try await reading {
            let row = try await pool.query(
                "SELECT last_position FROM ledger.append_batch ORDER BY last_position DESC LIMIT 1"
            ).single()
            return GlobalPosition(try row.get(0))
        }
    }

    /// The names of a category's streams.
    public func streams(in category: String) async throws(EventStoreFailure) -> [StreamName] {
        try await reading {
            try await pool.query(
                """
                SELECT s.name
                FROM ledger.stream s
                WHERE starts_with(s.name, \(category + "-"))
                  AND EXISTS (SELECT FROM ledger.event e WHERE e.stream_id = s.stream_id)
                ORDER BY s.name
                """
            ).map { row in
                let name = try row.get(0, as: String.self)
                guard let stream = StreamName(name) else {
                    throw PostgresError(.decoding, "\"\(name)\" in ledger.stream is no stream name")
                }
                return stream
            }
        }
    }

    /// Follows the log: woken by own appends and by ``run()``, and looking once a second without either.
    ///
    /// What was appended here lately is given without a look into the log, also if it stands in an archive meanwhile.
    public func follow(after: GlobalPosition, seen: Identifier?, batchSize: Int) -> EventBatches {
        EventBatches {
            var cursor = FollowerPlace(after, seen: seen)
            return { () async throws(FollowerEnd) in
                try await self.nextBatch(after: &cursor, limit: max(1, batchSize))
            }
        }
    }

    /// Hears of appends, by whomever, until the service is shut down.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            self.appender.start(eagerly: true)
            for await event in self.pool.listen("ledger") {
                switch event {
                case .notification(let message):
                    guard let number = Int64(message.payload), number >= 0 else { continue }
                    let head = GlobalPosition(number)
                    if !self.recent.keepBack(head, from: message.backendProcessID) { self.signal.raise(to: head) }
                case .listening:
                    // The server may be another, that does not have all that was appended here.
                    self.recent.forget()
                    // What was said while nobody listened is found by the followers' own look, within a second; the
                    // head makes it sooner. It may also be an older one: the log of a server that was failed over to.
                    await self.lookAgain()
                case .lost(let error):
                    self.logger.warning("the ledger's news are interrupted", metadata: ["error": "\(error)"])
                }
            }
        }
    }

    /// Where the log ends, as far as was heard.
    var heard: GlobalPosition { signal.head }

    /// Where the log ends, without asking the server if something beyond `place` was heard of.
    func head(beyond place: GlobalPosition) async throws(EventStoreFailure) -> GlobalPosition {
        let heard = signal.head
        return heard > place ? heard : try await head()
    }

    /// Lets appends go first, for a turn's worth of work.
    func courtesy() -> Courtesy { Courtesy { [appender] in appender.load } }

    /// What this instance has appended itself, lately.
    var recent: RecentAppends { appender.recent }

    /// Asks the server where the log ends, in place of what was heard: the log may have been cut short since.
    func lookAgain() async {
        let heard = signal.head
        do {
            let head = try await head()
            guard head < heard else { return signal.raise(to: head) }
            // What was appended here may be part of what is gone.
            recent.forget()
            signal.set(to: head)
        } catch {
            logger.debug("the head could not be read", metadata: ["error": "\(error)"])
        }
    }

    /// Returns when there is an event after `place`, when patience is over, or when the task is cancelled.
    func waitForNews(beyond place: GlobalPosition) async {
        await signal.wait(beyond: place, atMost: patience)
    }

    /// Waits for the next events after `cursor`, away from whoever asks; nil once the task is cancelled.
    @concurrent private func nextBatch(
        after cursor: inout FollowerPlace, limit: Int
    ) async throws(FollowerEnd) -> [RecordedEvent]? {
        var failures = 0
        while !Task.isCancelled {
            if cursor.isAtEnd {
                // Nothing is asked for before there is news, or a second has passed.
                cursor.isAtEnd = false
                await waitForNews(beyond: cursor.place)
                continue
            }
            do {
                let page = try await page(after: &cursor, limit: limit)
                if let batch = try cursor.take(page) { return batch }
                failures = 0
                // More was heard of than there is, unless it has come meanwhile.
                if signal.head > cursor.place { await lookAgain() }
            } catch let end as FollowerEnd {
                if case .cutShort = end {
                    recent.forget()
                    cut.note(end)
                    logger.error(
                        "the ledger is followed no further",
                        metadata: ["error": "\(end)", "ledger.position": "\(cursor.place)"])
                }
                throw end
            } catch {
                guard !Task.isCancelled else { break }
                failures += 1
                logger.log(
                    level: BackOff.level(after: failures), "following the ledger failed, trying again",
                    metadata: [
                        "error": "\(error)", "ledger.position": "\(cursor.place)", "failures": "\(failures)",
                    ])
                await BackOff.pause(after: failures)
            }
        }
        return nil
    }

    /// The next events after `cursor`, once it is sure that the one before them is still that which it has seen.
    ///
    /// - Throws: ``FollowerEnd`` if it is not; `EventStoreFailure`.
    private func page(after cursor: inout FollowerPlace, limit: Int) async throws -> LogPage {
        let place = cursor.place
        if let page = recentPage(after: cursor, limit: limit) { return page }
        if place > .start {
            var page = try await page(after: GlobalPosition(place.value - 1), limit: limit + 1)
            if let last = page.events.first {
                try cursor.check(last)
                page.events.removeFirst()
                // The one at the place may have left no room for another.
                if page.end != .limit || !page.events.isEmpty { return page }
                return try await self.page(after: place, limit: limit)
            }
            guard case .archived = page.end else {
                try cursor.check(head: try await head())
                return page
            }
            // It may be the one at the place alone that was put away.
        }
        return try await page(after: place, limit: limit)
    }

    /// The next events, if they and the one before them, which `cursor` knows, were appended here lately.
    private func recentPage(after cursor: FollowerPlace, limit: Int) -> LogPage? {
        guard let row = recent.row(from: cursor.place, limit: limit < .max ? limit + 1 : limit), row.count > 1,
            cursor.isAt(row[0].event.id)
        else { return nil }
        return LogPage(events: row.dropFirst().map(\.recorded), end: row.count > limit ? .limit : .complete)
    }

    private func page(after place: GlobalPosition, limit: Int) async throws(EventStoreFailure) -> LogPage {
        try await readAll(after: place, before: nil, filter: EventFilter(), backwards: false, limit: limit)
    }

    private func reading<Value>(_ body: () async throws -> Value) async throws(EventStoreFailure) -> Value {
        do { return try await body() } catch { throw EventStoreFailure(reading: error) }
    }
}
