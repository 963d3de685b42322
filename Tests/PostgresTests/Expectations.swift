import Postgres
import TestKit
import Testing

/// Expects an error of the server with that SQLSTATE.
func expect(
    _ state: SQLState, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
) async {
    do {
        try await body()
        Issue.record("no error was thrown", sourceLocation: sourceLocation)
    } catch {
        #expect((error as? PostgresError)?.sqlState == state, sourceLocation: sourceLocation)
    }
}

/// Expects that something outside this process comes true before long.
func expectEventually(
    sourceLocation: SourceLocation = #_sourceLocation, _ condition: () async throws -> Bool
) async throws {
    let came = try await eventually(condition)
    #expect(came, sourceLocation: sourceLocation)
}
