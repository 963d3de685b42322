import CLibcurl

/// What libcurl's codes mean to us.
enum FailureKinds {
    /// The kind of failure `code` stands for, and whether trying again might help.
    ///
    /// - Source: libcurl-errors(3).
    static func kind(of code: CURLcode) -> (TransferFailure.Code, canRetry: Bool) {
        switch code {
        case CURLE_URL_MALFORMAT: (.badURL, false)
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: (.couldNotResolve, true)
        case CURLE_COULDNT_CONNECT, CURLE_PROXY, CURLE_INTERFACE_FAILED: (.couldNotConnect, true)
        case CURLE_OPERATION_TIMEDOUT: (.timeout, true)
        case CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_PARTIAL_FILE, CURLE_HTTP2,
            CURLE_HTTP2_STREAM, CURLE_SEND_FAIL_REWIND:
            (.connectionLost, true)
        case CURLE_SSL_CONNECT_ERROR: (.tls, true)
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_CACERT_BADFILE,
            CURLE_SSL_CRL_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED,
            CURLE_SSL_ENGINE_INITFAILED, CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_SSL_INVALIDCERTSTATUS,
            CURLE_SSL_CLIENTCERT, CURLE_USE_SSL_FAILED, CURLE_SSL_SHUTDOWN_FAILED:
            (.tls, false)
        case CURLE_TOO_MANY_REDIRECTS: (.tooManyRedirects, false)
        case CURLE_FILESIZE_EXCEEDED: (.tooLarge, false)
        case CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING, CURLE_WRITE_ERROR:
            (.protocolError, false)
        case CURLE_ABORTED_BY_CALLBACK: (.cancelled, false)
        default: (.internalError, false)
        }
    }
}
