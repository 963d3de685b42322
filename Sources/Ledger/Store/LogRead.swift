internal import EventSourcing
internal import Postgres

/// One read of the log, up to what stands in an archive.
struct LogRead {
    var filter: EventFilter
    /// Positions above this.
    var after: Int64
    /// And up to this one, which has an event, in the log or in an archive; nil: up to the log's end.
    var through: Int64?
    let backwards: Bool
    let limit: Int

    /// The page.
    ///
    /// - Throws: `EventStoreFailure.damaged` for events that no archive has. Outside a transaction they may also have come
    ///   back from one after they were looked for.
    func page(_ connection: some PostgresQueryable) async throws -> LogPage {
        let read = try await narrowed(connection)
        guard read.after < read.through ?? .max - 1 else { return LogPage(events: [], end: .complete) }
        return read.filter == EventFilter() ? try await read.whole(connection) : try await read.filtered(connection)
    }

    /// The same read with the filter's times as positions: recorded time never falls.
    private func narrowed(_ connection: some PostgresQueryable) async throws -> LogRead {
        guard filter.from != nil || filter.until != nil else { return self }
        let row = try await connection.query(
            """
            SELECT \(AuditIndex.bound("<", filter.from)), \(AuditIndex.bound("<=", filter.until)),
                   (SELECT last_position FROM ledger.append_batch ORDER BY last_position DESC LIMIT 1)
            """
        ).single()
        let end = min(try row.get(1) ?? .max, try row.get(2, as: Int64.self))
        var read = self
        read.after = max(after, try row.get(0) ?? 0)
        read.through = min(through ?? end, end)
        (read.filter.from, read.filter.until) = (nil, nil)
        return read
    }

    /// A page that shows by itself whether it passes over events: only then archives are asked for.
    private func whole(_ connection: some PostgresQueryable) async throws -> LogPage {
        let found = try await FilteredRead(self, connection).events(limit)
        guard let missing = missing(in: found.events, isFull: found.isFull) else {
            return LogPage(events: found.events, end: found.isFull ? .limit : .complete)
        }
        guard let archive = try await ArchiveTable.first(in: missing...missing, connection) else {
            throw damaged(missing)
        }
        return page(found.events, before: missing, archive)
    }

    /// A page before the first archive in the way: it cannot show whether events that pass are missing.
    private func filtered(_ connection: some PostgresQueryable) async throws -> LogPage {
        let found = try await FilteredRead(self, connection).events(limit)
        var looked = after + 1...(through ?? .max - 1)
        if found.isFull, let last = found.events.last?.position.value {
            looked = backwards ? last...looked.upperBound : looked.lowerBound...last
        }
        let archive = try await ArchiveTable.first(in: looked, backwards: backwards, connection)
        let border = archive.map {
            backwards
                ? min($0.positions.upperBound, looked.upperBound) : max($0.positions.lowerBound, looked.lowerBound)
        }
        if let missing = found.missing, border.map({ isBefore(missing, $0) }) ?? true { throw damaged(missing) }
        guard let archive, let border else {
            return LogPage(events: found.events, end: found.isFull ? .limit : .complete)
        }
        return page(found.events, before: border, archive)
    }

    /// The first position, in the order of reading, that events which are all there is pass over.
    private func missing(in events: [RecordedEvent], isFull: Bool) -> Int64? {
        guard var next = backwards ? through ?? events.first?.position.value : after + 1 else { return nil }
        for event in events {
            guard event.position.value == next else { return next }
            next += backwards ? -1 : 1
        }
        // The last event of the log always stands there.
        guard !isFull, let end = backwards ? after + 1 : through else { return nil }
        return next == end || isBefore(next, end) ? next : nil
    }

    private func isBefore(_ position: Int64, _ other: Int64) -> Bool {
        backwards ? position > other : position < other
    }

    private func page(_ events: [RecordedEvent], before border: Int64, _ archive: ArchivedRange) -> LogPage {
        LogPage(
            events: Array(events.prefix { isBefore($0.position.value, border) }),
            end: .archived(at: GlobalPosition(border), words: archive.words))
    }

    private func damaged(_ position: Int64) -> EventStoreFailure {
        .damaged("the event at position \(position) is missing, and no archive has it: see `rollbook verify`")
    }
}
