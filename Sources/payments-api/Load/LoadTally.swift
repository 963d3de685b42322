/// Adds up outcomes; each lands in exactly one bucket.
struct LoadTally: Sendable {
    /// How many seconds are kept.
    static let keptSeconds: Int64 = 3600
    /// How many of them an account in between tells, so that writing it does not hold up the sending.
    static let toldSeconds: Int64 = 60

    private(set) var sent = 0
    private(set) var total = 0
    private(set) var closedWhileIdle = 0
    private(set) var latestStart: Int64 = 0
    private var ok = 0
    private var failed5xx = 0
    private var other = 0
    private var lostBy: [RequestRecord.Loss: Int] = [:]
    private var reconnected = 0
    private var latency = Histogram()
    private var versions: [String: LoadReport.Version] = [:]
    private var seconds: [Int64: LoadReport.Second] = [:]

    /// Counts a request as begun, `lateness` microseconds behind its due time, and returns its number.
    mutating func begin(lateness: Int64 = 0) -> Int {
        sent += 1
        latestStart = max(latestStart, lateness)
        return sent
    }

    mutating func countClosedWhileIdle() { closedWhileIdle += 1 }

    /// Counts the outcome of one request that `begin` counted.
    mutating func finish(_ record: RequestRecord) {
        total += 1
        if record.reconnected { reconnected += 1 }
        let second = record.finishedAt / 1_000_000
        var bucket = seconds[second] ?? .init(second: second, answers: [:], lost: 0)
        defer {
            seconds[second] = bucket
            forget(before: second - Self.keptSeconds)
        }
        if let loss = record.lost {
            lostBy[loss, default: 0] += 1
            bucket.lost += 1
            return
        }
        guard let status = record.status else {
            preconditionFailure("a request that is not lost has a status: \(record)")
        }
        switch status {
        case ..<400: ok += 1
        case ..<500: other += 1
        default: failed5xx += 1
        }
        latency.count(record.finishedAt - record.startedAt)
        let version = record.version ?? "none"
        bucket.answers[version, default: [:]]["\(status)", default: 0] += 1
        count(record, of: version, status: "\(status)")
    }

    private mutating func count(_ record: RequestRecord, of version: String, status: String) {
        guard var entry = versions.removeValue(forKey: version) else {
            versions[version] = .init(
                total: 1, statuses: [status: 1], firstBegun: record, lastBegun: record, lastFinished: record)
            return
        }
        entry.total += 1
        entry.statuses[status, default: 0] += 1
        if record.startedAt < entry.firstBegun.startedAt { entry.firstBegun = record }
        if record.startedAt > entry.lastBegun.startedAt { entry.lastBegun = record }
        if record.finishedAt >= entry.lastFinished.finishedAt { entry.lastFinished = record }
        versions[version] = entry
    }

    private mutating func forget(before second: Int64) {
        guard seconds.count > Int(Self.keptSeconds) else { return }
        seconds = seconds.filter { $0.key >= second }
    }

    /// The account so far.
    func report(of plan: LoadPlan, url: String, startedAt: Int64, at now: Int64, finished: Bool) -> LoadReport {
        LoadReport(
            url: url, host: plan.host, mode: plan.mode, rate: plan.rate, startedAt: startedAt, writtenAt: now,
            finished: finished, sent: sent, inFlight: sent - total, total: total, ok: ok, failed5xx: failed5xx,
            other: other, lost: lostBy.values.reduce(0, +),
            lostBy: Dictionary(
                uniqueKeysWithValues: RequestRecord.Loss.allCases.map { ($0.rawValue, lostBy[$0] ?? 0) }),
            reconnected: reconnected, closedWhileIdle: closedWhileIdle,
            latency: .init(
                p50: latency.value(at: 0.5), p90: latency.value(at: 0.9), p99: latency.value(at: 0.99),
                max: latency.max),
            latestStart: latestStart, versions: versions,
            seconds: seconds.values.filter { finished || $0.second >= now / 1_000_000 - Self.toldSeconds }
                .sorted { $0.second < $1.second })
    }
}
