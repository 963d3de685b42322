/// What became of one request.
///
/// Each request has exactly one.
struct RequestRecord: Sendable, Equatable, Codable {
    /// Why a request counts as lost.
    enum Loss: String, Sendable, Codable, CaseIterable {
        /// No connection could be made.
        case connect
        /// The connection broke before the whole answer had come.
        case broken
        /// No whole answer in time.
        case timeout
        /// What came was not an HTTP answer.
        case malformed
        /// 502, 503 or 504: a proxy could not reach the service.
        case gateway
    }

    /// From 1, in the order of starting.
    var number: Int
    /// When it was begun, in microseconds since the Unix epoch.
    var startedAt: Int64
    /// When the last byte of the answer had come, or it was given up; microseconds since the Unix epoch.
    var finishedAt: Int64
    /// What `X-Version` said; `nil` if there was no answer or no such header.
    var version: String?
    /// `nil` if there was no answer.
    var status: Int?
    /// `nil` if it was answered by the service.
    var lost: Loss?
    /// Whether it was sent anew because its kept-alive connection had been closed between requests.
    var reconnected = false
}
