import CLibcurl

/// Refuses, before anything is sent, what must not travel.
enum RequestCheck {
    /// - Throws: `.badURL` or `.badRequest`, naming the field, what is wrong and what would be right; or `.timeout` if no
    ///   time is left from the start.
    static func check(_ request: TransferRequest) throws(TransferFailure) {
        let job = TransferJob(request: request)
        if let problem = problem(inURL: request.url) { throw job.failure(.badURL, problem, canRetry: false) }
        if let problem = problem(in: request) { throw job.failure(.badRequest, problem, canRetry: false) }
        if let timeout = request.timeout, timeout <= .zero {
            throw job.failure(.timeout, "the timeout of \(timeout) had passed before the start", canRetry: false)
        }
    }

    private static func problem(inURL text: String) -> String? {
        if text.isEmpty { return "url is empty; write http://host/path" }
        if text.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) {
            return "url contains white space or control characters; write them percent-encoded"
        }
        guard text.contains("://") else { return "url has no scheme; write http:// or https:// before it" }
        // libcurl would skip further slashes and take the path for a host.
        if text.firstRange(of: "://").map({ text[$0.upperBound...].hasPrefix("/") }) == true {
            return "url names no host; write http://host/path"
        }
        guard let parsed = curl_url() else { return "no memory to read the url" }
        defer { curl_url_cleanup(parsed) }
        let code = curl_url_set(parsed, CURLUPART_URL, text, UInt32(CURLU_NON_SUPPORT_SCHEME))
        guard code == CURLUE_OK else { return "url cannot be read: \(String(cString: curl_url_strerror(code)))" }
        guard let scheme = part(CURLUPART_SCHEME, of: parsed)?.lowercased(), scheme == "http" || scheme == "https"
        else {
            return "url has a scheme that is not spoken here; only http and https are"
        }
        guard let host = part(CURLUPART_HOST, of: parsed), !host.isEmpty else {
            return "url names no host; write \(scheme)://host/path"
        }
        if let port = part(CURLUPART_PORT, of: parsed), port == "0" { return "url has port 0; write 1 to 65535" }
        return nil
    }

    private static func part(_ part: CURLUPart, of parsed: OpaquePointer) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard curl_url_get(parsed, part, &text, 0) == CURLUE_OK, let text else { return nil }
        defer { curl_free(text) }
        return String(cString: text)
    }

    private static func problem(in request: TransferRequest) -> String? {
        if !isToken(request.method) {
            return "method \(quoted(request.method)) is not a token; write for instance GET"
        }
        for header in request.headers {
            if !isToken(header.name) {
                return "header name \(quoted(header.name)) is not a token; use letters, digits and -"
            }
            if header.value.utf8.contains(where: isControl) {
                return "the value of header \(header.name) contains a control character; take line breaks out"
            }
        }
        if request.userAgent.utf8.contains(where: isControl) { return "userAgent contains a control character" }
        if let credentials = request.credentials {
            if credentials.user.contains(":") { return "the user name for basic authentication contains a colon" }
            if (credentials.user + credentials.password).utf8.contains(where: isControl) {
                return "the credentials for basic authentication contain a control character"
            }
        }
        if let path = request.unixSocketPath {
            if path.isEmpty || path.utf8.contains(0) { return "unixSocketPath is empty or contains a zero byte" }
            if path.utf8.count > 107 {
                return "unixSocketPath has \(path.utf8.count) bytes; the system allows 107"
            }
        }
        if case .url(let proxy) = request.proxy, proxy.isEmpty || proxy.utf8.contains(where: { $0 <= 0x20 }) {
            return "proxy is empty or contains white space; write http://host:port"
        }
        for material in [request.tls.authorities, request.tls.clientCertificate, request.tls.clientKey] {
            if case .file(let path) = material, path.isEmpty || path.utf8.contains(0) {
                return "a TLS file path is empty or contains a zero byte"
            }
        }
        if request.maximumResponseBytes < 0 { return "maximumResponseBytes is negative" }
        if request.maximumRedirects < 0 { return "maximumRedirects is negative" }
        if request.connectTimeout <= .zero { return "connectTimeout is \(request.connectTimeout); it must be positive" }
        if let idle = request.idleTimeout, idle <= .zero {
            return "idleTimeout is \(idle); it must be positive, or nil"
        }
        return nil
    }

    private static func quoted(_ text: String) -> String {
        "\""
            + text.unicodeScalars.prefix(64).map { $0.value < 0x20 || $0.value == 0x7F ? "\u{FFFD}" : String($0) }
            .joined() + "\""
    }

    private static func isControl(_ byte: UInt8) -> Bool { (byte < 0x20 && byte != 0x09) || byte == 0x7F }

    /// - Source: RFC 9110 §5.6.2.
    private static func isToken(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }
            }
    }
}
