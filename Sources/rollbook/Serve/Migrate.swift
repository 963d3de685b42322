import ArgumentParser
import Logging
import Postgres

/// Brings the ledger's schema up to date.
struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Bring the ledger's schema up to date.")

    @OptionGroup var ledger: LedgerOptions

    func run() async throws {
        try await ServeFailure.worded {
            let (configuration, _) = try await ledger.open(Logger(label: "rollbook.migrate"))
            let applied = try await ledger.migrate(configuration)
            for migration in applied { print("applied \(migration.file)") }
            if applied.isEmpty { print("the schema is up to date") }
        }
    }
}

extension ServeFailure {
    /// Runs `body`; what it throws is said on standard error, and the program ends with code 1.
    static func worded(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let code as ExitCode {
            throw code
        } catch {
            StandardError.say("error: \(error)")
            throw ExitCode.failure
        }
    }
}
