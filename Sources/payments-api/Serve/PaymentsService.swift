import HTTPTypes
import Hummingbird

/// What the service answers, apart from how it listens.
///
/// - `/` answers 200 with the version as JSON; a broken version answers 500 to every fifth request.
/// - `/healthz` answers 200.
/// - `/metrics` answers in the Prometheus text format. Only requests to `/` are counted.
struct PaymentsService: Sendable {
    /// The image tag, as it is told in `X-Version`.
    let version: String
    let counters: RequestCounters

    init(version: String) {
        self.version = version
        counters = RequestCounters(version: version)
    }

    /// Whether this version fails every fifth request.
    var isBroken: Bool { version.hasSuffix("-broken") }

    func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.get("/") { _, _ in payment() }
        router.get("/healthz") { _, _ in "ok\n" }
        router.get("/metrics") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: .init(byteBuffer: .init(string: counters.exposition())))
        }
        return router
    }

    /// Answers one request to `/` and counts it.
    func payment() -> Response {
        let status = counters.next(failingEveryFifth: isBroken)
        let body =
            status == .ok
            ? #"{"service":"payments-api","version":"\#(escaped(version))"}"#
            : #"{"service":"payments-api","version":"\#(escaped(version))","error":"the ledger of payments said no"}"#
        return Response(
            status: status,
            headers: [.contentType: "application/json", .version: headerValue(version)],
            body: .init(byteBuffer: .init(string: body + "\n")))
    }
}

/// `text` fit to stand between quotes in JSON and in a Prometheus label.
func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"", "\\": result += "\\\(scalar)"
        case _ where scalar.value < 0x20: result += " "
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result
}

/// `text` with whatever a header value cannot hold replaced by `?`.
private func headerValue(_ text: String) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.map { (0x21...0x7e).contains($0.value) ? $0 : "?" }))
}

extension HTTPField.Name {
    /// Which version answered.
    fileprivate static let version = HTTPField.Name("X-Version")!
}
