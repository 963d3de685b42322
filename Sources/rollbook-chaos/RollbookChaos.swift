import ArgumentParser
import Foundation
import Logging
import Postgres

/// Instances of the ledger that `deploy/soak` starts, stops and kills, to see what holds when they are.
@main
struct RollbookChaos: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollbook-chaos",
        abstract: "Append to a ledger, or follow it, and write down what was seen; made to be killed.",
        discussion: """
            Each runs until it is ended, however that is. What it claims stands in a file of its own, one line a fact; \
            deploy/soak holds those files against the log.
            """,
        subcommands: [WriterCommand.self, FollowerCommand.self])
}

/// What writers and followers have in common.
struct ChaosOptions: ParsableArguments {
    @Option(help: "The database: a libpq connection string of a role that may do everything.")
    var database: String

    @Option(help: "The instance's name.")
    var name: String

    @Option(help: "The file that it writes down its facts in; what is there is kept.")
    var journal: String

    /// Who may do everything; a store on it works in the service's role.
    var owner: PostgresConfiguration { PostgresConfiguration(database, applicationName: "chaos-\(name)") }

    /// Says on standard error what an operator would act on.
    var logger: Logger {
        var logger = Logger(label: name) { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .warning
        return logger
    }
}
