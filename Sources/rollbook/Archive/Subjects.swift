import ArgumentParser
import Control
import EventSourcing
import Foundation
import Ledger

/// Says who a subject is, and shows it.
struct Subject: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Keep and show who a subject of the log is, sealed and outside the log.",
        subcommands: [Describe.self, Show.self])

    /// Keeps details.
    struct Describe: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Keep details of a subject, each in place of what the field held before.")

        @OptionGroup var ledger: LedgerOptions

        @Argument(help: "The subject, as events name it.")
        var subject: String

        @Argument(help: "Details, such as name=\"Maria Müller\" mail=maria@example.com.")
        var details: [String]

        func run() async throws {
            try await LedgerVerbFailure.saying {
                var kept: [String: String] = [:]
                for detail in details {
                    let sides = detail.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                    guard sides.count == 2, !sides[0].isEmpty else {
                        throw LedgerVerbFailure("\"\(detail)\" is no detail: write field=value")
                    }
                    kept[String(sides[0])] = String(sides[1])
                }
                try await ledger.withStore("rollbook.subject") { store in
                    try await SubjectDirectory(store: store).describe(subject, kept)
                    Output.line("kept \(kept.keys.sorted().joined(separator: ", ")) of \(subject)")
                }
            }
        }
    }

    /// Shows details.
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show what is known of a subject.")

        @OptionGroup var ledger: LedgerOptions

        @Argument(help: "The subject, as events name it.")
        var subject: String

        func run() async throws {
            try await LedgerVerbFailure.saying {
                try await ledger.withStore("rollbook.subject") { store in
                    guard let details = try await SubjectDirectory(store: store).details(of: subject) else {
                        throw LedgerVerbFailure("nothing is known of \(subject)", Exit.unknown)
                    }
                    for (field, value) in details.sorted(by: { $0.key < $1.key }) { Output.line("\(field)=\(value)") }
                }
            }
        }
    }
}

/// Forgets a subject.
struct Erase: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Forget who a subject is, for ever, and say so in the log.",
        discussion: """
            The key is destroyed under which the subject's details are sealed, and the details with it, and their tables \
            are written anew, for which the rights of who migrates are needed. What a transaction that began before can \
            still read, the server keeps: such ones are waited for, and named if they do not end; then call this again. \
            The log keeps the \
            subject, which by itself names nobody if it is an opaque id; its bytes, hashes and proofs stay as they are. \
            Backups of the database from before still hold the key: let them expire. The reason stays in the log, so \
            leave out of it what is to be forgotten. Exit codes: 0 done; 1 the key may still stand in the database's files, \
            and what keeps it; 2 nothing is known of the subject; 4 a value is wrong; 5 the ledger cannot be reached.
            """)

    @OptionGroup var ledger: LedgerOptions

    @Argument(help: "The subject, as events name it.")
    var subject: String

    @Option(help: "Why, for who asks later.")
    var reason: String

    // Longer than a replica takes to report what its own transactions can still read.
    @Option(help: "How long to wait for transactions that can still read what is erased, in seconds.")
    var wait = 15.0

    func validate() throws {
        guard wait >= 0, wait <= 86_400 else {
            throw ValidationError("--wait is \(wait): give seconds, from 0 to 86400")
        }
    }

    func run() async throws {
        try await LedgerVerbFailure.saying {
            let user = EventActor(
                subject: "\(NSUserName())@\(ProcessInfo.processInfo.hostName)", issuer: "operating-system",
                method: .unauthenticated)
            try await ledger.withStore("rollbook.erase", asService: false) { store in
                let directory = SubjectDirectory(store: store)
                let appended = try await directory.erase(
                    subject, reason: reason, order: Mint.identifier(), at: SystemControlClock().now(), by: user)
                Output.line(
                    appended.isDuplicate
                        ? "\(subject) was erased before; the log says so at position \(appended.position)"
                        : "erased \(subject); the log says so at position \(appended.position)")
                let holders = try await directory.purge(patience: .seconds(wait))
                guard holders.isEmpty else {
                    throw LedgerVerbFailure(
                        "the destroyed key may still stand in the database's files, for who can read those: a transaction "
                            + "that began before keeps it there. End what is named here, and call this again:\n"
                            + holders.map { "  \($0)" }.joined(separator: "\n"), Exit.refused)
                }
            }
        }
    }
}
