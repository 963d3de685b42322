import EventSourcing
import Foundation
import Ledger
import Postgres

/// The databases of one run: an empty one for each scenario that writes, one full of events for all that read.
///
/// Used by one task at a time; all of them are dropped at the end.
final class BenchDatabases {
    private let server: PostgresConfiguration
    private let migrations: String
    private var names: [String] = []
    private var full: BenchBed?
    private static let plain = StatementOptions(isCancellable: false, isPrepared: false)

    init(_ server: PostgresConfiguration, migrations: String) {
        self.server = server
        self.migrations = migrations
    }

    /// A new one, with the ledger's schema in place.
    func empty() async throws -> BenchBed {
        let name = "rollbook_bench_\(UUID().uuidString.prefix(8).lowercased())"
        let connection = try await PostgresConnection.connect(server)
        do {
            try await connection.query("CREATE DATABASE \(identifier: name)", Self.plain)
        } catch {
            await connection.close()
            throw error
        }
        await connection.close()
        names.append(name)
        return try await BenchBed.prepared(server.database(name), migrations)
    }

    /// The one with `events` events of rollouts that live through releases; filled when it is first asked for.
    func filled(_ events: Int) async throws -> BenchBed {
        if let full { return full }
        var bed = try await empty()
        let begun = ContinuousClock.now
        bed.start = try await BenchFill(bed: bed).run(events)
        Progress.say("  \(events) events written in \(Int((ContinuousClock.now - begun).seconds)) s")
        full = bed
        return bed
    }

    /// Removes everything.
    func drop() async throws {
        let connection = try await PostgresConnection.connect(server)
        for name in names {
            try await connection.query("DROP DATABASE \(identifier: name) WITH (FORCE)", Self.plain)
        }
        names = []
        await connection.close()
    }
}
