import ArgumentParser
import EventSourcing
import Foundation
import Ledger
import Postgres
import Transparency

/// Why a verb that works on the ledger itself does not do what it was asked, with its exit code: the one place that words
/// what these throw.
struct LedgerVerbFailure: Error {
    let text: String
    let code: Int32

    /// Runs `body`; what it throws is said on standard error and becomes the exit code.
    static func saying(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let code as ExitCode {
            throw code
        } catch {
            let failure = LedgerVerbFailure(error)
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
        case let failure as LedgerVerbFailure: self = failure
        case let failure as ServeFailure: self.init(failure.description, failure.code)
        case let failure as ArchiveFailure: self.init("\(failure)", Exit.refused)
        case let failure as EventStoreFailure: self.init(failure)
        case let failure as PostgresError: self.init(failure)
        case let failure as ClusterError: self.init("the private PostgreSQL: \(failure)", Exit.unreachable)
        case SubjectDirectory.Failure.unknown: self.init("\(error)", Exit.unknown)
        case let failure as SubjectDirectory.Failure: self.init("\(failure)", Exit.badInput)
        case let failure as ImportFailure: self.init("\(failure)", Exit.badInput)
        case ProofDocument.Problem.invalid: self.init("\(error)", Exit.refused)
        case is ProofDocument.Problem, is SignedNote.Problem, is SigningFailure: self.init("\(error)", Exit.badInput)
        default: self.init("\(error)", Exit.refused)
        }
    }

    private init(_ failure: EventStoreFailure) {
        switch failure {
        case .wrongExpectedVersion(let stream, let expected, let actual):
            self.init(
                "somebody else was first: \(stream) is at version \(actual), not \(expected); look, and do it again",
                Exit.conflict)
        case .fenced(let why): self.init(why, Exit.conflict)
        case .rejected(let why): self.init(why, Exit.badInput)
        case .commandReused(let id, let stream):
            self.init("the order \(id) was given before, on \(stream), and was another one", Exit.badInput)
        case .archived(let why), .damaged(let why): self.init(why, Exit.refused)
        case .unavailable(let why): self.init(why, Exit.unreachable)
        case .outcomeUnknown(let why): self.init("\(why); call this again", Exit.unreachable)
        }
    }

    private init(_ error: PostgresError) {
        switch error.code {
        case .connectionFailed, .connectionLost, .timeout, .cancelled, .poolClosed, .durabilityUnknown:
            self.init("\(error)", Exit.unreachable)
        case .invalidConfiguration, .invalidParameter: self.init("\(error)", Exit.badInput)
        case .server: self.init("\(error)", error.retryCanHelp ? Exit.unreachable : Exit.refused)
        case .invalidUse, .decoding, .protocolViolation: self.init("\(error)", Exit.refused)
        }
    }

    /// The bytes of a file.
    static func read(_ file: String) throws -> [UInt8] {
        do {
            return Array(try Data(contentsOf: URL(fileURLWithPath: file)))
        } catch {
            throw LedgerVerbFailure("cannot read \(file): \(error.localizedDescription)")
        }
    }

    /// The verifier key that is written in `text`, or in the file of that name.
    static func key(_ text: String) throws -> VerifierKey {
        if let key = VerifierKey(text) { return key }
        guard FileManager.default.fileExists(atPath: text) else {
            throw LedgerVerbFailure("\"\(text)\" is no verifier key (name+id+key) and no file that holds one")
        }
        let lines = String(decoding: try read(text), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        guard let key = VerifierKey(lines) else {
            throw LedgerVerbFailure("\(text) holds no verifier key (name+id+key)")
        }
        return key
    }
}
