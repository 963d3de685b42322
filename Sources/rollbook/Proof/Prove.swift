import ArgumentParser
import EventSourcing
import Foundation
import Ledger
import Logging
import Postgres
import Transparency

/// Writes a proof.
struct Prove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a proof that an event is in the log, or that a later log begins with an earlier one.",
        discussion: """
            The proof is JSON on standard output, and is checked by `rollbook verify-proof` or by any program, without the \
            ledger. For --consistency give the sizes of two signed tree heads, or files that hold them; `latest` is the \
            last one. A head in a file is compared with the ledger's: the proof is about that very head. Exit codes: 0 done; \
            1 the ledger is not the log of that head; 2 there is no such event or tree head; 4 a value is wrong; 5 the ledger cannot \
            be read.
            """)

    @OptionGroup var ledger: LedgerOptions

    @Argument(help: "The event's position, or its id (one that is not found takes a look at the whole log).")
    var event: String?

    @Flag(help: "Prove that a later tree head extends an earlier one: give OLD and NEW.")
    var consistency = false

    @Argument(help: .hidden)
    var second: String?

    func validate() throws {
        guard event != nil, consistency == (second != nil) else {
            throw ValidationError("give an event (its position or id), or --consistency OLD NEW")
        }
    }

    func run() async throws {
        try await LedgerVerbFailure.saying {
            let configuration = try await ledger.openMade(Logger(label: "rollbook.prove"))
            let pool = PostgresPool(configuration.asLedgerService)
            let prover = LedgerProver(store: PostgresEventStore(pool: pool))
            let proof = try await consistency ? consistency(prover) : inclusion(prover)
            await pool.close()
            Output.raw(proof)
        }
    }

    private func inclusion(_ prover: LedgerProver) async throws -> String {
        let text = event ?? ""
        let position: GlobalPosition
        if let number = Int64(text), number > 0 {
            position = GlobalPosition(number)
        } else if let id = Identifier(text) {
            guard let found = try await prover.position(of: id) else {
                throw LedgerVerbFailure("there is no event \(text)", Exit.unknown)
            }
            position = found
        } else {
            throw LedgerVerbFailure(
                "\"\(text)\" is neither a position (a whole number from 1 on) nor an event's id (a UUID)")
        }
        guard let proof = try await prover.inclusion(of: position) else {
            throw LedgerVerbFailure(
                "no event at position \(position) is under a signed tree head; a new one is within about a second",
                Exit.unknown)
        }
        return proof
    }

    private func consistency(_ prover: LedgerProver) async throws -> String {
        let (first, last) = (try await head(event ?? "", prover), try await head(second ?? "", prover))
        let (old, new) = (first.size, last.size)
        guard old <= new else {
            throw LedgerVerbFailure("OLD has \(old) events and NEW \(new): give the earlier one first")
        }
        if let proof = try await prover.consistency(from: first, to: last) { return proof }
        let near = Set(try await prover.headSizes(near: old) + prover.headSizes(near: new)).sorted()
        throw LedgerVerbFailure(
            "tree heads of \(old) and \(new) events were not both signed by this ledger; the nearest have "
                + near.map(String.init).joined(separator: ", "), Exit.unknown)
    }

    /// The tree head that is given by size, by file, or as `latest`.
    private func head(_ text: String, _ prover: LedgerProver) async throws -> LedgerProver.NamedHead {
        if let size = Int64(text), size > 0 { return .ofSize(size) }
        if text == "latest" {
            guard let note = try await prover.treeHead() else {
                throw LedgerVerbFailure("no tree head was signed yet", Exit.unknown)
            }
            return .ofSize(try SignedTreeHead(note).head.size)
        }
        return .held(try SignedTreeHead(String(decoding: LedgerVerbFailure.read(text), as: UTF8.self)))
    }
}

/// Checks a proof.
struct VerifyProof: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check a proof with nothing but the log's verifier key: no server, no ledger.",
        discussion: "Exit codes: 0 the proof holds; 1 it does not; 4 the file is no proof, or the key none.")

    @Argument(help: "The file that `rollbook prove` wrote; - reads standard input.")
    var file: String

    @Option(
        name: .customLong("key"), help: "A verifier key that is trusted, or a file that holds one; may be repeated.")
    var keys: [String]

    func run() async throws {
        try await LedgerVerbFailure.saying {
            let bytes =
                file == "-"
                ? Array(try FileHandle.standardInput.readToEnd() ?? Data()) : try LedgerVerbFailure.read(file)
            print(try ProofDocument(json: bytes).verify(trusting: try keys.map(LedgerVerbFailure.key)))
        }
    }
}
