import Transfer

/// An http or https address as a manifest gives it, taken apart as far as we need.
struct ServerAddress: Equatable {
    /// `scheme://authority`, as written.
    let origin: String
    /// The path without a slash at its end; may be empty.
    let path: String
    let endpoint: TransferRoute.Endpoint

    /// Nil without a scheme of http or https and a host.
    init?(_ text: String) {
        guard let separator = text.firstRange(of: "://") else { return nil }
        let scheme = text[..<separator.lowerBound].lowercased()
        guard scheme == "http" || scheme == "https" else { return nil }
        let rest = text[separator.upperBound...]
        let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        var authority = rest[..<end]
        if let at = authority.lastIndex(of: "@") { authority = authority[authority.index(after: at)...] }
        let withPort =
            authority.wholeMatch(of: /.*:[0-9]+/) == nil
            ? "\(authority):\(scheme == "http" ? 80 : 443)" : String(authority)
        guard let endpoint = TransferRoute.Endpoint(withPort) else { return nil }
        self.endpoint = endpoint
        origin = String(text[..<end])
        var path = rest[end...].prefix { $0 != "?" && $0 != "#" }
        while path.hasSuffix("/") { path = path.dropLast() }
        self.path = String(path)
    }
}
