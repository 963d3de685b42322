internal import Delivery
internal import EventSourcing
internal import HTTPTypes
internal import Hummingbird

/// The query of a request: only known names, each with a value that can be used.
struct Query {
    private let values: [String: [String]]

    /// The parameters that may be given several times.
    private static let lists: Set<String> = ["type"]

    init(_ request: Request, knows known: Set<String>) throws(APIProblem) {
        var values: [String: [String]] = [:]
        for (key, value) in request.uri.queryParameters {
            let key = String(key)
            guard known.contains(key) else {
                let nearest = NearestName.of(key, among: known.sorted())
                throw .badInput(
                    field: key, value: String(value), message: "there is no such parameter",
                    fix: nearest.map { "did you mean \($0)?" }
                        ?? (known.isEmpty ? "this takes none" : "one of \(known.sorted().joined(separator: ", "))"))
            }
            guard !value.utf8.contains(0) else {
                throw .badInput(
                    field: key, value: String(value), message: "it holds U+0000, which nothing here holds",
                    fix: "remove that character")
            }
            guard values[key] == nil || Self.lists.contains(key) else {
                throw .badInput(
                    field: key, value: String(value), message: "it is given twice", fix: "give one of the two")
            }
            values[key, default: []].append(String(value))
        }
        self.values = values
    }

    func text(_ name: String) -> String? { values[name]?.last.flatMap { $0.isEmpty ? nil : $0 } }

    /// All values of a parameter that may be given several times, or with commas.
    func texts(_ name: String) -> [String] {
        (values[name] ?? []).flatMap { $0.split(separator: ",").map(String.init) }
    }

    func flag(_ name: String) throws(APIProblem) -> Bool {
        guard let value = values[name]?.last else { return false }
        switch value {
        case "true", "1", "": return true
        case "false", "0": return false
        default: throw .badInput(field: name, value: value, message: "not a truth value", fix: "true or false")
        }
    }

    func number(_ name: String, in range: ClosedRange<Int64>) throws(APIProblem) -> Int64? {
        guard let value = text(name) else { return nil }
        guard let number = Int64(value), range.contains(number) else {
            let limit =
                range.upperBound == .max
                ? "of at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
            throw .badInput(field: name, value: value, message: "not a number \(limit)", fix: "write such a number")
        }
        return number
    }

    func identifier(_ name: String) throws(APIProblem) -> Identifier? {
        guard let value = text(name) else { return nil }
        guard let id = Identifier(value) else {
            throw .badInput(field: name, value: value, message: "not a UUID", fix: "write all 36 characters")
        }
        return id
    }

    func instant(_ name: String) throws(APIProblem) -> Instant? {
        guard let value = text(name) else { return nil }
        guard let instant = Instant(value) else {
            throw .badInput(
                field: name, value: value, message: "not a time",
                fix: "write RFC 3339 such as 2026-11-24T09:30:00Z (and + as %2B)")
        }
        return instant
    }

    func point(_ name: String) throws(APIProblem) -> PointInTime? {
        guard let value = text(name) else { return nil }
        guard let point = PointInTime(value) else {
            throw .badInput(
                field: name, value: value, message: "not a moment of the past",
                fix: "write a time (2026-11-24T09:30:00Z, + as %2B), a position (1042) or a version (v17)")
        }
        return point
    }
}

/// The body of an order: a JSON object (or nothing) with known members only.
struct OrderBody {
    private let members: [String: JSONValue]

    /// The one text of a body that says the same, however it was written; an empty body says what `{}` does.
    var canonical: String { CanonicalJSON.text(JSONValue.object(members)) }

    init(_ request: Request, context: APIContext, knows known: Set<String>) async throws {
        var request = request
        let text = try await request.text()
        guard !text.allSatisfy(\.isWhitespace) else {
            members = [:]
            return
        }
        let value: JSONValue
        do { value = try CanonicalJSON.read(from: text) } catch {
            throw APIProblem.badInput(
                field: "body", value: String(text.prefix(60)), message: Self.whyNotJSON(text),
                fix: "send a JSON object, or nothing")
        }
        guard case .object(let members) = value else {
            throw APIProblem.badInput(
                field: "body", value: String(text.prefix(60)), message: "not an object", fix: "send a JSON object")
        }
        for key in members.keys.sorted() where !known.contains(key) {
            let nearest = NearestName.of(key, among: known.sorted())
            throw APIProblem.badInput(
                field: key, value: CanonicalJSON.text(members[key]), message: "there is no such field",
                fix: nearest.map { "did you mean \($0)?" }
                    ?? (known.isEmpty ? "this takes none" : "one of \(known.sorted().joined(separator: ", "))"))
        }
        self.members = members
    }

