public import Delivery
internal import EventSourcing
import HTTPTypes
import Hummingbird

/// Why a request is not answered with what it asked for.
enum APIProblem: Error {
    /// A value of the request cannot be used.
    case badInput(field: String, value: String?, message: String, fix: String)
    /// There is no such rollout; another one may have been meant.
    case unknownRollout(RolloutName, nearest: String?)
    /// No stream has that name; another one may have been meant.
    case unknownStream(StreamName, nearest: String?)
    /// There is no such page.
    case unknownPath(String)
    /// There was no such rollout at that time.
    case notYet(RolloutName, PointInTime)
    /// There is no such moment yet.
    case future(_ field: String, _ value: String, present: String)
    /// The page does not take that method.
    case wrongMethod(HTTPRequest.Method, path: String, takes: [HTTPRequest.Method])
    /// Nothing here takes that method.
    case unknownMethod(HTTPRequest.Method)
    /// Manifests cannot be taken.
    case invalidManifests([ManifestProblem])
    /// The rollout does not do what it was told.
    case refused(RolloutRefusal, RolloutName)
    /// The rollout has moved on since the caller looked.
    case moved(expected: String, actual: Int)
    /// Other writers won every attempt.
    case contended(attempts: Int)
    /// The log could not be read or written.
    case store(EventStoreFailure)
    /// The log holds an event that this build cannot read.
    case unreadable(UnreadableEvent)
    /// The request was meant for another host, or comes from another site.
    case foreign(header: String, value: String)
    /// The body is too large.
    case tooLarge
    /// The instance cannot do its work.
    case notReady(String)
    /// A read model does not show yet what the caller wants to be shown.
    case behind(ViewBehind)
    /// The log is not the one that the caller has read: it was cut short, and what was read last is not in it.
    case otherLog(lastEvent: String, found: String)
    /// Anything else that HTTP has a status for.
    case http(status: Int, detail: String)
    /// A defect of ours; the log has the details.
    case internalError
}

/// A problem document.
///
/// - Source: RFC 9457; `code`, `field`, `value`, `fix`, `nearest`, `problems`, `retry` are ours.
public struct ProblemDocument: Error, Sendable, Equatable, Codable {
    /// `urn:rollbook:problem:` and the code.
    public var type: String
    /// The kind of problem, in a few words.
    public var title: String
    /// The HTTP status.
    public var status: Int
    /// What happened, for people.
    public var detail: String
    /// The kind of problem, for programs.
    public var code: String
    /// The field of the request that is wrong.
    public var field: String?
    /// Its value.
    public var value: String?
    /// What to do about it.
    public var fix: String?
    /// The name that was probably meant.
    public var nearest: String?
    /// What is wrong with manifests.
    public var problems: [ManifestProblem]?
    /// Whether the same request may succeed later.
    public var retry: Bool

    init(_ code: String, _ status: Int, _ title: String, _ detail: String, retry: Bool = false) {
        type = "urn:rollbook:problem:\(code)"
        self.title = title
        self.status = status
        self.detail = detail
        self.code = code
        self.retry = retry
    }
}

extension APIProblem {
    /// Any error as a problem.
    init(_ error: any Error) {
        switch error {
        case let problem as APIProblem: self = problem
        case let failure as EventStoreFailure: self = .store(failure)
        case let unreadable as UnreadableEvent: self = .unreadable(unreadable)
        case let problems as ManifestProblems: self = .invalidManifests(problems.problems)
        case let behind as ViewBehind: self = .behind(behind)
        case let noWord as AuditQuery.NoWord:
            self = .badInput(
                field: "text", value: noWord.text, message: "there is no word in it", fix: "write words of the reason")
        case let error as any HTTPResponseError:
            self =
                error.status.code == 413
                ? .tooLarge : .http(status: error.status.code, detail: error.status.reasonPhrase)
        default: self = .internalError
        }
    }

    /// Why a follower that had read the event `last` got no further.
    init(_ end: FollowerEnd, after last: String) {
        switch end {
        case .archived(let words): self = .store(.archived(words))
        case .cutShort(let found): self = .otherLog(lastEvent: last, found: found)
        }
    }

    /// Why a command to `name` was not handled.
    init(_ failure: CommandHandler<RolloutDecider>.Failure, _ name: RolloutName) {
        switch failure {
        case .refused(let refusal): self = .refused(refusal, name)
        case .store(let failure): self = .store(failure)
        case .unreadable(let event): self = .unreadable(event)
        case .contended(let attempts): self = .contended(attempts: attempts)
        }
    }

