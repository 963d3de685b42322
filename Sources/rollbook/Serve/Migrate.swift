import ArgumentParser
import Logging
import Postgres

/// Brings the ledger's schema up to date.
struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Bring the ledger's schema up to date.",
        discussion: """
            Needs a role that may create roles, unless there is nothing to do. `serve` does the same where its login may; \
            every other verb leaves the schema alone, and asks for this. Exit codes: 0 done; 1 refused; 4 a value is \
            wrong; 5 the ledger cannot be reached.
            """)

    @OptionGroup var ledger: LedgerOptions

    func run() async throws {
        try await LedgerVerbFailure.saying {
            let (configuration, _) = try await ledger.open(Logger(label: "rollbook.migrate"))
            let applied = try await ledger.migrate(configuration)
            for migration in applied { print("applied \(migration.file)") }
            if applied.isEmpty { print("the schema is up to date") }
        }
    }
}
