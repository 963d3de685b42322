import ArgumentParser
import Foundation
import Ledger
import Logging
import Postgres
import Transparency

/// Looks whether the log is what was signed.
struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look at every event, tile and tree head, and say whether the log is what was signed.",
        discussion: """
            Give a tree head that was kept elsewhere (GET /api/v1/ledger/checkpoint) and the log's verifier key: without \
            them a log that was rewritten as a whole, by who could also sign it, looks intact. With --tree-head the log is \
            read up to the largest of those heads, otherwise to its end. Exit codes: 0 intact; 1 something is wrong; \
            4 a file or a key cannot be used; 5 the ledger cannot be read.
            """)

    @OptionGroup var ledger: LedgerOptions

    @Option(name: .customLong("tree-head"), help: "A signed tree head that was kept elsewhere; may be repeated.")
    var treeHeads: [String] = []

    @Option(
        name: .customLong("key"), help: "A verifier key that is trusted, or a file that holds one; may be repeated.")
    var keys: [String] = []

    @Option(
        name: .customLong("archive"),
        help: ArgumentHelp(
            "The folder of the archive files, whose events are then looked at too; without it, the tree is believed of them.",
            valueName: "folder"))
    var archives: String?

    @Option(name: [.short, .long], help: "json, for programs.")
    var output: Rebuild.Format = .text

    func run() async throws {
        try await LedgerVerbFailure.saying {
            let outside = try treeHeads.map {
                try SignedTreeHead(String(decoding: LedgerVerbFailure.read($0), as: UTF8.self))
            }
            let trusted = try keys.map(LedgerVerbFailure.key)
            let configuration = try await ledger.openMade(Logger(label: "rollbook.verify"))
            let pool = PostgresPool(configuration.asLedgerService)
            let started = ContinuousClock.now
            let report = try await LedgerVerifier(store: PostgresEventStore(pool: pool)).verify(
                against: outside, trusting: trusted, archives: archives)
            await pool.close()
            let seconds = (ContinuousClock.now - started) / .seconds(1)
            switch output {
            case .json:
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
                print(String(decoding: try encoder.encode(Reply(report: report, seconds: seconds)), as: UTF8.self))
            case .text:
                for line in Self.lines(report) { print(line) }
            }
            if !report.intact { throw ExitCode(Exit.refused) }
        }
    }

    static func lines(_ report: VerifyReport) -> [String] {
        var lines = [
            "read \(report.events) events, up to position \(report.through); \(report.sealed) are under a signed tree head",
            "compared \(report.storedHeads) stored tree heads and \(report.outsideHeads) from outside; root \(report.root)",
        ]
        if report.archived > 0 {
            lines.append("\(report.archived) more stand in archives; looked at \(report.archives) archive files")
        }
        lines += report.remarks.map { "note: \($0)" }
        guard let first = report.findings.first else { return lines + ["intact"] }
        lines.append("NOT INTACT: the first bad position is \(place(first))")
        lines += report.findings.map { "  \(place($0)): \($0.kind.rawValue): \($0.detail)" }
        if report.moreFindings > 0 { lines.append("  and \(report.moreFindings) more") }
        return lines
    }

    private static func place(_ finding: VerifyReport.Finding) -> String {
        finding.through.map { $0 == finding.position ? "\($0)" : "among \(finding.position)…\($0)" }
            ?? "\(finding.position)"
    }

    /// The report with what follows from it.
    private struct Reply: Encodable {
        let report: VerifyReport
        let seconds: Double

        enum Keys: CodingKey { case intact, firstBadPosition, seconds }

        func encode(to encoder: any Encoder) throws {
            try report.encode(to: encoder)
            var more = encoder.container(keyedBy: Keys.self)
            try more.encode(report.intact, forKey: .intact)
            try more.encodeIfPresent(report.firstBadPosition, forKey: .firstBadPosition)
            try more.encode(seconds, forKey: .seconds)
        }
    }
}
