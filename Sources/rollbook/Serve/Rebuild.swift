import ArgumentParser
import Delivery
import Foundation
import Ledger
import Logging
import Postgres

/// Makes the read models anew from the log.
struct Rebuild: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make the read models anew from the log, beside the live ones.",
        discussion: """
            `rollbook serve` may run meanwhile: readers are turned over to the new rows at the end, in one step, and a \
            rebuild that was ended goes on where it was. With --check the rows that stood there are compared with the \
            new ones, byte for byte; the exit code is 1 if they differ, 4 \
            if a value is wrong, 5 if the ledger cannot be reached.
            """)

    @OptionGroup var ledger: LedgerOptions

    @Argument(help: "The read model: \(Ledger.Rebuild.names.joined(separator: ", ")). All of them if none is named.")
    var name: String?

    @Flag(help: "Compare what stood there with what the log says.")
    var check = false

    @Option(name: [.short, .long], help: "json, for programs.")
    var output: Format = .text

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    func validate() throws {
        guard let name, !Ledger.Rebuild.names.contains(name) else { return }
        let known = Ledger.Rebuild.names
        let fix = NearestName.of(name, among: known).map { "did you mean \($0)?" }
        throw ValidationError(
            "there is no read model \"\(name)\": \(fix ?? "it is one of \(known.joined(separator: ", "))")")
    }

    func run() async throws {
        try await LedgerVerbFailure.saying {
            let logger = Logger(label: "rollbook.rebuild")
            let configuration = try await ledger.openMigrated(logger)
            let pool = PostgresPool(configuration.asLedgerService, logger: logger)
            let store = PostgresEventStore(pool: pool, logger: logger)
            do {
                try await make(store, logger)
                await pool.close()
            } catch {
                await pool.close()
                throw error
            }
        }
    }

    private func make(_ store: PostgresEventStore, _ logger: Logger) async throws {
        let names = name.map { [$0] } ?? Ledger.Rebuild.names
        let line = ProgressLine()
        let progress: @Sendable (RebuildProgress) -> Void = { line.show($0) }
        if check {
            let result = try await ReadModelCheck.run(names, store: store, logger: logger, progress: progress)
            line.end()
            try say(result) {
                Output.line("made \(result.rows) rows anew, up to position \(result.position)")
                Output.line(result.identical ? "they are what stood there" : "they differ from what stood there")
                if let before = result.before { Output.line("  before: \(before)") }
                if let after = result.after { Output.line("  after:  \(after)") }
            }
            if !result.identical { throw ExitCode(1) }
            return
        }
        var reports: [RebuildReport] = []
        for name in names {
            guard let rebuild = Ledger.Rebuild(name, store: store, logger: logger) else { continue }
            reports.append(try await rebuild.run(progress: progress))
        }
        line.end()
        try say(reports) {
            for report in reports { Output.line("made \(report.projection) anew, up to position \(report.position)") }
        }
    }

    private func say(_ result: some Encodable, text: () -> Void) throws {
        guard output == .json else { return text() }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        Output.line(String(decoding: try encoder.encode(result), as: UTF8.self))
    }
}
