import ArgumentParser
import Control
import EventSourcing
import Foundation
import Ledger
import Logging

/// Lets a log that was cut short go on.
struct BeginEpoch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let a log that lost its end, by a restore or a failover, go on in a new epoch.",
        discussion: """
            Stop every `rollbook serve` of this ledger first, and be sure that what is missing cannot be put back: from \
            here on, tree heads and positions of the old epoch that lie beyond the log's end stand for nothing. What is \
            said stands in the log, as the new epoch's first event. Needs a role that owns the ledger, as `rollbook \
            migrate` does.
            """)

    @OptionGroup var ledger: LedgerOptions

    @Option(
        help: "The position at which the log ends, as `rollbook verify` names it: nothing is done if it ends elsewhere."
    )
    var after: Int64

    @Option(help: "Why, for whoever reads the log later.")
    var reason: String

    func validate() throws {
        guard after >= 0 else { throw ValidationError("--after is \(after): give the log's last position") }
        guard !reason.isEmpty else { throw ValidationError("--reason is empty: say what happened to the log") }
    }

    func run() async throws {
        try await LedgerVerbFailure.saying {
            let configuration = try await ledger.openMigrated(Logger(label: "rollbook.begin-epoch"))
            let begun = try await LogEpoch.begin(
                configuration, after: GlobalPosition(after), because: reason, id: Mint.identifier(),
                at: SystemControlClock().now(),
                actor: EventActor(
                    subject: "\(NSUserName())@\(ProcessInfo.processInfo.hostName)", issuer: "operating-system",
                    method: .unauthenticated))
            print("epoch \(begun.epoch) began at position \(begun.position)")
        }
    }
}
