internal import EventSourcing
internal import Foundation
public import Logging
internal import Postgres
internal import Transparency

/// What an import came to.
public struct ImportReport: Sendable, Equatable, Codable {
    /// How many events the file holds.
    public var events: Int64
    /// How many of them were appended now.
    public var appended: Int64
    /// How many stood in the ledger already: in the same streams, at the same versions, with the same ids and content.
    public var known: Int64
    /// The position of the last event that was appended; nil if none was.
    public var lastPosition: Int64?
}

/// Appends the events of a file, in the order of the file, each after the ones that its stream has.
///
/// The file is looked at as a whole first, against itself and against the ledger, and only then appended, in batches of
/// some thousand events: each batch is one statement, so that the append lock is held by the server's work alone, and
/// whoever appends meanwhile waits for one batch at the most. An event that the ledger has already is passed over, so that
/// an import that was cut short goes on where it was, and a second one changes nothing.
///
/// The lines are those of ``LedgerExport``. Of an event its content is taken over: type, time, actor, causes, data,
/// metadata; its place in the log and the time of recording are this ledger's own, unless events keep their places.
public struct LedgerImport: Sendable {
    private let store: PostgresEventStore
    private let keepsPlaces: Bool
    private let workers: Int
    private let logger: Logger

    /// Longer than the server's own limits.
    private static let options = StatementOptions(timeout: .seconds(90), isCancellable: false)
    private static let mostAttempts = 5

    /// Makes an import into a migrated database.
    ///
    /// - Parameter keepsPlaces: Positions, times of recording and epochs are taken over as well, so that the tree over the
    ///   log gets the roots that the other ledger signed. The events must follow on the last one here. It is for who owns
    ///   the log: the role of the service may not do it.
    public init(
        store: PostgresEventStore, keepsPlaces: Bool = false, logger: Logger = Logger(label: "ledger.import")
    ) {
        self.store = store
        self.keepsPlaces = keepsPlaces
        self.logger = logger
        workers = max(1, ProcessInfo.processInfo.activeProcessorCount)
    }

    /// Imports the file of this name.
    ///
    /// - Parameter progress: Told after each batch how many events are done, of how many.
    /// - Throws: ``ImportFailure``; `PostgresError` when the database does not answer, and then a repeat goes on.
    public func run(
        _ name: String, progress: @escaping @Sendable (Int64, Int64) -> Void = { _, _ in }
    ) async throws -> ImportReport {
        let file = try EventFile(name)
        let check = try await ImportCheck.run(file, keepsPlaces: keepsPlaces, workers: workers)
        var connection = try await connect()
        do {
            try await refuseFuture(check, file, connection)
            let known = try await known(check, file, connection)
            let batches = try await open(check, file, known, connection)
            let report = try await append(batches, check, file, &connection, progress)
            await connection.close()
            return report
        } catch {
            await connection.close()
            throw error
        }
    }

    private func connect() async throws -> PostgresConnection {
        var configuration = store.pool.configuration
        configuration.sessionSettings["synchronous_commit"] = "on"
        configuration.sessionSettings["lock_timeout"] = "2s"
        configuration.sessionSettings["statement_timeout"] = "60s"
        return try await PostgresConnection.connect(configuration)
    }

    /// Refuses a file whose events were recorded later than now: the ledger would take only those before.
    private func refuseFuture(_ check: ImportCheck, _ file: EventFile, _ connection: PostgresConnection) async throws {
        guard keepsPlaces, let last = check.last else { return }
        let now = Instant(
            try await connection.query("SELECT clock_timestamp()").single().get(0, as: PostgresInstant.self))
        let recordedAt = Instant(microseconds: last.recordedAt)
        guard recordedAt > now else { return }
        throw LineProblem(
            field: "recordedAt", value: recordedAt.description,
            problem: "the last event was recorded in the future: it is \(now) here",
            fix: "wait, set the clock right, or import without --as-recorded"
        ).failure(file.name, line: check.lines)
    }

    // MARK: - What the ledger has

    /// Up to which version the ledger has each stream of the file; what it has must be what the file has.
    private func known(
        _ check: ImportCheck, _ file: EventFile, _ connection: PostgresConnection
    ) async throws -> [String: Int64] {
        var known: [String: Int64] = [:]
        var gap: (line: Int64, problem: LineProblem)?
        for some in Array(check.streams.keys).parts(of: 5000) {
            let rows = try await connection.query(
                """
                SELECT n.name, x.version
                FROM unnest(\(some)) n(name)
                JOIN ledger.stream s USING (name)
                CROSS JOIN LATERAL (
                    SELECT e.version
                    FROM ledger.event e
                    WHERE e.stream_id = s.stream_id
                    ORDER BY e.version DESC
                    LIMIT 1) x
                """)
            for row in rows { known[try row.get(0)] = try row.get(1, as: Int64.self) }
        }
        for (name, span) in check.streams where known[name, default: 0] < span.firstVersion - 1 {
            guard span.line < gap?.line ?? .max else { continue }
            gap = (span.line, Self.gap(name, version: span.firstVersion, base: known[name, default: 0]))
        }
        if let gap { throw gap.problem.failure(file.name, line: gap.line) }
        guard check.streams.contains(where: { known[$0.key, default: 0] >= $0.value.firstVersion }) else {
            return known
        }
        try await compare(file, known, connection)
        return known
    }

