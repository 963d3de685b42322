internal import Postgres

/// The names that events refer to by number, as bytes.
struct NameTables: Sendable {
    struct Actor: Sendable, Hashable {
        var subject: [UInt8]
        var issuer: [UInt8]
        var method: [UInt8]
        var onBehalfOf: [UInt8]?
    }

    var streams: [Int64: [UInt8]] = [:]
    var types: [Int32: [UInt8]] = [:]
    var actors: [Int32: Actor] = [:]

    /// Reads all of them.
    static func read(_ connection: PostgresConnection) async throws -> NameTables {
        var tables = NameTables()
        try await connection.copyOut("COPY (SELECT stream_id, name FROM ledger.stream) TO STDOUT (FORMAT binary)") {
            var copy = BinaryCopy(columns: 2)
            for try await chunk in $0 { try copy.read(chunk) { tables.streams[try $0.int64(0)] = Array($0[1]) } }
        }
        try await connection.copyOut("COPY (SELECT type_id, name FROM ledger.event_type) TO STDOUT (FORMAT binary)") {
            var copy = BinaryCopy(columns: 2)
            for try await chunk in $0 { try copy.read(chunk) { tables.types[try $0.int32(0)] = Array($0[1]) } }
        }
        try await connection.copyOut(
            "COPY (SELECT actor_id, subject, issuer, method, on_behalf_of FROM ledger.actor) TO STDOUT (FORMAT binary)"
        ) {
            var copy = BinaryCopy(columns: 5)
            for try await chunk in $0 {
                try copy.read(chunk) { row in
                    tables.actors[try row.int32(0)] = Actor(
                        subject: Array(row[1]), issuer: Array(row[2]), method: Array(row[3]),
                        onBehalfOf: row.isNull(4) ? nil : Array(row[4]))
                }
            }
        }
        return tables
    }
}
