import CLibcurl

/// Turns a checked request into options of an easy handle.
enum EasyOptions {
    /// An option libcurl would not take.
    struct Refused: Error {
        let code: CURLcode
        let field: String
    }

    typealias List = UnsafeMutablePointer<curl_slist>

    /// Whether redirects of `request` are followed at all: repeating PUT, PATCH or DELETE elsewhere is the caller's decision.
    static func follows(_ request: TransferRequest) -> Bool {
        request.maximumRedirects > 0 && ["GET", "HEAD", "POST"].contains(request.method)
    }

    /// Sets everything `request` asks for; libcurl copies strings and content.
    ///
    /// - Returns: Lists that must outlive the handle; the caller frees them.
    static func apply(_ request: TransferRequest, to easy: UnsafeMutableRawPointer) throws(Refused) -> [List] {
        let setter = Setter(easy: easy)
        try setter.string(CURLOPT_URL, request.url, "url")
        try setter.accept(rollbook_curl_allow_only_http(easy), "url")
        try setter.accept(rollbook_curl_leave_resolver_behind(easy), "url")
        try setter.long(CURLOPT_NOSIGNAL, 1, "signals")
        try setter.long(CURLOPT_TCP_KEEPALIVE, 1, "keepAlive")
        try setter.long(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_2TLS), "httpVersion")
        try setter.string(CURLOPT_ACCEPT_ENCODING, "gzip", "encoding")
        try setter.long(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1, "proxy")
        try setter.string(CURLOPT_USERAGENT, request.userAgent, "userAgent")
        if let timeout = request.timeout {
            try setter.long(CURLOPT_TIMEOUT_MS, timeout.wholeMilliseconds, "timeout")
        }
        try setter.long(CURLOPT_CONNECTTIMEOUT_MS, request.connectTimeout.wholeMilliseconds, "connectTimeout")
        if follows(request) {
            try setter.long(CURLOPT_FOLLOWLOCATION, 1, "maximumRedirects")
            try setter.long(CURLOPT_MAXREDIRS, min(request.maximumRedirects, 50), "maximumRedirects")
        }
        if !request.keepAlive {
            try setter.long(CURLOPT_FRESH_CONNECT, 1, "keepAlive")
            try setter.long(CURLOPT_FORBID_REUSE, 1, "keepAlive")
        }
        if let credentials = request.credentials {
            try setter.long(CURLOPT_HTTPAUTH, rollbook_curl_auth_basic, "credentials")
            try setter.string(CURLOPT_USERNAME, credentials.user, "credentials")
            try setter.string(CURLOPT_PASSWORD, credentials.password, "credentials")
        }
        if let path = request.unixSocketPath { try setter.string(CURLOPT_UNIX_SOCKET_PATH, path, "unixSocketPath") }
        try applyMethod(of: request, with: setter)
        try applyTLS(of: request, with: setter)
        return try applyLists(of: request, with: setter)
    }

    private static func applyMethod(of request: TransferRequest, with setter: Setter) throws(Refused) {
        let method = request.method
        if method == "HEAD", request.body == nil { return try setter.long(CURLOPT_NOBODY, 1, "method") }
        if method == "GET", request.body == nil { return try setter.long(CURLOPT_HTTPGET, 1, "method") }
        let needsContent = ["POST", "PUT", "PATCH"].contains(method)
        if request.body != nil || needsContent {
            let body = request.body ?? []
            try setter.accept(
                rollbook_curl_set_offset(setter.easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count)), "body")
            let code = body.withUnsafeBytes { bytes in
                // An empty array may have no address at all, which libcurl would take for "no content given".
                guard let address = bytes.baseAddress, bytes.count > 0 else {
                    return rollbook_curl_set_string(setter.easy, CURLOPT_COPYPOSTFIELDS, "")
                }
                return rollbook_curl_set_pointer(
                    setter.easy, CURLOPT_COPYPOSTFIELDS, UnsafeMutableRawPointer(mutating: address))
            }
            try setter.accept(code, "body")
        }
        if method != "POST" { try setter.string(CURLOPT_CUSTOMREQUEST, method, "method") }
    }

    private static func applyTLS(of request: TransferRequest, with setter: Setter) throws(Refused) {
        let tls = request.tls
        try setter.long(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2), "tls")
        if tls.skipsVerification {
            try setter.long(CURLOPT_SSL_VERIFYPEER, 0, "tls.skipsVerification")
            try setter.long(CURLOPT_SSL_VERIFYHOST, 0, "tls.skipsVerification")
        }
        try setter.material(tls.authorities, CURLOPT_CAINFO, CURLOPT_CAINFO_BLOB, "tls.authorities")
        try setter.material(tls.clientCertificate, CURLOPT_SSLCERT, CURLOPT_SSLCERT_BLOB, "tls.clientCertificate")
        try setter.material(tls.clientKey, CURLOPT_SSLKEY, CURLOPT_SSLKEY_BLOB, "tls.clientKey")
    }

    private static func applyLists(of request: TransferRequest, with setter: Setter) throws(Refused) -> [List] {
        var lists: [List] = []
        do throws(Refused) {
            var lines = request.headers.map { header in
                // "Name;" is libcurl's way to send a field without a value; "Name:" would take the field away.
                header.value.isEmpty ? "\(header.name);" : "\(header.name): \(header.value)"
            }
            // Fields libcurl would add on its own are taken away unless asked for.
            for name in ["Content-Type", "Expect"] where request.headers.first(named: name) == nil {
                lines.append("\(name):")
            }
            let headers = try list(of: lines, "headers")
            lists.append(headers)
            try setter.accept(rollbook_curl_set_list(setter.easy, CURLOPT_HTTPHEADER, headers), "headers")

            let target = Target(url: request.url)
            let route = request.routes.first { $0.from.port == target.port && $0.from.host.lowercased() == target.host }
            if let route {
                let from = route.from.host.contains(":") ? "[\(route.from.host)]" : route.from.host
                let line = "\(from):\(route.from.port):\(route.to)"
                let connect = try list(of: [line], "routes")
                lists.append(connect)
                try setter.accept(rollbook_curl_set_list(setter.easy, CURLOPT_CONNECT_TO, connect), "routes")
            }
            switch request.proxy {
            case .none: try setter.string(CURLOPT_PROXY, "", "proxy")
            case .url(let address): try setter.string(CURLOPT_PROXY, address, "proxy")
            case .environment:
                if route != nil || request.unixSocketPath != nil || target.isLoopback {
                    try setter.string(CURLOPT_PROXY, "", "proxy")
                }
            }
            return lists
        } catch {
            for list in lists { curl_slist_free_all(list) }
            throw error
        }
    }

    private static func list(of lines: [String], _ field: String) throws(Refused) -> List {
        var list: List?
        for line in lines {
            guard let longer = curl_slist_append(list, line) else {
                curl_slist_free_all(list)
                throw Refused(code: CURLE_OUT_OF_MEMORY, field: field)
            }
            list = longer
        }
        guard let list else { preconditionFailure("a list of options without lines: \(field)") }
        return list
    }

    /// Where a URL points before any detour.
    private struct Target {
        var host = ""
        var port: UInt16 = 0

        init(url: String) {
            guard let parsed = curl_url() else { return }
            defer { curl_url_cleanup(parsed) }
            guard curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK else { return }
            var text: UnsafeMutablePointer<CChar>?
            if curl_url_get(parsed, CURLUPART_HOST, &text, 0) == CURLUE_OK, let text {
                host = String(cString: text).lowercased()
                if host.hasPrefix("[") { host = String(host.dropFirst().dropLast()) }
                curl_free(text)
            }
            text = nil
            if curl_url_get(parsed, CURLUPART_PORT, &text, UInt32(CURLU_DEFAULT_PORT)) == CURLUE_OK, let text {
                port = UInt16(String(cString: text)) ?? 0
                curl_free(text)
            }
        }

        var isLoopback: Bool {
            host == "localhost" || host.hasSuffix(".localhost") || host == "::1"
                || (host.hasPrefix("127.") && host.utf8.allSatisfy { $0 == 0x2E || (0x30...0x39).contains($0) })
        }
    }

    /// Sets one option, or says which field of the request it came from.
    private struct Setter {
        let easy: UnsafeMutableRawPointer

        func accept(_ code: CURLcode, _ field: String) throws(Refused) {
            guard code == CURLE_OK else { throw Refused(code: code, field: field) }
        }

        func long(_ option: CURLoption, _ value: Int, _ field: String) throws(Refused) {
            try accept(rollbook_curl_set_long(easy, option, value), field)
        }

        func string(_ option: CURLoption, _ value: String, _ field: String) throws(Refused) {
            try accept(rollbook_curl_set_string(easy, option, value), field)
        }

        func material(
            _ material: TransferTLS.Material?, _ file: CURLoption, _ blob: CURLoption, _ field: String
        ) throws(Refused) {
            switch material {
            case nil: return
            case .file(let path): try string(file, path, field)
            case .pem(let bytes):
                try accept(
                    bytes.withUnsafeBytes { rollbook_curl_set_blob(easy, blob, $0.baseAddress, $0.count) }, field)
            }
        }
    }
}
