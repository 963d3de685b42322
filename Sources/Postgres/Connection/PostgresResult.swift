import CLibpq

/// What a statement gave: its rows, how many it touched, and what the server said beside.
public struct PostgresResult: Sendable, RandomAccessCollection {
    let storage: ResultStorage
    /// The server's word for what was done, such as `INSERT 0 3`.
    public let commandTag: String
    /// Rows inserted, updated, deleted, selected or copied; 0 for other statements.
    public let affectedRows: Int
    /// NOTICE, WARNING and other messages of this statement, in order.
    public let notices: [PostgresNotice]

    /// The warnings among ``notices``.
    public var warnings: [PostgresNotice] { notices.filter(\.isWarning) }

    /// Names and types of the columns.
    public var columns: [PostgresColumn] { storage.columns }

    init(storage: ResultStorage, notices: [PostgresNotice]) {
        self.storage = storage
        self.notices = notices
        commandTag = PQcmdStatus(storage.result).map { String(cString: $0) } ?? ""
        affectedRows = PQcmdTuples(storage.result).flatMap { Int(String(cString: $0)) } ?? 0
    }

    /// 0.
    public var startIndex: Int { 0 }
    /// The number of rows.
    public var endIndex: Int { storage.rowCount }

    /// The row at `index`, in the server's order.
    public subscript(index: Int) -> PostgresRow {
        precondition(indices.contains(index), "row \(index) of \(count)")
        return PostgresRow(storage: storage, row: index)
    }

    /// The only row.
    ///
    /// - Throws: ``PostgresError/Code/decoding`` when there is none or more than one.
    public func single() throws -> PostgresRow {
        guard count == 1 else {
            throw PostgresError(.decoding, "expected exactly one row, got \(count)")
        }
        return self[0]
    }

    /// The only row, or nil when there is none.
    ///
    /// - Throws: ``PostgresError/Code/decoding`` when there is more than one.
    public func optional() throws -> PostgresRow? {
        guard count <= 1 else {
            throw PostgresError(.decoding, "expected at most one row, got \(count)")
        }
        return first
    }
}
