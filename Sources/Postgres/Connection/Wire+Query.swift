import CLibpq

extension Wire {
    /// Sends one statement with Bind, Execute and Sync in one go and gives its result.
    func query(_ sql: SQL, _ options: StatementOptions, id: UInt64) throws -> PostgresResult {
        let (text, values) = sql.rendered
        try check(values, text)
        return try statement(id, options, text: text) { patience in
            try deallocateStale(&patience)
            let key = PreparedStatements.Key(text: text, types: values.map(\.type))
            switch options.isPrepared ? prepared.plan(for: key) : .sendOnce {
            case .sendOnce:
                try send(text, values)
                return try finish(&patience, text)
            case .prepare(let name):
                try prepare(name, text, values)
                _ = try finish(&patience, text)
                prepared.prepared(key)
                try send(prepared: name, text, values)
                return try finishPrepared(&patience, key, values)
            case .use(let name):
                try send(prepared: name, text, values)
                return try finishPrepared(&patience, key, values)
            }
        }
    }

    /// Sends several statements without parameters as one simple query; they are one transaction unless they say otherwise.
    func script(_ text: String, _ options: StatementOptions, id: UInt64) throws -> PostgresResult {
        guard !text.utf8.contains(0) else {
            throw PostgresError(.invalidParameter, "the script contains U+0000, which PostgreSQL cannot hold")
        }
        return try statement(id, options, text: text) { patience in
            guard PQsendQuery(connection, text) == 1 else { throw lost(text, outcomeUnknown: false) }
            return try finish(&patience, text)
        }
    }

    /// Refuses values that would not arrive as they are.
    func check(_ values: [PostgresValue], _ text: String) throws {
        guard values.count <= 65535 else {
            throw PostgresError(
                .invalidParameter, "a statement takes at most 65535 values, this has \(values.count); bind arrays",
                statement: text)
        }
        guard !text.utf8.contains(0) else {
            throw PostgresError(.invalidParameter, "the statement contains U+0000, which PostgreSQL cannot hold")
        }
        for (index, value) in values.enumerated() {
            let isText = value.format == .text || value.type == .textArray || value.type == .jsonb
            if isText, let bytes = value.bytes, value.format == .text ? bytes.contains(0) : value.holdsNulText {
                throw PostgresError(
                    .invalidParameter,
                    "parameter $\(index + 1) contains U+0000, which PostgreSQL text cannot hold; replace it or bind bytes",
                    statement: text)
            }
        }
    }

    func send(_ text: String, _ values: [PostgresValue]) throws {
        let sent = withParameters(values) { types, pointers, lengths, formats in
            PQsendQueryParams(connection, text, Int32(values.count), types, pointers, lengths, formats, 1)
        }
        guard sent == 1 else { throw lost(text, outcomeUnknown: true) }
    }

    func prepare(_ name: String, _ text: String, _ values: [PostgresValue]) throws {
        let types = values.map(\.type.rawValue)
        guard PQsendPrepare(connection, name, text, Int32(types.count), types) == 1 else {
            throw lost(text, outcomeUnknown: true)
        }
    }

    func send(prepared name: String, _ text: String, _ values: [PostgresValue]) throws {
        let sent = withParameters(values) { _, pointers, lengths, formats in
            PQsendQueryPrepared(connection, name, Int32(values.count), pointers, lengths, formats, 1)
        }
        guard sent == 1 else { throw lost(text, outcomeUnknown: true) }
    }

