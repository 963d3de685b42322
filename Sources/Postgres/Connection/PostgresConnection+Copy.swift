extension PostgresConnection {
    /// Sends what `source` yields as the data of `COPY … FROM STDIN`, in the format that the statement names.
    ///
    /// Chunks may end anywhere. The next chunk is asked for when the last one is on its way to the server. When `source`
    /// throws, or the task is cancelled before the data's end, the COPY is refused as a whole, also when `options` say
    /// uncancellable: a source that is cut short by cancellation must not count as complete.
    ///
    /// - Returns: The result, whose ``PostgresResult/affectedRows`` counts the rows.
    /// - Throws: What `source` throws; ``PostgresError`` as for a statement.
    @discardableResult
    public nonisolated func copyIn<Source: AsyncSequence>(
        _ sql: SQL, from source: Source, _ options: StatementOptions = .standard
    ) async throws -> PostgresResult where Source.Element: Sequence<UInt8> & Sendable {
        try await beginCopyIn(sql, options)
        do {
            for try await chunk in source {
                if Task.isCancelled { break }
                try await putCopy(chunk, sql)
            }
            if Task.isCancelled {
                throw PostgresError(.cancelled, "the task was cancelled during COPY", statement: sql.rendered.text)
            }
        } catch {
            try await refuseCopy(sql, error)
            throw error
        }
        return try await endCopy(sql, options)
    }

    /// Sends `bytes` as the data of `COPY … FROM STDIN`.
    ///
    /// - Throws: As ``copyIn(_:from:_:)`` from a sequence.
    @discardableResult
    public nonisolated func copyIn(
        _ sql: SQL, bytes: [UInt8], _ options: StatementOptions = .standard
    ) async throws -> PostgresResult {
        let once = AsyncStream<[UInt8]> { stream in
            stream.yield(bytes)
            stream.finish()
        }
        return try await copyIn(sql, from: once, options)
    }

    /// Runs `COPY … TO STDOUT` and gives its data, in the format that the statement names, to `body`.
    ///
    /// The chunks end at row boundaries (in the binary format, header and trailer are chunks' parts too) and are fetched
    /// when asked for, so a slow reader slows the server. When `body` leaves early, the COPY is cancelled, and with it the
    /// transaction that it is in.
    ///
    /// - Throws: What `body` throws; ``PostgresError`` as for a statement, also while iterating.
    public nonisolated func copyOut<Value>(
        _ sql: SQL, _ options: StatementOptions = .standard, _ body: (CopyChunks) async throws -> Value
    ) async throws -> Value {
        let id = interrupter.mint()
        try await beginCopyOut(sql, options, id)
        do {
            let value = try await body(CopyChunks(connection: self, sql: sql, options: options))
            await endCopyOut(sql)
            return value
        } catch {
            await endCopyOut(sql)
            throw error
        }
    }

    private func beginCopyIn(_ sql: SQL, _ options: StatementOptions) async throws {
        let id = interrupter.mint()
        try await interruptible(id, options) { wire in
            try wire.beginCopy(sql, options, id: id, into: true)
            wire.occupation = "COPY in"
        }
    }

    private func putCopy(_ bytes: some Sequence<UInt8> & Sendable, _ sql: SQL) async throws {
        let id = interrupter.mint()
        try await interruptible(id, .standard) { try $0.putCopy(bytes, sql.rendered.text, id: id) }
    }

    private func endCopy(_ sql: SQL, _ options: StatementOptions) async throws -> PostgresResult {
        let id = interrupter.mint()
        return try await interruptible(id, options) { wire in
            try wire.endCopy(refusing: nil, sql.rendered.text, options, id: id)
        }
    }

    /// Tells the server to forget the data; its answer is an error by design.
    private func refuseCopy(_ sql: SQL, _ reason: any Error) throws {
        guard wire.isAlive else { return wire.occupation = nil }
        do {
            let words = String("\(reason)".prefix(200).filter { $0 != "\0" })
            _ = try wire.endCopy(refusing: words, sql.rendered.text, .uncancellable, id: interrupter.mint())
        } catch let error as PostgresError where error.sqlState == .queryCanceled || error.code == .connectionLost {
            return
        }
    }

    private func beginCopyOut(_ sql: SQL, _ options: StatementOptions, _ id: UInt64) async throws {
        try await interruptible(id, options) { wire in
            try wire.beginCopy(sql, options, id: id, into: false)
            wire.occupation = CopyChunks.occupation
        }
    }

    fileprivate func takeCopy(_ sql: SQL, _ options: StatementOptions) async throws -> [UInt8]? {
        guard wire.occupation == CopyChunks.occupation else { return nil }
        let id = interrupter.mint()
        return try await interruptible(id, options) { wire in
            switch try wire.takeCopy(sql.rendered.text, options, id: id, limit: CopyChunks.size) {
            case .bytes(let bytes):
                wire.occupation = CopyChunks.occupation
                return bytes
            case .end: return nil
            }
        }
    }

    /// Gets the connection out of a COPY that was not read to its end.
    private func endCopyOut(_ sql: SQL) {
        guard wire.occupation == CopyChunks.occupation || wire.isCopyingOut else { return }
        wire.occupation = nil
        guard wire.isAlive else { return }
        let id = interrupter.mint()
        do {
            try wire.breakOffCopy(sql.rendered.text, id: id)
        } catch {
            // The data is of no interest any more; a connection that did not get out of it is thrown away.
            wire.abandoned = wire.abandoned ?? "a COPY could not be broken off: \(error)"
        }
    }
}

/// The data of a COPY out, a chunk at a time.
public struct CopyChunks: AsyncSequence {
    static let occupation = "COPY out"
    static let size = 64 << 10

    let connection: PostgresConnection
    let sql: SQL
    let options: StatementOptions

    /// Fetches chunks.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let chunks: CopyChunks

        /// Whole rows, about 64 KiB unless a row is larger; nil at the end.
        public mutating func next() async throws -> [UInt8]? {
            try await chunks.connection.takeCopy(chunks.sql, chunks.options)
        }
    }

    /// Goes on where the last iterator stopped.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(chunks: self) }
}
