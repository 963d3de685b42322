internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import Synchronization

/// Puts every error into a problem document, and counts requests.
struct ProblemMiddleware: RouterMiddleware {
    let counters: RequestCounters

    func handle(
        _ request: Request, context: APIContext, next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        let response: Response
        do {
            response = try await next(request, context)
        } catch {
            var problem = APIProblem(error)
            if case .http(404, _) = problem {
                problem =
                    OtherMethods.known.contains(request.method)
                    ? .unknownPath(request.uri.path) : .unknownMethod(request.method)
            }
            if problem.document.status == 500 {
                context.logger.error(
                    "request failed", metadata: ["error": "\(error)", "http.path": "\(request.uri.path)"])
            }
            response = problem.response
        }
        counters.count(status: response.status.code)
        return response
    }
}

/// Answers only requests that are meant for this host: a page of another site must not reach a server on loopback.
///
/// - Source: DNS rebinding; design.md §10.
struct OwnHostMiddleware: RouterMiddleware {
    let port: Int?

    func handle(
        _ request: Request, context: APIContext, next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        let host = request.head.authority ?? ""
        guard isOwn(host) else { throw APIProblem.foreign(header: "Host", value: host) }
        if let origin = request.headers[.origin] {
            let authority = origin.split(separator: "://", maxSplits: 1).last.map(String.init) ?? ""
            guard origin.hasPrefix("http://") || origin.hasPrefix("https://"), isOwn(authority) else {
                throw APIProblem.foreign(header: "Origin", value: origin)
            }
        }
        return try await next(request, context)
    }

    /// Whether `authority` names this host and port.
    func isOwn(_ authority: String) -> Bool {
        for host in ["127.0.0.1", "localhost", "[::1]"] where authority.lowercased().hasPrefix(host) {
            let rest = authority.dropFirst(host.count)
            if rest.isEmpty { return port == nil || port == 80 }
            guard rest.first == ":", let given = Int(rest.dropFirst()) else { return false }
            return port == nil || port == given
        }
        return false
    }
}

/// How many requests were answered how.
final class RequestCounters: Sendable {
    private let counts = Mutex<[Int: Int]>([:])

    func count(status: Int) { counts.withLock { $0[status, default: 0] += 1 } }

    /// By status, ascending.
    var all: [(status: Int, count: Int)] {
        counts.withLock { $0.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } }
    }
}
