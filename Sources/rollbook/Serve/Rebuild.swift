import ArgumentParser
import Foundation
import Ledger
import Logging
import Postgres

/// Makes the read models anew from the log.
struct Rebuild: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make the read models anew from the log.",
        discussion: """
            Stop `rollbook serve` first: nobody may append or project meanwhile. With --check the rows that stood there \
            are compared with the new ones, byte for byte; the exit code is 1 if they differ.
            """)

    @OptionGroup var ledger: LedgerOptions

    @Flag(help: "Compare what stood there with what the log says.")
    var check = false

    @Option(name: [.short, .long], help: "json, for programs.")
    var output: Format = .text

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    func run() async throws {
        try await ServeFailure.worded {
            let logger = Logger(label: "rollbook.rebuild")
            try FileManager.default.createDirectory(
                atPath: DataDirectory(ledger.data).path, withIntermediateDirectories: true)
            let lock = try InstanceLock(DataDirectory(ledger.data))
            defer { lock.release() }
            let (configuration, _) = try await ledger.open(logger)
            _ = try await ledger.migrate(configuration)
            let pool = PostgresPool(configuration.asLedgerService, logger: logger)
            let store = PostgresEventStore(pool: pool, logger: logger)
            let result = try await ReadModelCheck.run(store: store, logger: logger)
            await pool.close()
            switch output {
            case .json:
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
                print(String(decoding: try encoder.encode(result), as: UTF8.self))
            case .text:
                print("made \(result.rows) rows anew, up to position \(result.position)")
                if check { print(result.identical ? "they are what stood there" : "they differ from what stood there") }
                if check, let before = result.before { print("  before: \(before)") }
                if check, let after = result.after { print("  after:  \(after)") }
            }
            if check, !result.identical { throw ExitCode(1) }
        }
    }
}
