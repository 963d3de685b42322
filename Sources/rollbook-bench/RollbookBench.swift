import ArgumentParser
import Foundation
import Postgres

/// Measures the ledger against what PostgreSQL itself can do, in the same run, on the same server and the same rows.
@main
struct RollbookBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollbook-bench",
        abstract: "Measure the ledger against PostgreSQL itself, as ratios inside one run.",
        discussion: """
            Each case alternates with its baseline over several rounds and prints one JSON line; progress goes to \
            standard error. Scenarios: \(Scenario.allCases.map(\.rawValue).joined(separator: ", ")).

            The database that --database names is filled with events: give one that is of no other use.
            """)

    @Argument(help: "The scenarios; all if none is named.")
    var scenarios: [Scenario] = []

    @Option(help: "An empty database to measure on: any libpq connection string, of a role that may create roles.")
    var database: String?

    @Flag(help: "Start a private PostgreSQL in a directory of its own, and remove it afterwards (the default).")
    var embedded = false

    @Option(help: "Where the private PostgreSQL lives; a directory below the system's temporary one if not given.")
    var data: String?

    @Option(help: "How many appends are under way at a time; may be repeated.")
    var callers: [Int] = []

    @Option(help: "How often case and baseline alternate.")
    var rounds: Int?

    @Option(help: "How long one measurement of a rate lasts, in seconds.")
    var seconds: Double?

    @Option(help: "How many events the scenarios that read have to read.")
    var events: Int?

    @Flag(help: "Each scenario in seconds: for a look, not for figures.")
    var quick = false

    @Option(name: .customLong("migrations"), help: "The folder of the SQL migrations.")
    var migrations = "migrations"

    func validate() throws {
        if embedded, database != nil { throw ValidationError("--embedded and --database exclude each other") }
        for count in callers where !(1...1024).contains(count) {
            throw ValidationError("--callers is \(count): give 1 to 1024")
        }
        if let rounds, !(1...100).contains(rounds) { throw ValidationError("--rounds is \(rounds): give 1 to 100") }
        if let seconds, !(0.05...600).contains(seconds) {
            throw ValidationError("--seconds is \(seconds): give 0.05 to 600")
        }
        if let events, !(1000...100_000_000).contains(events) {
            throw ValidationError("--events is \(events): give 1000 to 100000000")
        }
    }

    func run() async throws {
        let plan = BenchPlan(
            callers: callers.isEmpty ? (quick ? [1, 64] : [1, 16, 64, 256]) : callers,
            rounds: rounds ?? (quick ? 2 : 5), duration: .seconds(seconds ?? (quick ? 0.3 : 1)),
            events: events ?? (quick ? 20_000 : 1_000_000))
        let wanted = scenarios.isEmpty ? Scenario.allCases : scenarios
        try await BenchBed.with(database: database, directory: data, migrations: migrations) { bed in
            for scenario in wanted {
                Progress.say("\(scenario.rawValue)")
                try await scenario.run(bed, plan)
            }
        }
    }
}

/// What is measured; each has a file of its own.
enum Scenario: String, CaseIterable, ExpressibleByArgument {
    case append

    func run(_ bed: BenchBed, _ plan: BenchPlan) async throws {
        switch self {
        case .append: try await AppendScenario(bed: bed, plan: plan).run()
        }
    }
}

/// How long and how often.
struct BenchPlan: Sendable {
    /// How many appends are under way at a time, one case for each.
    var callers: [Int]
    /// How often case and baseline alternate.
    var rounds: Int
    /// How long one measurement of a rate lasts.
    var duration: Duration
    /// How many events there are to read.
    var events: Int
}
