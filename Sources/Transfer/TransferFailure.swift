/// Why there is no (whole) answer.
///
/// Carries no secret of the request.
public struct TransferFailure: Error, Sendable, Hashable {
    /// The kind of failure.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// The address is not an absolute http or https URL.
        case badURL
        /// Something else in the request cannot be sent, for instance a line break in a header.
        case badRequest
        /// The name of the server or proxy has no address.
        case couldNotResolve
        /// Nothing accepted the connection.
        case couldNotConnect
        /// A limit in time passed: total, connecting or idle.
        case timeout
        /// Verification, handshake or key material.
        case tls
        /// The connection broke before the answer was complete; the server may have acted.
        case connectionLost
        /// The answer is not the HTTP it should be.
        case protocolError
        /// The answer is larger than allowed.
        case tooLarge
        /// More redirects than allowed.
        case tooManyRedirects
        /// The task was cancelled, or a stream was given up.
        case cancelled
        /// The client was closed.
        case closed
        /// libcurl failed in a way no request should cause.
        case internalError
    }

    /// The kind of failure.
    public var code: Code
    /// The method of the request.
    public var method: String
    /// The address with user information and secret query values replaced by `<redacted>`.
    public var url: String
    /// libcurl's own code, where it had a say.
    public var curlCode: UInt32?
    /// One sentence of explanation.
    public var detail: String
    /// Whether the same request might succeed later.
    ///
    /// Says nothing about whether repeating it is safe.
    public var canRetry: Bool

    /// Makes a failure, as tests and doubles need to; `url` must already be redacted.
    public init(
        code: Code, method: String = "GET", url: String, curlCode: UInt32? = nil, detail: String, canRetry: Bool
    ) {
        self.code = code
        self.method = method
        self.url = url
        self.curlCode = curlCode
        self.detail = detail
        self.canRetry = canRetry
    }
}

extension TransferFailure: CustomStringConvertible {
    /// One line, for instance `GET http://x/: couldNotConnect: Failed to connect to x port 80`.
    public var description: String { "\(method) \(url): \(code.rawValue): \(detail)" }
}
