/// One row of a result; values are read by column name or place.
public struct PostgresRow: Sendable {
    let storage: ResultStorage
    let row: Int

    /// Names and types of the columns.
    public var columns: [PostgresColumn] { storage.columns }

    /// The value of the first column of that name.
    ///
    /// - Throws: ``PostgresError/Code/decoding``, naming column, type and value, when there is no such column or it
    ///   holds something else; NULL is something else unless an optional is asked for.
    public func get<Value: PostgresDecodable>(_ name: String, as type: Value.Type = Value.self) throws -> Value {
        guard let column = storage.place(of: name) else {
            let known = columns.map(\.name).joined(separator: ", ")
            var error = PostgresError(.decoding, "the result has no column \"\(name)\"; it has: \(known)")
            error.column = name
            throw error
        }
        return try get(column, as: type)
    }

    /// The value of the column at that place, from 0.
    ///
    /// - Throws: ``PostgresError/Code/decoding``, as ``get(_:as:)`` by name does.
    public func get<Value: PostgresDecodable>(_ column: Int, as type: Value.Type = Value.self) throws -> Value {
        guard columns.indices.contains(column) else {
            throw PostgresError(.decoding, "the result has no column \(column); it has \(columns.count)")
        }
        let field = storage.field(row: row, column: column)
        do {
            return try Value.decode(field)
        } catch let mismatch as PostgresField.Mismatch {
            let reason = mismatch.reason.map { ": \($0)" } ?? ""
            var error = PostgresError(
                .decoding,
                "column \"\(columns[column].name)\" of type \(field.type) with value \(field.preview) "
                    + "cannot be read as \(mismatch.wanted)\(reason)")
            error.column = columns[column].name
            throw error
        }
    }

    /// Whether the first column of that name is NULL; a column that does not exist counts as NULL.
    public func isNull(_ name: String) -> Bool {
        storage.place(of: name).map { storage.field(row: row, column: $0).isNull } ?? true
    }
}
