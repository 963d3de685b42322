import ArgumentParser
import EventSourcing
import Foundation
import Ledger
import Postgres
import Transparency

/// Why a verb about proofs does not come to an answer, with its exit code.
struct ProofFailure: Error {
    let text: String
    let code: Int32

    /// Runs `body`; what it throws is said on standard error and becomes the exit code.
    static func saying(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let code as ExitCode {
            throw code
        } catch {
            let failure = ProofFailure(error)
            StandardError.say("error: \(failure.text)")
            throw ExitCode(failure.code)
        }
    }

    init(_ text: String, _ code: Int32 = Exit.badInput) {
        self.text = text
        self.code = code
    }

    private init(_ error: any Error) {
        switch error {
        case let failure as ProofFailure: self = failure
        case let failure as ArchiveFailure: self.init("\(failure)", Exit.refused)
        case EventStoreFailure.archived(let why): self.init(why, Exit.refused)
        case let failure as SubjectDirectory.Failure: self.init("\(failure)", Exit.badInput)
        case let failure as ImportFailure: self.init("\(failure)", Exit.badInput)
        case ProofDocument.Problem.invalid: self.init("\(error)", Exit.refused)
        case is ProofDocument.Problem, is SignedNote.Problem, is SigningFailure: self.init("\(error)", Exit.badInput)
        case is PostgresError, is EventStoreFailure, is ServeFailure: self.init("\(error)", Exit.unreachable)
        default: self.init("\(error)", Exit.refused)
        }
    }

    /// The bytes of a file.
    static func read(_ file: String) throws -> [UInt8] {
        do {
            return Array(try Data(contentsOf: URL(fileURLWithPath: file)))
        } catch {
            throw ProofFailure("cannot read \(file): \(error.localizedDescription)")
        }
    }

    /// The verifier key that is written in `text`, or in the file of that name.
    static func key(_ text: String) throws -> VerifierKey {
        if let key = VerifierKey(text) { return key }
        guard FileManager.default.fileExists(atPath: text) else {
            throw ProofFailure("\"\(text)\" is no verifier key (name+id+key) and no file that holds one")
        }
        let lines = String(decoding: try read(text), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        guard let key = VerifierKey(lines) else { throw ProofFailure("\(text) holds no verifier key (name+id+key)") }
        return key
    }
}