    private static func gap(_ stream: String, version: Int64, base: Int64) -> LineProblem {
        LineProblem(
            field: "version", value: "\(version)", problem: "the ledger has \(stream) up to version \(base) only",
            fix: "import what lies between first: export the other ledger from an earlier position")
    }

    private static func taken(_ stream: String, version: Int64, id: String, by other: String?) -> LineProblem {
        LineProblem(
            field: "id", value: id,
            problem: other == id
                ? "version \(version) of \(stream) is this event in the ledger too, with another content"
                : other.map { "version \(version) of \(stream) is event \($0) in the ledger" }
                    ?? "version \(version) of \(stream) lies in an archive, and cannot be compared",
            fix: other == nil
                ? "bring the archive back first (rollbook archive --bring-back FILE)"
                : "the histories differ: import into a ledger that does not have this stream")
    }

    /// One pass over what file and ledger both have.
    private func compare(_ file: EventFile, _ known: [String: Int64], _ connection: PostgresConnection) async throws {
        var (linesBefore, clock, parts) = (Int64(0), LineClock(), HashedParts())
        var shared = Shared()
        for index in 0..<file.blocks {
            let before = linesBefore
            linesBefore += try file.block(index).forEachLine { line, bytes in
                do throws(LineProblem) {
                    let event = try EventLine(bytes, &clock)
                    let name = event.stream.string
                    guard event.version <= known[name, default: 0] else { return }
                    shared.streams.append(name)
                    shared.versions.append(event.version)
                    shared.ids.append(event.id)
                    shared.hashes.append(event.hash(using: &parts).bytes)
                    shared.lines.append(before + line)
                } catch { throw error.failure(file.name, line: before + line) }
            }
            if shared.lines.count >= 4096 {
                try await compare(shared, file, connection)
                shared = Shared()
            }
        }
        if !shared.lines.isEmpty { try await compare(shared, file, connection) }
    }

    /// Events that file and ledger both have.
    private struct Shared {
        var streams: [String] = []
        var versions: [Int64] = []
        var ids: [UUID] = []
        var hashes: [[UInt8]] = []
        var lines: [Int64] = []
    }

    private func compare(_ shared: Shared, _ file: EventFile, _ connection: PostgresConnection) async throws {
        let row = try await connection.query(
            """
            SELECT g.o, x.event_id::text
            FROM unnest(\(shared.streams), \(shared.versions), \(shared.ids), \(shared.hashes)) WITH ORDINALITY
                 g(name, version, id, hash, o)
            JOIN ledger.stream s USING (name)
            LEFT JOIN ledger.event x ON x.stream_id = s.stream_id AND x.version = g.version
            WHERE x.event_id IS DISTINCT FROM g.id OR x.content_hash IS DISTINCT FROM g.hash
            ORDER BY g.o
            LIMIT 1
            """
        ).optional()
        guard let row else { return }
        let index = try row.get(0, as: Int.self) - 1
        throw Self.taken(
            shared.streams[index], version: shared.versions[index], id: shared.ids[index].uuidString.lowercased(),
            by: try row.get(1)
        ).failure(file.name, line: shared.lines[index])
    }

    // MARK: - Appending

    /// Gives names their ids; nothing that is wrong with the file comes to light after this.
    private func open(
        _ check: ImportCheck, _ file: EventFile, _ known: [String: Int64], _ connection: PostgresConnection
    ) async throws -> ImportBatches {
        var names = ImportNames()
        let isNews = check.streams.contains { known[$0.key, default: 0] < $0.value.lastVersion }
        if isNews {
            for some in Array(check.streams.keys).parts(of: 5000) {
                for row in try await connection.query("SELECT name, stream_id FROM ledger.open_streams(\(some))") {
                    names.streams[try row.get(0)] = try row.get(1, as: Int64.self)
                }
            }
            for row in try await connection.query("SELECT name, type_id FROM ledger.open_types(\(Array(check.types)))")
            {
                names.types[try row.get(0)] = try row.get(1, as: Int32.self)
            }
            for some in Array(check.actors).parts(of: 5000) {
                let rows = try await connection.query(
                    """
                    SELECT o, actor_id
                    FROM ledger.open_actors(
                        \(some.map(\.subject)), \(some.map(\.issuer)), \(some.map(\.method.rawValue)),
                        \(some.map(\.onBehalfOf)))
                    """)
                for row in rows {
                    names.actors[some[try row.get(0, as: Int.self) - 1]] = try row.get(1, as: Int32.self)
                }
            }
        }
        let row = try await connection.query(
            "SELECT t.oid::bigint, t.typarray::bigint FROM pg_type t WHERE t.oid = 'ledger.imported_event'::regtype"
        ).single()
        return ImportBatches(
            file, names, known: known, keepsPlaces: keepsPlaces,
            element: PostgresType(rawValue: UInt32(try row.get(0, as: Int64.self))),
            array: PostgresType(rawValue: UInt32(try row.get(1, as: Int64.self))))
    }