    func flag(_ name: String) throws(APIProblem) -> Bool {
        guard let value = members[name], !value.isNull else { return false }
        guard let flag = value.boolValue else { throw wrong(name, "not a truth value", "true or false") }
        return flag
    }

    func text(_ name: String) throws(APIProblem) -> String? {
        guard let value = members[name], !value.isNull else { return nil }
        guard let text = value.stringValue, text.utf8.count <= 4096 else {
            throw wrong(name, "not a text of at most 4096 bytes", "write a shorter text, in quotes")
        }
        try check(text, name)
        return text.isEmpty ? nil : text
    }

    func number(_ name: String) throws(APIProblem) -> Int? {
        guard let value = members[name], !value.isNull else { return nil }
        guard let number = value.intValue, number >= 0 else {
            throw wrong(name, "not a whole number of at least 0", "write such a number, without quotes")
        }
        return number
    }

    func texts(_ name: String) throws(APIProblem) -> [String: String] {
        guard let members = members[name]?.objectValue, !members.isEmpty else {
            throw wrong(name, "not an object with members", "write {\"container\": \"image\"}")
        }
        var texts: [String: String] = [:]
        for (key, value) in members {
            guard let text = value.stringValue else {
                throw wrong(name, "\(key) is no text", "write the image in quotes")
            }
            try check(key, name)
            try check(text, name)
            texts[key] = text
        }
        return texts
    }

    /// Refuses what no event can keep.
    private func check(_ text: String, _ name: String) throws(APIProblem) {
        guard !text.utf8.contains(0) else {
            throw wrong(name, "it holds U+0000, which cannot be kept", "remove that character")
        }
    }

    /// What the ledger's own reader has to say of a text that is no JSON; lone surrogates among it.
    private static func whyNotJSON(_ text: String) -> String {
        do throws(JSONText.Problem) { try JSONText.check(text) } catch { return "not JSON: \(error)" }
        return "a number in it is too large to be read"
    }

    private func wrong(_ name: String, _ message: String, _ fix: String) -> APIProblem {
        .badInput(field: name, value: members[name].map { CanonicalJSON.text($0) }, message: message, fix: fix)
    }
}

extension Request {
    /// The body as text.
    mutating func text() async throws -> String {
        let body: ByteBuffer
        do { body = try await collectBody(upTo: APIContext.bodyLimit) } catch let error as any HTTPResponseError {
            throw error
        } catch let error as CancellationError {
            throw error
        } catch {
            // What is left: the caller broke off, or does not frame the body as HTTP asks.
            throw APIProblem.badInput(
                field: "body", value: nil, message: "it could not be read: \(error)",
                fix: "send it whole, with a right Content-Length or Transfer-Encoding")
        }
        guard let text = String(validating: body.readableBytesView, as: UTF8.self) else {
            throw APIProblem.badInput(
                field: "body", value: nil, message: "it is not UTF-8 text", fix: "send it in UTF-8")
        }
        return text
    }

    /// Who sends the request, as it says itself.
    func actor() throws(APIProblem) -> EventActor {
        let subject = headers[.rollbookActor] ?? "anonymous"
        guard (1...200).contains(subject.utf8.count), subject.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw .badInput(
                field: "X-Rollbook-Actor", value: subject, message: "not 1 to 200 printable ASCII characters",
                fix: "write user@host")
        }
        return EventActor(subject: subject, issuer: "operating-system", method: .unauthenticated)
    }

    /// The client's own name, as the command line says it.
    var isFromCommandLine: Bool { headers[.userAgent]?.hasPrefix("rollbook-cli") ?? false }
}

extension HTTPField.Name {
    /// Who sends the request.
    static let rollbookActor = HTTPField.Name("X-Rollbook-Actor")!
    /// The id under which a repeat of the request is recognised.
    static let idempotencyKey = HTTPField.Name("Idempotency-Key")!
    /// Where an interrupted stream of events goes on.
    static let lastEventID = HTTPField.Name("Last-Event-ID")!
}
