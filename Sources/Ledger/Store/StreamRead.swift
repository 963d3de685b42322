internal import EventSourcing
internal import Postgres

/// One read of a stream, up to what stands in an archive.
///
/// A partition that is archived keeps the last event of each stream in it. So what is missing of a stream stood in the same
/// range as the next later event that is there, and above the stream's last event nothing is missing.
struct StreamRead {
    private let stream: StreamName
    private let after: Int64
    /// Versions up to this one; nil: up to the stream's end.
    private let through: Int64?
    private let backwards: Bool
    private let limit: Int

    init(
        _ stream: StreamName, after: StreamVersion, through: StreamVersion? = nil, backwards: Bool = false, limit: Int
    ) {
        (self.stream, self.after, self.through) = (stream, after.value, through?.value)
        (self.backwards, self.limit) = (backwards, limit)
    }

    /// The page, read over any connection.
    ///
    /// - Throws: `EventStoreFailure.damaged` for events that no archive has.
    func page(_ pool: PostgresPool) async throws -> StreamPage {
        if limit <= 0 { return StreamPage(events: [], end: .limit) }
        guard after < through ?? .max else { return StreamPage(events: [], end: .complete) }
        let found = try await there(pool)
        if gaps(found).isEmpty { return StreamPage(events: found.events, end: found.isFull ? .limit : .complete) }
        // What came back between the page and the look for archives is neither in the page nor in an archive: in one
        // transaction nothing does.
        return try await pool.transaction(readOnly: true) { try await page(in: $0) }
    }

    /// What is there of it, whatever is missing, and whether there are as many as were asked for.
    func there(_ connection: some PostgresQueryable) async throws -> (events: [RecordedEvent], isFull: Bool) {
        // Compared as rows, and with the limit as a number: a planner that knew how short most streams are would rather
        // sort all that a long one has than walk along the index.
        let asked = Self.asked(limit)
        let direction: SQL = backwards ? "DESC" : "ASC"
        let chosen: SQL = """
            SELECT e.*, n.name AS stream_name
            FROM ledger.stream n
            CROSS JOIN LATERAL (
                SELECT e.*
                FROM ledger.event e
                WHERE (e.stream_id, e.version) > (n.stream_id, \(after))
                  AND (e.stream_id, e.version) <= (n.stream_id, \(through ?? .max))
                ORDER BY e.stream_id \(direction), e.version \(direction)
                LIMIT \(unsafeRaw: "\(asked)")) e
            WHERE n.name = \(stream.description)
            """
        let page = try await EventRows.page(
            chosen, isNamed: true, order: "e.version \(direction)", limit: asked, connection)
        return (Array(page.events.prefix(limit)), page.isCut || page.events.count >= limit)
    }

    /// The next power of two: each other limit is another statement, to be parsed and kept by every connection.
    private static func asked(_ limit: Int) -> Int {
        limit > 1 << 20 ? limit : 1 << (Int.bitWidth - (max(1, limit) - 1).leadingZeroBitCount)
    }

    /// The page, inside a transaction.
    private func page(in transaction: PostgresConnection) async throws -> StreamPage {
        let found = try await there(transaction)
        for gap in gaps(found) {
            guard let above = try await event(above: gap, transaction) else { continue }
            guard let archive = try await ArchiveTable.first(in: above.position...above.position, transaction) else {
                throw EventStoreFailure.damaged(
                    "events of \(stream) before version \(above.version) are missing, and no archive has them: see "
                        + "`rollbook verify`")
            }
            let first = backwards ? gap.versions.upperBound : gap.versions.lowerBound
            return StreamPage(
                events: Array(found.events.prefix { ($0.version.value < first) != backwards }),
                end: .archived(at: StreamVersion(first), words: archive.words))
        }
        return StreamPage(events: found.events, end: found.isFull ? .limit : .complete)
    }

    /// Versions that a page passes over, and the place of the event that stands above them if the page has it.
    private struct Gap {
        var versions: ClosedRange<Int64>
        var above: Place?
    }

    private typealias Place = (version: Int64, position: Int64)

    /// What a page passes over, in the order of reading; perhaps also what lies above the stream's end.
    private func gaps(_ found: (events: [RecordedEvent], isFull: Bool)) -> [Gap] {
        let ascending = backwards ? found.events.reversed() : found.events
        var next = backwards && found.isFull ? ascending.first?.version.value ?? after + 1 : after + 1
        var gaps: [Gap] = []
        for event in ascending {
            let version = event.version.value
            if version > next {
                gaps.append(Gap(versions: next...version - 1, above: (version, event.position.value)))
            }
            next = version + 1
        }
        if backwards || !found.isFull, let through, next <= through { gaps.append(Gap(versions: next...through)) }
        return backwards ? gaps.reversed() : gaps
    }

    /// The event that stands above a gap; nil if it is none: the stream ends there, or ended there when the page was read.
    private func event(above gap: Gap, _ connection: PostgresConnection) async throws -> Place? {
        if let above = gap.above { return above }
        let row = try await connection.query(
            """
            SELECT e.version, e.position
            FROM ledger.stream n
            CROSS JOIN LATERAL (
                SELECT e.version, e.position
                FROM ledger.event e
                WHERE (e.stream_id, e.version) >= (n.stream_id, \(gap.versions.lowerBound))
                  AND (e.stream_id, e.version) <= (n.stream_id, \(Int64.max))
                ORDER BY e.stream_id, e.version
                LIMIT 1) e
            WHERE n.name = \(stream.description)
            """
        ).first
        guard let row, try row.get(0, as: Int64.self) > gap.versions.lowerBound else { return nil }
        return (try row.get(0), try row.get(1))
    }
}
