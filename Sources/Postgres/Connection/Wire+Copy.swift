import CLibpq

extension Wire {
    /// Starts a COPY and checks that the server agrees to the direction.
    func beginCopy(_ sql: SQL, _ options: StatementOptions, id: UInt64, into: Bool) throws {
        let (text, values) = sql.rendered
        guard values.isEmpty else {
            throw PostgresError(
                .invalidParameter, "COPY takes no bound values; filter on the client or copy from a table",
                statement: text)
        }
        try statement(id, options, text: text) { patience in
            try send(text, [])
            guard let result = try nextResult(&patience, text: text) else { throw lost(text, outcomeUnknown: true) }
            let status = PQresultStatus(result)
            if status == (into ? PGRES_COPY_IN : PGRES_COPY_OUT) {
                PQclear(result)
                return
            }
            if status == PGRES_FATAL_ERROR {
                let error = failure(result, text: text)
                PQclear(result)
                while let more = try nextResult(&patience, text: text) { PQclear(more) }
                throw error
            }
            PQclear(result)
            if status == PGRES_COPY_IN || status == PGRES_COPY_OUT {
                abandoned = "a COPY went the other way"
            } else {
                while let more = try nextResult(&patience, text: text) { PQclear(more) }
            }
            throw PostgresError(
                .invalidUse, into ? "the statement is no COPY … FROM STDIN" : "the statement is no COPY … TO STDOUT",
                statement: text)
        }
    }

    /// Hands over bytes of a COPY, waiting until most of them are on their way.
    func putCopy(_ bytes: some Sequence<UInt8>, _ text: String, id: UInt64) throws {
        guard isAlive else { throw lost(text, outcomeUnknown: true) }
        interrupter.begin(id)
        defer { if !interrupter.end() { abandoned = "a cancel request did not come back" } }
        // The caller looks for cancellation after every chunk and refuses the rest; here it must only not be waited out.
        if Task.isCancelled { return }
        var patience = Patience(statement: id, deadline: nil, isCancellable: true)
        var put: Int32 = -1
        let handled: Void? = bytes.withContiguousStorageIfAvailable { put = putCopy($0) }
        if handled == nil { Array(bytes).withUnsafeBufferPointer { put = putCopy($0) } }
        guard put == 1 else { throw lost(text, outcomeUnknown: true) }
        while PQflush(connection) == 1, interrupter.reason == nil {
            try waitForServer(&patience, text: text, untilSent: true)
        }
        guard PQstatus(connection) == CONNECTION_OK else { throw lost(text, outcomeUnknown: true) }
    }

    private func putCopy(_ buffer: UnsafeBufferPointer<UInt8>) -> Int32 {
        guard let start = buffer.baseAddress, buffer.count > 0 else { return 1 }
        // libpq queues in memory what the socket does not take, in messages of at most 64 KiB.
        var offset = 0
        while offset < buffer.count {
            let size = min(65536, buffer.count - offset)
            let put = UnsafeRawPointer(start + offset).withMemoryRebound(to: CChar.self, capacity: size) {
                PQputCopyData(connection, $0, Int32(size))
            }
            guard put == 1 else { return put == 0 ? -1 : put }
            offset += size
        }
        return 1
    }

    /// Ends a COPY in: commits the data, or refuses it with a reason.
    func endCopy(refusing reason: String?, _ text: String, _ options: StatementOptions, id: UInt64) throws
        -> PostgresResult
    {
        let running = reason == nil ? options : .uncancellable
        occupation = nil
        return try statement(id, running, text: text) { patience in
            guard PQputCopyEnd(connection, reason) == 1 else { throw lost(text, outcomeUnknown: true) }
            return try finish(&patience, text)
        }
    }

    /// What a COPY out gave: bytes, or its end.
    enum CopiedOut {
        case bytes([UInt8])
        case end(PostgresResult)
    }

    /// The next rows of a COPY out: as many as have arrived, up to about `limit` bytes, at least one.
    func takeCopy(_ text: String, _ options: StatementOptions, id: UInt64, limit: Int) throws -> CopiedOut {
        occupation = nil
        return try statement(id, options, text: text) { patience in
            var bytes: [UInt8] = []
            while true {
                var row: UnsafeMutablePointer<CChar>?
                let length = PQgetCopyData(connection, &row, 1)
                if length > 0, let row {
                    if bytes.isEmpty { bytes.reserveCapacity(limit + Int(length)) }
                    bytes.append(contentsOf: UnsafeRawBufferPointer(start: row, count: Int(length)))
                    PQfreemem(row)
                    if bytes.count >= limit { return .bytes(bytes) }
                } else if length == 0 {
                    if !bytes.isEmpty { return .bytes(bytes) }
                    guard PQstatus(connection) == CONNECTION_OK else { throw lost(text, outcomeUnknown: false) }
                    try waitForServer(&patience, text: text)
                } else {
                    // The end, or an error: rows that came before it are handed over first.
                    if !bytes.isEmpty { return .bytes(bytes) }
                    return .end(try finish(&patience, text))
                }
            }
        }
    }
}

extension Wire {
    /// Whether libpq still expects data of a COPY out.
    var isCopyingOut: Bool { PQtransactionStatus(connection) == PQTRANS_ACTIVE }

    /// Cancels a COPY out and reads what is left of it.
    func breakOffCopy(_ text: String, id: UInt64) throws {
        interrupter.begin(id)
        defer { if !interrupter.end() { abandoned = "a cancel request did not come back" } }
        var patience = Patience(
            statement: id, deadline: .now + .seconds(30), isCancellable: false, giveUp: .now + .seconds(30))
        interrupter.cancel(id, .cancelled)
        while true {
            var row: UnsafeMutablePointer<CChar>?
            let length = PQgetCopyData(connection, &row, 1)
            if length > 0 {
                PQfreemem(row)
            } else if length == 0, PQstatus(connection) == CONNECTION_OK {
                try waitForServer(&patience, text: text)
            } else {
                break
            }
        }
        while let result = try nextResult(&patience, text: text) { PQclear(result) }
        _ = notices.take()
    }
}