    /// Reads all results of one statement and gives the last, or throws the first failure.
    func finish(_ patience: inout Patience, _ text: String) throws -> PostgresResult {
        var last: ResultStorage?
        var failed: PostgresError?
        while let result = try nextResult(&patience, text: text) {
            switch PQresultStatus(result) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
                last = ResultStorage(result)
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                PQclear(result)
                abandoned = "a COPY was sent as a plain statement"
                throw PostgresError(
                    .invalidUse, "COPY needs copyIn or copyOut; the connection was given up", statement: text)
            default:
                failed = failed ?? failure(result, text: text)
                PQclear(result)
            }
        }
        let said = notices.take()
        if var failed {
            failed.notices = said
            throw failed
        }
        guard let last else { throw lost(text, outcomeUnknown: true) }
        if let undurable = undurability(said, text) { throw undurable }
        return PostgresResult(storage: last, notices: said)
    }

    /// Nothing is acknowledged before it is durable: a cancelled wait for the replica is an error.
    func undurability(_ notices: [PostgresNotice], _ text: String) -> PostgresError? {
        guard let warning = notices.first(where: \.saysReplicationWaitCancelled) else { return nil }
        var error = PostgresError(
            .durabilityUnknown, warning.message, sqlState: warning.sqlState, statement: text, retryCanHelp: true,
            outcomeUnknown: true)
        error.detail = warning.detail
        error.notices = notices
        return error
    }

    /// As ``finish(_:_:)``; a plan that the server lost or refuses is made anew once, where nothing can have happened.
    private func finishPrepared(
        _ patience: inout Patience, _ key: PreparedStatements.Key, _ values: [PostgresValue]
    ) throws -> PostgresResult {
        do {
            return try finish(&patience, key.text)
        } catch let error as PostgresError
            where error.sqlState == .invalidSQLStatementName
            || (error.sqlState == .featureNotSupported && error.message.contains("cached plan"))
        {
            prepared.forget(key)
            guard isIdle else {
                var error = error
                error.retryCanHelp = true
                throw error
            }
            try send(key.text, values)
            return try finish(&patience, key.text)
        }
    }

    private func deallocateStale(_ patience: inout Patience) throws {
        while isIdle, let name = prepared.takeStale() {
            try send("DEALLOCATE \(name)", [])
            do {
                _ = try finish(&patience, "DEALLOCATE \(name)")
            } catch let error as PostgresError where error.sqlState == .invalidSQLStatementName {
                continue  // Gone already, by DISCARD ALL: which is what was wanted.
            }
        }
    }

    private func withParameters<Value>(
        _ values: [PostgresValue],
        _ body: ([UInt32], [UnsafePointer<CChar>?], [Int32], [Int32]) -> Value
    ) -> Value {
        // One block of memory for all values, each followed by a zero byte as libpq wants for text.
        let total = values.reduce(0) { $0 + ($1.bytes?.count ?? 0) + 1 }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: max(total, 1)) { block in
            var pointers: [UnsafePointer<CChar>?] = []
            pointers.reserveCapacity(values.count)
            var offset = 0
            for value in values {
                guard let bytes = value.bytes else {
                    pointers.append(nil)
                    continue
                }
                let start = UnsafeMutableRawPointer(block.baseAddress.unsafelyUnwrapped + offset)
                bytes.withUnsafeBytes { source in
                    if let base = source.baseAddress { start.copyMemory(from: base, byteCount: source.count) }
                }
                block[offset + bytes.count] = 0
                pointers.append(UnsafePointer(block.baseAddress.unsafelyUnwrapped + offset))
                offset += bytes.count + 1
            }
            return body(
                values.map(\.type.rawValue), pointers, values.map { Int32(clamping: $0.bytes?.count ?? 0) },
                values.map(\.format.rawValue))
        }
    }
}

extension PostgresValue {
    /// Whether a text array or a JSON document in binary form holds U+0000.
    fileprivate var holdsNulText: Bool {
        guard let bytes else { return false }
        if type == .jsonb { return bytes.contains(0) }
        return bytes.withUnsafeBytes { buffer in
            let field = PostgresField(bytes: buffer, type: type)
            let elements = try? ArrayForm.decode(field) { $0.bytes?.contains(0) ?? false }
            return elements?.contains(true) ?? false
        }
    }
}
