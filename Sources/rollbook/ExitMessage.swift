import API
import ArgumentParser
import Delivery
import Foundation
import Transfer

/// Why a command did not do what it was asked.
enum ClientFailure: Error {
    /// `--server` or `ROLLBOOK_SERVER` is no address.
    case badServer(String)
    /// There was no answer.
    case unreachable(server: String, TransferFailure)
    /// The server says what is wrong.
    case problem(ProblemDocument)
    /// Whatever answered is no Rollbook.
    case strange(server: String, status: Int, text: String)
    /// Manifests are wrong.
    case manifests([ManifestProblem])
    /// A file cannot be read.
    case file(String, reason: String)
    /// An argument cannot be used.
    case argument(String)
    /// The rollout is degraded.
    case degraded(String)
    /// The rollout did not come to rest in time.
    case timeout
}

/// The exit codes of the command line.
enum Exit {
    static let refused: Int32 = 1
    static let unknown: Int32 = 2
    static let conflict: Int32 = 3
    static let badInput: Int32 = 4
    static let unreachable: Int32 = 5
}

/// What is said on standard error before the program ends, and with which code: the one place that words them.
struct ExitMessage: Equatable {
    var text: String
    var code: Int32

    init(_ failure: ClientFailure) {
        switch failure {
        case .badServer(let server):
            self.init(
                "\"\(server)\" is no address of a server: give --server or ROLLBOOK_SERVER as http://127.0.0.1:7070",
                Exit.badInput)
        case .unreachable(let server, let transfer):
            switch transfer.code {
            case .couldNotResolve:
                self.init(
                    "cannot reach rollbook at \(server): nobody knows that host; mend --server or ROLLBOOK_SERVER",
                    Exit.unreachable)
            case .couldNotConnect:
                self.init("cannot reach rollbook at \(server): is `rollbook serve` running?", Exit.unreachable)
            default: self.init("no answer from rollbook at \(server): \(transfer.detail)", Exit.unreachable)
            }
        case .problem(let problem): self.init(problem)
        case .strange(let server, let status, let text):
            let words = text.split(whereSeparator: \.isWhitespace).joined(separator: " ").prefix(200)
            self.init(
                "\(server) answers as no rollbook does (\(status)): \(words) – mend --server or ROLLBOOK_SERVER",
                Exit.unreachable)
        case .manifests(let problems):
            self.init(problems.map(\.description).joined(separator: "\n"), Exit.badInput)
        case .file(let file, let reason): self.init("cannot read \(file): \(reason)", Exit.badInput)
        case .argument(let text): self.init(text, Exit.badInput)
        case .degraded(let message):
            self.init("The rollout is in a degraded state with message: \(message)", Exit.refused)
        case .timeout: self.init("Rollout status watch exceeded timeout", Exit.refused)
        }
    }

    init(_ problem: ProblemDocument) {
        if let problems = problem.problems, !problems.isEmpty {
            let lines = problems.filter { $0.severity == .error }.map { problem in
                // The place is one in the request, which nobody but this program has seen.
                var problem = problem
                (problem.line, problem.column) = (nil, nil)
                return problem.description
            }
            self.init("\(problem.title):\n\(lines.joined(separator: "\n"))", Exit.badInput)
            return
        }
        let fix = problem.fix.map { " – \($0)" } ?? ""
        let code: Int32 =
            switch problem.status {
            case 404: Exit.unknown
            case 409 where problem.retry: Exit.conflict
            case 412: Exit.conflict
            case 400, 413, 422: Exit.badInput
            case 503: Exit.unreachable
            default: Exit.refused
            }
        self.init(problem.detail + fix, code)
    }

    private init(_ text: String, _ code: Int32) {
        self.text = text
        self.code = code
    }

    /// Runs `body`; a failure is said and becomes the exit code.
    static func saying(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let failure as ClientFailure {
            let message = ExitMessage(failure)
            Output.error("Error: \(message.text)")
            throw ExitCode(message.code)
        }
    }
}
