/// The generator's account of what it sent and what came back, as JSON on disk.
///
/// Times are microseconds since the Unix epoch. It always holds that
/// `total = ok + failed5xx + other + lost`, `lost` = the sum of `lostBy`, and `sent = total + inFlight`.
///
/// A request counts once however often it was sent: one that was sent anew on a fresh connection, because its kept-alive
/// connection had been closed between requests, counts once in `total` and once in `reconnected`. The server that
/// closed the connection never read the first copy, so `total` equals the access log of a server which stayed up,
/// less what `lostBy.connect` never delivered.
struct LoadReport: Sendable, Equatable, Codable {
    var url: String
    var host: String
    var mode: LoadPlan.Mode
    /// Requests per second that were asked for.
    var rate: Double
    var startedAt: Int64
    var writtenAt: Int64
    /// Whether all is over: nothing more is sent, nothing is awaited.
    var finished: Bool

    /// Requests begun.
    var sent: Int
    /// Requests begun whose outcome is not known yet.
    var inFlight: Int
    /// Requests whose outcome is known.
    var total: Int
    /// Answered with a status below 400.
    var ok: Int
    /// Answered with a status from 500 up, other than 502, 503 and 504.
    var failed5xx: Int
    /// Answered with a status from 400 to 499.
    var other: Int
    var lost: Int
    /// By the names of `RequestRecord.Loss`, each present.
    var lostBy: [String: Int]
    /// Requests that were sent anew, each counted once in `total` as well.
    var reconnected: Int
    /// Kept-alive connections found closed while no request was on them; no request was touched by these.
    var closedWhileIdle: Int

    var latency: Latency
    /// The furthest that a request was begun behind its due time, in microseconds.
    var latestStart: Int64
    /// By `X-Version`; answers without one stand under `none`.
    ///
    /// Lost requests do not stand here.
    var versions: [String: Version]
    /// Sorted by second: the last minute while running, the last hour at the end.
    ///
    /// A request stands in the second in which it finished.
    var seconds: [Second]

    /// In microseconds, of answered requests.
    struct Latency: Sendable, Equatable, Codable {
        var p50: Int64
        var p90: Int64
        var p99: Int64
        var max: Int64
    }

    struct Version: Sendable, Equatable, Codable {
        var total: Int
        /// Keys are statuses.
        var statuses: [String: Int]
        /// The answer whose request was begun first.
        var firstBegun: RequestRecord
        /// The answer whose request was begun last: a switch before its `startedAt` did not hold.
        var lastBegun: RequestRecord
        /// The answer that came last.
        var lastFinished: RequestRecord
    }

    struct Second: Sendable, Equatable, Codable {
        /// Seconds since the Unix epoch.
        var second: Int64
        /// Version, then status, to count.
        var answers: [String: [String: Int]]
        var lost: Int
    }
}
