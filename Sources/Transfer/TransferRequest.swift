/// What is asked of a server, and within which limits.
///
/// Checked when sent, not when made.
public struct TransferRequest: Sendable, Hashable {
    /// Which proxy stands between us and the server.
    public enum Proxy: Sendable, Hashable {
        /// Whatever `http_proxy`, `https_proxy` and `no_proxy` say; loopback, routed and Unix socket addresses go direct.
        case environment
        /// Always direct.
        case none
        /// The address of a proxy; may carry credentials, which are never shown.
        case url(String)
    }

    /// The method, upper case as a rule; sent as written.
    public var method: String
    /// An absolute http or https address.
    public var url: String
    /// Sent in this order.
    ///
    /// Values must not contain control characters.
    public var headers: [TransferHeader]
    /// The content; nil sends none.
    ///
    /// No Content-Type is invented for it.
    public var body: [UInt8]?
    /// From start to the last byte; nil waits for ever.
    ///
    /// Zero or less has already passed.
    public var timeout: Duration?
    /// For name, connection and TLS handshake together.
    public var connectTimeout: Duration
    /// The longest silence of the server, heartbeats included; nil allows any.
    ///
    /// Time in which the reader of a stream holds the server back does not count.
    public var idleTimeout: Duration?
    /// How many redirects to follow; 0 hands the redirect itself to the caller.
    ///
    /// Only GET, HEAD and POST are ever redirected.
    public var maximumRedirects: Int
    /// The largest content accepted by `send`, counted after decompression.
    ///
    /// A stream has no such limit.
    public var maximumResponseBytes: Int
    /// Verification and identity for https.
    public var tls: TransferTLS
    /// Which proxy to use.
    public var proxy: Proxy
    /// Connects to this socket instead of the address in the URL, whose host still names the server.
    public var unixSocketPath: String?
    /// Whether the connection may come from, and return to, the pool.
    public var keepAlive: Bool
    /// Sent as Basic authentication with the first request.
    public var credentials: TransferCredentials?
    /// The User-Agent header, unless `headers` has one.
    public var userAgent: String
    /// Detours by host and port; the first match wins.
    public var routes: [TransferRoute]
    /// Whether the path itself is a secret, as in the address of an incoming webhook; failures then hide it.
    public var hidesPath: Bool

    /// Asks for `url`: 30 s in all, 10 s to connect, 16 MiB at most, no redirects.
    public init(
        method: String = "GET",
        url: String,
        headers: [TransferHeader] = [],
        body: [UInt8]? = nil,
        timeout: Duration? = .seconds(30),
        connectTimeout: Duration = .seconds(10),
        idleTimeout: Duration? = nil,
        maximumRedirects: Int = 0,
        maximumResponseBytes: Int = 16 << 20,
        tls: TransferTLS = TransferTLS(),
        proxy: Proxy = .environment,
        unixSocketPath: String? = nil,
        keepAlive: Bool = true,
        credentials: TransferCredentials? = nil,
        userAgent: String = "rollbook",
        routes: [TransferRoute] = [],
        hidesPath: Bool = false
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
        self.connectTimeout = connectTimeout
        self.idleTimeout = idleTimeout
        self.maximumRedirects = maximumRedirects
        self.maximumResponseBytes = maximumResponseBytes
        self.tls = tls
        self.proxy = proxy
        self.unixSocketPath = unixSocketPath
        self.keepAlive = keepAlive
        self.credentials = credentials
        self.userAgent = userAgent
        self.routes = routes
        self.hidesPath = hidesPath
    }
}

extension TransferRequest {
    /// The address as it may be shown: user information and secret query values replaced by `<redacted>`, no fragment.
    public var redactedURL: String { Redaction.url(url, hidingPath: hidesPath) }
}