    /// Why a command to a template was not handled.
    init(_ failure: CommandHandler<TemplateDecider>.Failure) {
        switch failure {
        case .refused: self = .internalError
        case .store(let failure): self = .store(failure)
        case .unreadable(let event): self = .unreadable(event)
        case .contended(let attempts): self = .contended(attempts: attempts)
        }
    }

    /// The words.
    var document: ProblemDocument {
        switch self {
        case .badInput(let field, let value, let message, let fix):
            var document = ProblemDocument(
                "bad-input", 400, "A value of the request cannot be used", "\(field): \(message)")
            (document.field, document.value, document.fix) = (field, value, fix)
            return document
        case .unknownRollout(let name, let nearest):
            var document = ProblemDocument(
                "unknown-rollout", 404, "No such rollout",
                "there is no rollout \"\(name.name)\" in namespace \"\(name.namespace)\"")
            document.nearest = nearest
            document.fix = nearest.map { "did you mean \($0)?" } ?? "`rollbook list rollouts -A` shows all of them"
            return document
        case .unknownStream(let stream, let nearest):
            var document = ProblemDocument(
                "unknown-stream", 404, "No such stream", "no event of the log stands in a stream \"\(stream)\"")
            document.nearest = nearest
            document.fix = nearest.map { "did you mean \($0)?" } ?? "GET /api/v1/events shows events with their streams"
            return document
        case .unknownPath(let path):
            return ProblemDocument("unknown-path", 404, "No such page", "there is nothing at \(path)")
        case .notYet(let name, let point):
            return ProblemDocument(
                "not-yet", 404, "No such rollout at that time", "rollout \"\(name.name)\" did not exist at \(point)")
        case .future(let field, let value, let present):
            var document = ProblemDocument(
                "in-the-future", 400, "That moment has not come yet", "\(field): \(value) has not come yet: \(present)")
            (document.field, document.value) = (field, value)
            document.fix = "name an earlier moment, or leave it out to see the present"
            return document
        case .wrongMethod(let method, let path, let takes):
            var document = ProblemDocument(
                "wrong-method", 405, "The page does not take that method", "\(path) does not take \(method)")
            (document.field, document.value) = ("method", method.rawValue)
            document.fix = "send \(takes.map(\.rawValue).joined(separator: " or "))"
            return document
        case .unknownMethod(let method):
            var document = ProblemDocument(
                "unknown-method", 501, "Nothing here takes that method", "there is no use for \(method)")
            (document.field, document.value) = ("method", method.rawValue)
            document.fix = "send GET to look and POST to change something"
            return document
        case .invalidManifests(let problems):
            let errors = problems.filter { $0.severity == .error }
            var document = ProblemDocument(
                "invalid-manifest", 422, "The manifest cannot be taken; nothing was recorded",
                errors.map(\.description).joined(separator: "\n"))
            document.problems = problems
            return document
        case .refused(let refusal, let name): return refusal.document(name)
        case .moved(let expected, let actual):
            return ProblemDocument(
                "moved-on", 412, "The rollout has moved on",
                "If-Match names decision version \(expected), but it is \(actual) now: look again, then decide")
        case .contended(let attempts):
            return ProblemDocument(
                "conflict", 409, "Others changed the rollout at the same time",
                "\(attempts) attempts met a newer version each: try again", retry: true)
        case .store(let failure): return Self.document(failure)
        case .unreadable(let event):
            return ProblemDocument(
                "unreadable-event", 500, "The ledger holds an event that this version cannot read",
                "\(event): upgrade this instance")
        case .foreign(let header, let value):
            return ProblemDocument(
                "foreign-request", 403, "The request was meant for another host",
                "\(header) is \"\(value)\": until access control is in place, only requests to 127.0.0.1, localhost "
                    + "or [::1] are answered")
        case .tooLarge:
            return ProblemDocument(
                "too-large", 413, "The body is too large", "at most \(APIContext.bodyLimit / 1_048_576) MiB are read")
        case .notReady(let why):
            return ProblemDocument("not-ready", 503, "Not ready", why, retry: true)
        case .behind(let behind):
            return ProblemDocument(
                "behind", 503, "The read model is behind",
                "position \(behind.wanted) is not shown yet, only \(behind.position): ask again, or without wait",
                retry: true)
        case .otherLog(let lastEvent, let found):
            var document = ProblemDocument(
                "other-log", 410, "The log was cut short",
                "the event that was read last is not in the log any more: it was put back to an earlier state; \(found)"
            )
            (document.field, document.value) = ("Last-Event-ID", lastEvent)
            document.fix = "forget what was read, and begin at the start of the log or at its end"
            return document
        case .http(let status, let detail):
            return ProblemDocument("http-\(status)", status, detail, detail)
        case .internalError:
            return ProblemDocument(
                "internal-error", 500, "A defect of Rollbook", "the server's log says more about this request")
        }
    }

