import ArgumentParser
import Control
import EventSourcing
import Foundation
import Ledger
import Logging
import Postgres
import Transparency

/// Makes a key.
struct Keygen: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a private key that signs a log, and print the verifier key that goes with it.")

    @Argument(help: "The log's name, such as ledger.example.com; a new key of a log has the name of the old one.")
    var name: String

    @Option(help: "The file to write; it must not exist.")
    var out: String

    func run() async throws {
        try await LedgerVerbFailure.saying {
            guard let key = SigningKey(generatedFor: name) else {
                throw LedgerVerbFailure("\"\(name)\" is no name of a log: no white space, no plus, not empty")
            }
            try SealKeyFile.create(out, key)
            print(key.verifier)
        }
    }
}

/// Announces a new key.
struct RotateKey: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Announce in the log, signed by the old key, that another key will sign it.",
        discussion: """
            Afterwards stop `rollbook serve` and start it with the new key; until then the old one still signs. Keep the \
            old verifier key: whoever trusts it follows the announcement to the new one.
            """)

    @OptionGroup var ledger: LedgerOptions
    @OptionGroup var signing: SigningOptions

    @Option(help: "The new private key's file, or the new verifier key.")
    var newKey: String

    func run() async throws {
        try await LedgerVerbFailure.saying {
            let file = DataDirectory(ledger.data).path + "/seal.key"
            let old = try signing.signer() ?? SealKeyFile.read(file)
            let next = try VerifierKey(newKey) ?? SealKeyFile.read(newKey).verifier
            let configuration = try await ledger.openMigrated(Logger(label: "rollbook.rotate-key"))
            let pool = PostgresPool(configuration.asLedgerService)
            let store = PostgresEventStore(pool: pool)
            let user = EventActor(
                subject: "\(NSUserName())@\(ProcessInfo.processInfo.hostName)", issuer: "operating-system",
                method: .unauthenticated)
            let appended = try await KeyHistory.announce(
                next, signedBy: old, in: store, id: Mint.identifier(), at: SystemControlClock().now(), actor: user)
            await pool.close()
            print("announced \(next) at position \(appended.position)")
        }
    }
}
