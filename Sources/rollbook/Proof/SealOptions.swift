import ArgumentParser
import EventSourcing
import Foundation
import Ledger
import Logging
import Transparency

/// With which key the log is signed.
struct SigningOptions: ParsableArguments {
    @Option(help: "The file of the log's private key, mode 0600.")
    var sealKey: String?

    @Option(
        help: ArgumentHelp(
            "A command that signs instead: text on its standard input, the signature in base64 on its output.",
            valueName: "command"))
    var sealCommand: String?

    @Option(help: "The verifier key that goes with --seal-command.")
    var sealVerifierKey: String?

    func validate() throws {
        if sealKey != nil, sealCommand != nil {
            throw ValidationError("--seal-key and --seal-command exclude each other: give one of them")
        }
        if (sealCommand == nil) != (sealVerifierKey == nil) {
            throw ValidationError("--seal-command and --seal-verifier-key belong together: give both")
        }
        if let sealVerifierKey, VerifierKey(sealVerifierKey) == nil {
            throw ValidationError(
                "--seal-verifier-key is \"\(sealVerifierKey)\": give name+id+key, as keygen prints it")
        }
    }

    /// The signer that was asked for; nil if none was.
    func signer() throws -> (any LogSigner)? {
        if let sealCommand, let key = sealVerifierKey.flatMap({ VerifierKey($0) }) {
            return CommandSigner(sealCommand, verifier: key)
        }
        return try sealKey.map { try SealKeyFile.read($0) }
    }
}

/// How `serve` seals the log.
struct SealOptions: ParsableArguments {
    @OptionGroup var signing: SigningOptions

    @Option(help: "The shortest time between two signed tree heads, in seconds.")
    var sealInterval = 0.5

    func validate() throws {
        guard sealInterval > 0, sealInterval <= 86_400 else {
            throw ValidationError("--seal-interval is \(sealInterval): give seconds, more than 0 and at most 86400")
        }
    }

    /// The sealer of this instance; nil if another instance's key signs this log.
    ///
    /// Without a key a log that was never sealed gets one, kept in the data directory.
    func sealer(_ data: DataDirectory, _ store: PostgresEventStore, _ logger: Logger) async throws -> Sealer? {
        let file = data.path + "/seal.key"
        let signer: any LogSigner
        if let given = try signing.signer() {
            signer = given
        } else if FileManager.default.fileExists(atPath: file) {
            signer = try SealKeyFile.read(file)
        } else {
            if try await LedgerProver(store: store).treeHead() != nil {
                logger.notice(
                    "this instance does not seal: the log is signed with a key that is not here; give it with --seal-key"
                )
                return nil
            }
            let name = "rollbook/" + UUID().uuidString.lowercased().prefix(8)
            guard let key = SigningKey(generatedFor: name) else { preconditionFailure("\(name) is no name of a log") }
            try SealKeyFile.create(file, key)
            logger.notice("made a key for the log", metadata: ["file": "\(file)"])
            signer = key
        }
        logger.notice("the log is signed", metadata: ["key": "\(signer.verifier)"])
        return Sealer(
            store: store, signer: signer,
            settings: .init(
                interval: .milliseconds(Int(sealInterval * 1000)), lastHeadFile: data.path + "/last-tree-head"),
            logger: logger)
    }
}
