import ArgumentParser
import EventSourcing
import Foundation
import Ledger
import Logging
import Postgres

/// Writes events as lines.
struct Export: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write the events of the log as lines of JSON, for `rollbook import` and other programs.",
        discussion: """
            One event in each line, in the order of the log, with the members of the API's event object and the hash of \
            its content. data and metadata stand there byte for byte as they were hashed. The file is for its owner alone, \
            and stands under its name only once it is whole. Exit codes: 0 done; 1 the file cannot be written to its \
            end, or the log lacks events; 4 there is such a file, or it cannot be made; 5 the ledger cannot be reached.
            """)

    @OptionGroup var ledger: LedgerOptions

    @Option(help: "Begin after this position; at the beginning if not given.")
    var after: Int64 = 0

    @Option(help: "End with this position; with the last event if not given.")
    var through: Int64?

    @Option(help: "The file; standard output if not given. An existing file is not overwritten.")
    var out: String?

    func validate() throws {
        guard after >= 0 else { throw ValidationError("--after is \(after): give a position, from 0 on") }
        if let through, through <= after {
            throw ValidationError("--through is \(through) and --after \(after): give a later position than that")
        }
    }

    func run() async throws {
        try await LedgerVerbFailure.saying {
            try await ledger.withStore("rollbook.export") { store in
                let output = try out.map { try NewFile($0) }
                do {
                    let count = try await write(store, to: output)
                    try output?.finish()
                    StandardError.say("exported \(count) events")
                } catch {
                    output?.discard()
                    throw error
                }
            }
        }
    }

    private func write(_ store: PostgresEventStore, to output: NewFile?) async throws -> Int64 {
        try await LedgerExport(store: store).run(
            after: GlobalPosition(after), through: through.map { GlobalPosition($0) }
        ) { lines in
            if let output {
                try output.write(lines)
            } else {
                Output.raw(String(decoding: lines, as: UTF8.self))
            }
        }
    }
}

/// Appends the events of a file.
struct Import: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Append the events of a file that `rollbook export` wrote.",
        discussion: """
            The file is checked as a whole first: if anything is wrong with it, nothing is appended, and the line is \
            named. Events that the ledger has already are passed over, so that a second import changes nothing, and one \
            that was cut short goes on. The events get positions after the last one, and are recorded now; with \
            --as-recorded they keep position, time and epoch, and have to follow on the ledger's last event: then the \
            tree heads that the other ledger signed are true of this one too. A controller takes imported rollouts for \
            its own: end `rollbook serve` on this ledger before. Exit codes: 0 done; 4 the file cannot be imported; 5 the ledger cannot be reached.
            """)

    @OptionGroup var ledger: LedgerOptions

    @Argument(help: "The file.")
    var file: String

    @Flag(help: "Keep positions, times of recording and epochs. Needs the rights of who migrates.")
    var asRecorded = false

    @Option(name: [.short, .long], help: "json, for programs.")
    var output: Rebuild.Format = .text

    func run() async throws {
        try await LedgerVerbFailure.saying {
            try await ledger.withStore("rollbook.import", asService: !asRecorded) { store in
                let started = ContinuousClock.now
                let report = try await LedgerImport(store: store, keepsPlaces: asRecorded).run(file)
                let seconds = (ContinuousClock.now - started) / .seconds(1)
                switch output {
                case .json: Output.line(CanonicalJSON.text(report))
                case .text:
                    let place = report.lastPosition.map { ", up to position \($0)" } ?? ""
                    Output.line(
                        "appended \(report.appended) of \(report.events) events\(place); "
                            + "\(report.known) stood there already (\(String(format: "%.1f", seconds)) s)")
                }
            }
        }
    }
}

extension LedgerOptions {
    /// Gives `body` a store on the migrated ledger, in the service's role or with all the rights of who logs in.
    func withStore(
        _ label: String, asService: Bool = true, _ body: (PostgresEventStore) async throws -> Void
    ) async throws {
        var logger = Logger(label: label)
        logger.logLevel = .warning
        let configuration = try await openMigrated(logger)
        let pool = PostgresPool(asService ? configuration.asLedgerService : configuration, logger: logger)
        do {
            try await body(PostgresEventStore(pool: pool, logger: logger))
            await pool.close()
        } catch {
            await pool.close()
            throw error
        }
    }
}
