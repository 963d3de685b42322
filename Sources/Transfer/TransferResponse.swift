/// The status and headers of the final answer; interim (1xx) and followed redirects are left out.
public struct TransferHead: Sendable, Hashable {
    /// From 200 to 999.
    public var status: Int
    /// `1.0`, `1.1` or `2`.
    public var httpVersion: String
    /// In the order received, repeats apart.
    ///
    /// Content-Encoding and Content-Length describe the content before decompression.
    public var headers: [TransferHeader]

    /// Makes a head, as tests and doubles need to.
    public init(status: Int, httpVersion: String = "1.1", headers: [TransferHeader] = []) {
        self.status = status
        self.httpVersion = httpVersion
        self.headers = headers
    }

    /// Whether the status is 2xx.
    public var isSuccess: Bool { (200...299).contains(status) }
}

/// A whole answer: any status is an answer, not a failure.
public struct TransferResponse: Sendable, Hashable {
    /// Status and headers.
    public var head: TransferHead
    /// The content, decompressed.
    public var body: [UInt8]
    /// From start to the last byte.
    public var duration: Duration

    /// Makes an answer, as tests and doubles need to.
    public init(head: TransferHead, body: [UInt8], duration: Duration = .zero) {
        self.head = head
        self.body = body
        self.duration = duration
    }

    /// The status code.
    public var status: Int { head.status }
    /// The header fields, in the order received.
    public var headers: [TransferHeader] { head.headers }
    /// The content read as UTF-8, with replacement characters where it is not.
    public var text: String { String(decoding: body, as: UTF8.self) }
}
