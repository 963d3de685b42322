import CLibpq
import Foundation
import Postgres

/// The baseline of reading: the whole log by binary COPY, in no order, drained by libpq and thrown away.
struct RawDrain: Sendable {
    static let name = "COPY binary of the same rows drained by libpq"

    private let connectionString: String

    init(_ owner: PostgresConfiguration) throws { connectionString = try owner.libpqText() }

    /// Rows a second, for all rows.
    func run() async throws -> Double {
        let text = connectionString
        let outcome: Result<Double, BenchFailure> = await withCheckedContinuation { continuation in
            Thread { continuation.resume(returning: Self.drain(text)) }.start()
        }
        return try outcome.get()
    }

    private static func drain(_ text: String) -> Result<Double, BenchFailure> {
        guard let connection = PQconnectdb(text), PQstatus(connection) == CONNECTION_OK else {
            return .failure(BenchFailure("the baseline cannot connect"))
        }
        defer { PQfinish(connection) }
        let begun = ContinuousClock.now
        // In whichever order the server has them: what is asked for beyond that is not part of the baseline.
        let sql = "COPY (SELECT * FROM ledger.event) TO STDOUT (FORMAT binary)"
        let answer = PQexec(connection, sql)
        defer { PQclear(answer) }
        guard PQresultStatus(answer) == PGRES_COPY_OUT else {
            return .failure(BenchFailure("the baseline failed: \(String(cString: PQerrorMessage(connection)))"))
        }
        var rows = 0
        var row: UnsafeMutablePointer<CChar>?
        var length = PQgetCopyData(connection, &row, 0)
        while length > 0 {
            rows += 1
            PQfreemem(row)
            length = PQgetCopyData(connection, &row, 0)
        }
        guard length == -1, let end = PQgetResult(connection) else {
            return .failure(BenchFailure("the baseline broke off: \(String(cString: PQerrorMessage(connection)))"))
        }
        defer { PQclear(end) }
        guard PQresultStatus(end) == PGRES_COMMAND_OK else {
            return .failure(BenchFailure("the baseline failed: \(String(cString: PQerrorMessage(connection)))"))
        }
        // The last one is the trailer.
        return .success(Double(rows - 1) / (ContinuousClock.now - begun).seconds)
    }
}