    private func append(
        _ batches: ImportBatches, _ check: ImportCheck, _ file: EventFile, _ connection: inout PostgresConnection,
        _ progress: @Sendable (Int64, Int64) -> Void
    ) async throws -> ImportReport {
        var report = ImportReport(events: check.events, appended: 0, known: 0, lastPosition: nil)
        var sent: Int64 = 0
        var batch = try await batches.next()
        while let current = batch {
            try Task.checkCancellation()
            try await PartitionKeeper(store: store, logger: logger).keep()
            // The next one is made while the server works on this one.
            async let following = batches.next()
            let answer = try await send(current, &connection)
            if let refused = answer.refused {
                throw try await failure(answer, current, refused, file, appended: report.appended)
            }
            report.appended += answer.appended
            report.lastPosition = answer.lastPosition ?? report.lastPosition
            sent += Int64(current.lines.count)
            progress(sent, check.events)
            batch = try await following
        }
        // Nor is it said of what a look at the ledger found that it stays there, before that is durable.
        if sent == 0 { try await connection.query("SELECT \(AppendStatement.durableCommit)", Self.options) }
        report.known = report.events - report.appended
        return report
    }

    private struct Answer {
        var appended: Int64
        var lastPosition: Int64?
        var refused: Int64?
        var reason: String?
        var actual: String?
    }

    /// Sends a batch until its outcome is known: what was appended by an attempt that was cut off is recognised.
    private func send(_ batch: ImportBatch, _ connection: inout PostgresConnection) async throws -> Answer {
        var attempt = 0
        while true {
            attempt += 1
            do {
                if await !connection.isUsable() {
                    await connection.close()
                    connection = try await connect()
                }
                let call: SQL =
                    batch.firstPosition.map { "ledger.place_events(\(batch.value), \($0))" }
                    ?? "ledger.import_events(\(batch.value))"
                // What an earlier attempt appended is known now, but maybe not replicated: the wait for that may have been
                // cancelled. So a repeat commits something of its own.
                let row = try await connection.query(
                    """
                    SELECT appended, last_position, refused, reason, actual,
                           CASE WHEN known > 0 THEN \(AppendStatement.durableCommit) END
                    FROM \(call)
                    """, Self.options
                ).single()
                return Answer(
                    appended: try row.get(0), lastPosition: try row.get(1), refused: try row.get(2),
                    reason: try row.get(3), actual: try row.get(4))
            } catch let error as PostgresError {
                let isStalled = error.sqlState == .lockNotAvailable
                let isWithoutRoom = error.sqlState == .checkViolation
                let isCutOff = error.outcomeUnknown || error.code == .connectionLost || error.code == .connectionFailed
                guard isStalled || isCutOff || isWithoutRoom, attempt < Self.mostAttempts else { throw error }
                logger.warning("a batch is sent again", metadata: ["error": "\(error)"])
                if isWithoutRoom {
                    try await connection.query("SELECT ledger.prepare_partitions(\(Int32(4) << Int32(2 * attempt)))")
                }
                if isStalled { try await connection.query("SELECT ledger.end_stalled_append()", Self.options) }
            }
        }
    }

    /// Somebody else appended to a stream of the file after it was looked at, or a place was taken.
    private func failure(
        _ answer: Answer, _ batch: ImportBatch, _ refused: Int64, _ file: EventFile, appended: Int64
    ) async throws -> ImportFailure {
        let line = batch.lines[Int(refused) - 1]
        var problem = LineProblem(
            field: "", problem: "it cannot be appended: \(answer.reason ?? "") \(answer.actual ?? "")",
            fix: "import the file again")
        if answer.reason == "place" {
            problem = LineProblem(
                field: "position", problem: "the event does not follow on the ledger's last (\(answer.actual ?? ""))",
                fix: "export from there on, or import without --as-recorded")
        } else if answer.reason == "taken" {
            problem = LineProblem(
                field: "id", problem: "its version is event \(answer.actual ?? "") in the ledger since a moment ago",
                fix: "the histories differ: import into a ledger that nobody else writes this stream of")
        }
        return problem.failure(file.name, line: line, appended: appended)
    }
}
