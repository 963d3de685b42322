import CLibpq

/// One libpq result with its column names, shared by the rows that are read from it.
///
/// `@unchecked Sendable` because a `PGresult` is never changed once libpq has handed it out, and reading one from
/// several threads is documented as safe.
final class ResultStorage: @unchecked Sendable {
    let result: OpaquePointer
    let columns: [PostgresColumn]
    private let places: [String: Int]

    init(_ result: OpaquePointer) {
        self.result = result
        let count = Int(PQnfields(result))
        columns = (0..<count).map { index in
            PostgresColumn(
                name: PQfname(result, Int32(index)).map { String(cString: $0) } ?? "",
                type: PostgresType(rawValue: PQftype(result, Int32(index))))
        }
        places = Dictionary(columns.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    deinit { PQclear(result) }

    var rowCount: Int { Int(PQntuples(result)) }

    func place(of name: String) -> Int? { places[name] }

    func field(row: Int, column: Int) -> PostgresField {
        let type = columns[column].type
        guard PQgetisnull(result, Int32(row), Int32(column)) == 0,
            let start = PQgetvalue(result, Int32(row), Int32(column))
        else { return PostgresField(bytes: nil, type: type) }
        let length = Int(PQgetlength(result, Int32(row), Int32(column)))
        return PostgresField(bytes: UnsafeRawBufferPointer(start: start, count: length), type: type)
    }
}

/// Name and type of a result's column.
public struct PostgresColumn: Sendable, Hashable {
    /// The name as the server gave it; not necessarily unique.
    public let name: String
    /// The type; a domain shows as what it is over.
    public let type: PostgresType
}
