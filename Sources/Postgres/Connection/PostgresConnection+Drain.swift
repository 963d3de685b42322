import CLibpq

extension PostgresConnection {
    /// Runs `COPY … TO STDOUT` and gives all its data at once, in the format that the statement names.
    ///
    /// For data that is bounded by its statement and is to be had as fast as the server hands it out: the connection's
    /// thread reads it to the end without coming back in between.
    ///
    /// - Returns: The data with header and trailer; nil if it is more than `limit` bytes, and the COPY was broken off
    ///   (which ends a transaction that it was in).
    /// - Throws: ``PostgresError`` as for a statement.
    public nonisolated func drain(
        _ sql: SQL, atMost limit: Int, reserving capacity: Int = 0, _ options: StatementOptions = .standard
    ) async throws -> [UInt8]? {
        do {
            let bytes = try await readCopy(sql, limit, capacity, options)
            if bytes == nil { try await leaveCopy(sql) }
            return bytes
        } catch {
            try await leaveCopy(sql)
            throw error
        }
    }

    private func readCopy(
        _ sql: SQL, _ limit: Int, _ capacity: Int, _ options: StatementOptions
    ) async throws -> [UInt8]? {
        let id = interrupter.mint()
        return try await interruptible(id, options) { wire in
            try wire.beginCopy(sql, options, id: id, into: false)
            return try wire.readCopy(sql.rendered.text, options, id: id, limit: limit, capacity: capacity)
        }
    }

    /// Gets the connection out of a COPY that was not read to its end.
    private func leaveCopy(_ sql: SQL) throws {
        guard wire.isAlive, wire.isCopyingOut else { return }
        try wire.breakOffCopy(sql.rendered.text, id: interrupter.mint())
    }
}

extension Wire {
    /// The rest of a COPY out; nil if there is more than `limit`, and then the COPY still runs.
    func readCopy(_ text: String, _ options: StatementOptions, id: UInt64, limit: Int, capacity: Int) throws
        -> [UInt8]?
    {
        try statement(id, options, text: text) { patience in
            var bytes: [UInt8] = []
            bytes.reserveCapacity(min(capacity, limit))
            while true {
                var row: UnsafeMutablePointer<CChar>?
                let length = PQgetCopyData(connection, &row, 1)
                if length > 0, let row {
                    bytes.append(contentsOf: UnsafeRawBufferPointer(start: row, count: Int(length)))
                    PQfreemem(row)
                    if bytes.count > limit { return nil }
                } else if length == 0 {
                    guard PQstatus(connection) == CONNECTION_OK else { throw lost(text, outcomeUnknown: false) }
                    try waitForServer(&patience, text: text)
                } else {
                    _ = try finish(&patience, text)
                    return bytes
                }
            }
        }
    }
}
