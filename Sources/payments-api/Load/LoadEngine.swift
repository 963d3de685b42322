import CLinux
import Glibc

/// Sends requests at a fixed rate, whether or not answers keep up, and records what becomes of each.
///
/// An open loop: request *n* is due at start + *n* / rate by the monotonic clock. One that is late is sent at once, not
/// skipped, and the next keeps its own due time. All runs on the calling thread with `ppoll`.
struct LoadEngine {
    let plan: LoadPlan
    private let address: SocketAddress
    private let message: [UInt8]
    private let began = monotonicNanoseconds()
    private var connections: [LoadConnection] = []
    /// Kept-alive connections without a request, the one that rested longest first.
    private var idle: [LoadConnection] = []
    private var watched: [pollfd] = []
    private var due = 0
    private(set) var tally = LoadTally()

    /// - Throws: `ResolutionFailure` if the host name leads nowhere.
    init(plan: LoadPlan) throws {
        self.plan = plan
        address = try SocketAddress(host: plan.endpoint.host, port: plan.endpoint.port)
        let connection = plan.mode == .keepAlive ? "keep-alive" : "close"
        message = Array(
            """
            GET \(plan.endpoint.target) HTTP/1.1\r
            Host: \(plan.host)\r
            User-Agent: payments-api-load\r
            Accept: */*\r
            Connection: \(connection)\r
            \r

            """.utf8)
    }

    /// Runs to the end of the plan or until `shouldStop`; then awaits what is in flight, each up to its timeout.
    ///
    /// - Parameter record: Called once for each request, in the order of their ends.
    /// - Parameter tick: Called about once a second and at the very end.
    mutating func run(
        shouldStop: () -> Bool, record: (RequestRecord) throws -> Void,
        tick: (_ tally: LoadTally, _ finished: Bool) throws -> Void
    ) rethrows {
        let end = plan.duration.map { began + $0.nanoseconds }
        var nextTick = began + 1_000_000_000
        while true {
            var now = monotonicNanoseconds()
            let isSending = !shouldStop() && end.map { now < $0 } ?? true
            while isSending, dueTime(due) <= now {
                try begin(lateness: (now - dueTime(due)) / 1000, now: now, record: record)
                due += 1
                now = monotonicNanoseconds()
            }
            if !isSending, tally.sent == tally.total { break }
            if now >= nextTick {
                try tick(tally, false)
                nextTick += 1_000_000_000
            }
            let earliest = try giveUpOverdue(now: now, record: record)
            wait(until: min(isSending ? dueTime(due) : .max, end ?? .max, earliest, nextTick, now + 200_000_000))
            try proceedWithReady(record: record)
        }
        for connection in connections { connection.close() }
        try tick(tally, true)
    }

    private func dueTime(_ number: Int) -> Int64 {
        began + Int64((Double(number) * 1_000_000_000 / plan.rate).rounded())
    }

    private mutating func begin(lateness: Int64, now: Int64, record: (RequestRecord) throws -> Void) rethrows {
        let request = PendingRequest(
            number: tally.begin(lateness: lateness), startedAt: unixMicroseconds(),
            deadline: now + plan.timeout.nanoseconds)
        if plan.mode == .keepAlive, connections.count >= plan.connections, !idle.isEmpty {
            let connection = idle.removeFirst()
            try settle(connection.send(request), of: connection, record: record)
        } else {
            try connect(for: request, record: record)
        }
    }

    private mutating func connect(for request: PendingRequest, record: (RequestRecord) throws -> Void) rethrows {
        let isKept = plan.mode == .keepAlive
        guard let connection = LoadConnection(to: address, message: message, isKept: isKept, request: request) else {
            return try finish(request, lost: .connect, record: record)
        }
        connections.append(connection)
    }

    /// Returns the earliest deadline of what is left.
    private mutating func giveUpOverdue(now: Int64, record: (RequestRecord) throws -> Void) rethrows -> Int64 {
        var earliest = Int64.max
        for connection in connections {
            guard let deadline = connection.deadline else { continue }
            if deadline > now {
                earliest = min(earliest, deadline)
            } else {
                try settle(connection.timeOut(), of: connection, record: record)
            }
        }
        return earliest
    }

    private mutating func wait(until deadline: Int64) {
        connections.removeAll { $0.isClosed }
        watched.removeAll(keepingCapacity: true)
        for connection in connections { watched.append(connection.interest) }
        let nanoseconds = max(0, deadline - monotonicNanoseconds())
        var span = timespec(
            tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
        if clinux_ppoll(&watched, UInt(watched.count), &span) < 0 { watched.removeAll(keepingCapacity: true) }
    }

    private mutating func proceedWithReady(record: (RequestRecord) throws -> Void) rethrows {
        for index in watched.indices where watched[index].revents != 0 {
            let connection = connections[index]
            try settle(connection.proceed(), of: connection, record: record)
        }
    }

    private mutating func settle(
        _ outcome: LoadConnection.Outcome, of connection: LoadConnection, record: (RequestRecord) throws -> Void
    ) rethrows {
        switch outcome {
        case .waiting: break
        case .answered(let request, let answer):
            if !connection.isClosed { idle.append(connection) }
            let isGateway = (502...504).contains(answer.status)
            try finish(request, answer: answer, lost: isGateway ? .gateway : nil, record: record)
        case .lost(let request, let loss):
            try finish(request, lost: loss, record: record)
        case .closedBetweenRequests(var request):
            request.reconnected = true
            try connect(for: request, record: record)
        case .closedWhileIdle:
            idle.removeAll { $0 === connection }
            tally.countClosedWhileIdle()
        }
    }

    private mutating func finish(
        _ request: PendingRequest, answer: ResponseParser.Answer? = nil, lost: RequestRecord.Loss?,
        record: (RequestRecord) throws -> Void
    ) rethrows {
        let outcome = RequestRecord(
            number: request.number, startedAt: request.startedAt, finishedAt: unixMicroseconds(),
            version: answer?.version, status: answer?.status, lost: lost, reconnected: request.reconnected)
        tally.finish(outcome)
        try record(outcome)
    }
}
