import ArgumentParser
import Foundation
import Postgres
import UnixSignals

/// Measures the ledger against what PostgreSQL itself can do, in the same run, on the same server and the same rows.
@main
struct RollbookBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollbook-bench",
        abstract: "Measure the ledger against PostgreSQL itself, as ratios inside one run.",
        discussion: """
            Each case alternates with its baseline over several rounds and prints one JSON line; progress goes to \
            standard error. Scenarios: \(Scenario.allCases.map(\.rawValue).joined(separator: ", ")).

            Databases named rollbook_bench_… are made on the server for it, and dropped at the end: an empty one for each \
            scenario that writes, one with --events events for all that read.
            """)

    @Argument(help: "The scenarios; all if none is named.")
    var scenarios: [Scenario] = []

    @Option(help: "A server to measure on: any libpq connection string, of a superuser.")
    var database: String?

    @Flag(help: "Start a private PostgreSQL in a directory of its own, and remove it afterwards (the default).")
    var embedded = false

    @Option(help: "Where the private PostgreSQL lives; a directory below the system's temporary one if not given.")
    var data: String?

    @Option(help: "How many appends are under way at a time; may be repeated.")
    var callers: [Int] = []

    @Option(help: "How often case and baseline alternate: 5 times, and \(Scenario.steadyRounds) for append and follow.")
    var rounds: Int?

    @Option(help: "How long one measurement of a rate lasts, in seconds.")
    var seconds: Double?

    @Option(help: "How many events the scenarios that read have to read.")
    var events: Int?

    @Flag(help: "Each scenario in seconds: for a look, not for figures.")
    var quick = false

    @Option(name: .customLong("migrations"), help: "The folder of the SQL migrations.")
    var migrations = "migrations"

    static func main() async {
        MemoryArenas.bound()
        await main(nil)
    }

    private var wanted: [Scenario] { scenarios.isEmpty ? Scenario.allCases : scenarios }

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
        for (option, isGiven, uses) in [
            ("--callers", !callers.isEmpty, \Scenario.takesCallers), ("--rounds", rounds != nil, \.takesRounds),
            ("--seconds", seconds != nil, \.takesSeconds), ("--events", events != nil, \.takesEvents),
        ] where isGiven {
            let users = Scenario.allCases.filter { $0[keyPath: uses] }
            if Set(wanted).isDisjoint(with: users) {
                throw ValidationError(
                    "\(option) does nothing for \(wanted.map(\.rawValue).joined(separator: ", ")): leave it out, or name "
                        + users.map(\.rawValue).joined(separator: ", "))
            }
        }
    }

    func run() async throws {
        let plans = wanted.map { ($0, plan(for: $0)) }
        let (database, data, migrations) = (database, data, migrations)
        try await Self.untilSignal {
            try await BenchBed.with(database: database, directory: data, migrations: migrations) { databases in
                for (scenario, plan) in plans {
                    Progress.say("\(scenario.rawValue)")
                    let bed = try await scenario.writes ? databases.empty() : databases.filled(plan.events)
                    try await scenario.run(bed, plan)
                }
            }
        }
    }

    private func plan(for scenario: Scenario) -> BenchPlan {
        BenchPlan(
            callers: callers.isEmpty ? (quick ? [1, 64] : [1, 16, 64, 256]) : callers,
            rounds: rounds ?? (quick ? 2 : scenario.rounds), duration: .seconds(seconds ?? (quick ? 0.3 : 1)),
            events: events ?? (quick ? 20_000 : 1_000_000), questions: quick ? 20 : 300,
            streamLength: quick ? 1000 : 10_000, moments: quick ? 60 : 3000, rowsCopied: quick ? 1000 : 20_000)
    }

    /// Runs `body`; SIGTERM or SIGINT cancels it, so that what it started and made is taken away again.
    private static func untilSignal(_ body: @escaping @Sendable () async throws -> Void) async throws {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        try await withThrowingTaskGroup(of: UnixSignal?.self) { group in
            group.addTask {
                try await body()
                return nil
            }
            group.addTask { await signals.first { _ in true } }
            defer { group.cancelAll() }
            guard let signal = try await group.next() ?? nil else { return }
            group.cancelAll()
            do {
                while try await group.next() != nil {}
            } catch { Progress.say("ended by \(signal): \(error)") }
            throw ExitCode(128 + signal.rawValue)
        }
    }
}

/// What is measured; each has a file of its own.
enum Scenario: String, CaseIterable, ExpressibleByArgument {
    case append
    case `import`
    case readAll = "read-all"
    case rebuild
    case follow
    case asOf = "as-of"
    case audit
    case verify

    /// Whether it begins with an empty log of its own; the others read one that is full.
    var writes: Bool {
        switch self {
        case .append, .import, .follow, .asOf: true
        case .readAll, .rebuild, .audit, .verify: false
        }
    }

    /// How often case and baseline alternate, unless told otherwise.
    ///
    /// What waits for the disk and for other threads, event by event, scatters more than what reads a million of them.
    var rounds: Int { self == .append || self == .follow ? Self.steadyRounds : 5 }

    static let steadyRounds = 11

    var takesCallers: Bool { self == .append }

    var takesRounds: Bool { self != .asOf && self != .audit }

    var takesSeconds: Bool { self == .append || self == .follow }

    var takesEvents: Bool { !writes || self == .import }

    func run(_ bed: BenchBed, _ plan: BenchPlan) async throws {
        switch self {
        case .append: try await AppendScenario(bed: bed, plan: plan).run()
        case .import: try await ImportScenario(bed: bed, plan: plan).run()
        case .readAll: try await ReadAllScenario(bed: bed, plan: plan).run()
        case .rebuild: try await RebuildScenario(bed: bed, plan: plan).run()
        case .follow: try await FollowScenario(bed: bed, plan: plan).run()
        case .asOf: try await AsOfScenario(bed: bed, plan: plan).run()
        case .audit: try await AuditScenario(bed: bed, plan: plan).run()
        case .verify: try await VerifyScenario(bed: bed, plan: plan).run()
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
    /// How often each question to the audit index is asked, one time after the other.
    var questions: Int
    /// Events of the stream whose past is asked for.
    var streamLength: Int
    /// How many questions are asked about that past.
    var moments: Int
    /// How many rows are written by the COPY that appends are measured against.
    var rowsCopied: Int
}
