/// Takes secrets out of what failures show.
enum Redaction {
    /// What stands in for a secret.
    static let mark = "<redacted>"

    /// Query parameters whose values are secrets, lower case, without `-` and `_`.
    private static let secretNames: Set<String> = [
        "accesskey", "accesstoken", "apikey", "apitoken", "appkey", "applicationkey", "auth", "authorization",
        "authtoken", "bearer", "clientsecret", "code", "credential", "idtoken", "jwt", "key", "pass", "passwd",
        "password", "privatekey", "pwd", "refreshtoken", "routingkey", "secret", "secretkey", "servicekey",
        "sessiontoken", "sig", "signature", "token", "xamzcredential", "xamzsecuritytoken", "xamzsignature",
    ]

    /// `url` without user information, secret query values and fragment; without its path too if that is a secret.
    static func url(_ url: String, hidingPath: Bool = false) -> String {
        var parts = Parts(url)
        if parts.userInformation != nil { parts.userInformation = mark }
        if hidingPath, parts.path.count > 1 { parts.path = "/\(mark)" }
        parts.query = parts.query.map { hidingPath ? mark : redactedQuery($0) }
        let shown = parts.joined
        return String(
            String.UnicodeScalarView(
                shown.unicodeScalars.prefix(2048).map { $0.value < 0x20 || $0.value == 0x7F ? "\u{FFFD}" : $0 }))
    }

    /// `text` without any secret of `request` that it may repeat.
    static func detail(_ text: String, of request: TransferRequest) -> String {
        var shown = text
        for secret in secrets(of: request) where secret.count > 2 {
            shown = shown.replacing(secret, with: mark)
        }
        return shown
    }

    private static func secrets(of request: TransferRequest) -> [String] {
        let parts = Parts(request.url)
        var secrets: [String] = []
        if let user = parts.userInformation { secrets += [user] + user.split(separator: ":").map(String.init) }
        for (name, value) in pairs(parts.query ?? "") where isSecret(name) { secrets += value.map { [$0] } ?? [] }
        if request.hidesPath { secrets.append(parts.path) }
        if let credentials = request.credentials { secrets.append(credentials.password) }
        if case .url(let proxy) = request.proxy, let user = Parts(proxy).userInformation {
            secrets += [user] + user.split(separator: ":").map(String.init)
        }
        return secrets.sorted { $0.count > $1.count }
    }

    private static func redactedQuery(_ query: String) -> String {
        pairs(query).map { name, value in
            guard let value else { return name }
            return "\(name)=\(isSecret(name) ? mark : value)"
        }.joined(separator: "&")
    }

    private static func isSecret(_ name: String) -> Bool {
        secretNames.contains(name.lowercased().filter { $0 != "-" && $0 != "_" })
    }

    private static func pairs(_ query: String) -> [(name: String, value: String?)] {
        query.split(separator: "&", omittingEmptySubsequences: false).map { pair in
            guard let equals = pair.firstIndex(of: "=") else { return (String(pair), nil) }
            return (String(pair[..<equals]), String(pair[pair.index(after: equals)...]))
        }
    }

    /// The pieces of an address, found leniently so that even a broken one is redacted.
    private struct Parts {
        var scheme: String
        var userInformation: String?
        var host: String
        var path: String
        var query: String?

        init(_ url: String) {
            var rest = url[...]
            if let hash = rest.firstIndex(of: "#") { rest = rest[..<hash] }
            if let mark = rest.firstIndex(of: "?") {
                query = String(rest[rest.index(after: mark)...])
                rest = rest[..<mark]
            }
            if let range = rest.firstRange(of: "://") {
                scheme = String(rest[..<range.upperBound])
                rest = rest[range.upperBound...]
            } else {
                scheme = ""
            }
            let slash = rest.firstIndex { $0 == "/" || $0 == "\\" } ?? rest.endIndex
            var authority = rest[..<slash]
            path = String(rest[slash...])
            if let at = authority.lastIndex(of: "@") {
                userInformation = String(authority[..<at])
                authority = authority[authority.index(after: at)...]
            } else if let at = path.lastIndex(of: "@"), authority.contains(":") {
                // A password with an unescaped slash: take everything up to the last @ for a secret.
                userInformation = String(authority) + String(path[..<at])
                authority = path[path.index(after: at)...].prefix { $0 != "/" }
                path = String(path[path.index(after: at)...].drop { $0 != "/" })
            }
            host = String(authority)
        }

        var joined: String {
            scheme + (userInformation.map { $0 + "@" } ?? "") + host + path + (query.map { "?" + $0 } ?? "")
        }
    }
}