    private static func document(_ failure: EventStoreFailure) -> ProblemDocument {
        switch failure {
        case .unavailable(let why):
            ProblemDocument(
                "ledger-unavailable", 503, "The ledger cannot be reached", "nothing was recorded: \(why)", retry: true)
        case .outcomeUnknown(let why):
            ProblemDocument(
                "outcome-unknown", 503, "The ledger was lost in mid-write",
                "it may or may not have been recorded (\(why)): send the request again with the same Idempotency-Key",
                retry: true)
        case .fenced(let why):
            ProblemDocument("fenced", 503, "Another instance is in charge", why, retry: true)
        case .wrongExpectedVersion(let stream, let expected, let actual):
            ProblemDocument(
                "conflict", 409, "Others changed the stream at the same time",
                "\(stream) is at version \(actual), not \(expected): try again", retry: true)
        case .commandReused(let command, let stream):
            reused(command, stream)
        case .archived(let why):
            ProblemDocument("archived", 410, "The events stand in an archive", why)
        case .damaged(let why):
            ProblemDocument("log-damaged", 500, "The log lacks events", why)
        case .rejected(let why):
            ProblemDocument("rejected", 500, "The ledger does not accept what was to be recorded", why)
        }
    }

    /// - Source: draft-ietf-httpapi-idempotency-key-header, §2.7.
    private static func reused(_ command: Identifier, _ stream: StreamName) -> ProblemDocument {
        var document = ProblemDocument(
            "idempotency-key-reused", 422, "This Idempotency-Key was given for another order",
            "Idempotency-Key: \(command) was given before for another order to \(stream)")
        (document.field, document.value) = ("Idempotency-Key", "\(command)")
        document.fix = "mint a new key for each order, and send a repeat unchanged"
        return document
    }

    /// The answer.
    var response: Response {
        let document = document
        var headers: HTTPFields = [:]
        if document.status == 503 { headers[.retryAfter] = "1" }
        if case .wrongMethod(_, _, let takes) = self {
            headers[.allow] = takes.map(\.rawValue).joined(separator: ", ")
        }
        return .json(
            document, status: HTTPResponse.Status(code: document.status), type: "application/problem+json",
            headers: headers)
    }
}

extension RolloutRefusal {
    fileprivate func document(_ name: RolloutName) -> ProblemDocument {
        func conflict(_ code: String, _ detail: String) -> ProblemDocument {
            ProblemDocument(code, 409, "The rollout does not do that now", detail)
        }
        switch self {
        case .unknownRollout: return APIProblem.unknownRollout(name, nearest: nil).document
        case .invalidManifest(let problems): return APIProblem.invalidManifests(problems).document
        case .alreadyEnded(let phase):
            return conflict(
                "already-ended",
                "the release of rollout \"\(name.name)\" has ended (\(phase.rawValue)): only a new revision, a retry or "
                    + "an undo starts another")
        case .notAborted(let phase):
            return conflict(
                "not-aborted",
                "rollout \"\(name.name)\" is \(phase.rawValue): only an aborted release can be tried again")
        case .notPaused: return conflict("not-paused", "rollout \"\(name.name)\" is not paused")
        case .nothingToGoBackTo:
            return conflict("nothing-to-go-back-to", "no revision found for rollout \"\(name.name)\" before this one")
        case .unknownRevision(let number, let known):
            let list = known.map(String.init).joined(separator: ", ")
            var document = ProblemDocument(
                "unknown-revision", 422, "No such revision",
                "unable to find specified revision \(number) in history; kept are \(list)")
            (document.field, document.value) = ("toRevision", String(number))
            return document
        case .alreadyAtRevision(let number):
            return conflict(
                "already-at-revision", "skipped rollback (current template already matches revision \(number))")
        case .unknownContainer(let container, let known):
            var document = ProblemDocument(
                "unknown-container", 422, "No such container", "unable to find container named \"\(container)\"")
            (document.field, document.value) = ("images", container)
            document.nearest = NearestName.of(container, among: known)
            document.fix =
                document.nearest.map { "did you mean \($0)?" } ?? "name one of \(known.joined(separator: ", ")), or *"
            return document
        }
    }
}
