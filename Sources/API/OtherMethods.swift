internal import HTTPTypes
internal import Hummingbird

/// What a known path answers to a method that it does not take: 405, and in `Allow` the ones that it takes.
///
/// - Source: RFC 9110, §15.5.6 and §9.1 (a method that nobody knows is 501 instead).
enum OtherMethods {
    /// Every method that has a meaning somewhere.
    static let known: [HTTPRequest.Method] = [.get, .head, .post, .put, .patch, .delete, .options, .trace, .connect]

    /// Adds the answer to all routes that `router` has; called once they stand.
    static func refuse(on router: Router<APIContext>) {
        let routes = Dictionary(grouping: router.routes, by: \.path.description)
        for routes in routes.values {
            guard let path = routes.first?.path else { continue }
            var takes = Set(routes.map(\.method))
            if takes.contains(.get) { takes.insert(.head) }
            let allowed = known.filter(takes.contains)
            for method in known where !takes.contains(method) {
                router.on(path, method: method) { request, _ -> Response in
                    throw APIProblem.wrongMethod(method, path: request.uri.path, takes: allowed)
                }
            }
        }
    }
}
