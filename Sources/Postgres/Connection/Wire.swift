import CLibpq
import Foundation

/// The libpq connection itself, used by one thread at a time; every function that waits blocks that thread.
///
/// Owned by a ``PostgresConnection``, whose thread it runs on.
final class Wire {
    let connection: OpaquePointer
    let interrupter: Interrupter
    let notices: NoticeBox
    var prepared: PreparedStatements
    /// What an asynchronous use of the connection, such as a COPY, is doing; statements are refused meanwhile.
    var occupation: String?
    /// Set when the connection must not be used again although libpq thinks well of it.
    var abandoned: String?

    init(connection: OpaquePointer, wake: Int32, notices: NoticeBox, preparedLimit: Int) {
        self.connection = connection
        self.notices = notices
        interrupter = Interrupter(connection: connection, wake: wake)
        prepared = PreparedStatements(limit: preparedLimit)
    }

    deinit { PQfinish(connection) }

    var isAlive: Bool { abandoned == nil && PQstatus(connection) == CONNECTION_OK }
    var isIdle: Bool { PQtransactionStatus(connection) == PQTRANS_IDLE }

    /// Whether the connection is still open, after reading what lies in the socket without waiting.
    func isAliveAfterLook() -> Bool {
        guard isAlive else { return false }
        var socket = pollfd(fd: PQsocket(connection), events: Int16(POLLIN), revents: 0)
        while poll(&socket, 1, 0) > 0 {
            // A server that ended the connection has left its farewell there, and after it the end.
            guard PQconsumeInput(connection) == 1 else { return false }
            _ = PQisBusy(connection)
            if notices.take().contains(where: \.endsConnection) {
                abandoned = "the server ended the connection"
                return false
            }
        }
        return isAlive
    }

    /// How long a statement that was asked to end may still take before the connection is given up.
    static let grace: Duration = .seconds(5)

    /// A statement's deadline and what happens then.
    struct Patience {
        let statement: UInt64
        var deadline: ContinuousClock.Instant?
        let isCancellable: Bool
        /// Until when the answer is looked for without sleeping.
        var attention: ContinuousClock.Instant?
        /// Once asked to end: when to give up.
        var giveUp: ContinuousClock.Instant?
    }

    /// Waits until the socket has something, flushing what is still to be sent; keeps the deadline.
    ///
    /// With `untilSent`, no answer is due: it also returns as soon as everything is sent.
    ///
    /// - Throws: `.timeout` or `.cancelled` when the server did not react to a cancel request in time; the connection is
    ///   abandoned then and the outcome unknown.
    func waitForServer(_ patience: inout Patience, text: String?, untilSent: Bool = false) throws {
        while true {
            let flushed = PQflush(connection)
            var sockets = [
                pollfd(
                    fd: PQsocket(connection),
                    events: Int16(POLLIN) | (flushed == 1 ? Int16(POLLOUT) : 0), revents: 0),
                pollfd(fd: interrupter.wake, events: Int16(POLLIN), revents: 0),
            ]
            guard sockets[0].fd >= 0, flushed >= 0 else {
                abandoned = abandoned ?? "the connection was lost while sending"
                throw lost(text, outcomeUnknown: true)
            }
            if untilSent, flushed == 0 { return }
            let limit = [patience.deadline, patience.giveUp].compactMap { $0 }.min()
            var ready: Int32 = 0
            if let attention = patience.attention {
                Lookout.look(until: min(attention, limit ?? attention)) {
                    ready = poll(&sockets, 2, 0)
                    return ready != 0
                }
                if ready == 0 { patience.attention = nil }
            }
            if ready == 0 {
                ready = poll(&sockets, 2, limit.map { ($0 - ContinuousClock.now).pollMilliseconds } ?? -1)
            }
            if sockets[1].revents != 0 { clibpq_wake_clear(interrupter.wake) }
            if interrupter.reason != nil, patience.giveUp == nil { patience.giveUp = .now + Self.grace }
            if ready > 0, sockets[0].revents != 0 {
                if sockets[0].revents & ~Int16(POLLOUT) != 0 { _ = PQconsumeInput(connection) }
                return
            }
            let now = ContinuousClock.now
            if let giveUp = patience.giveUp, now >= giveUp {
                let reason = interrupter.reason ?? .timeout
                abandoned = "the server did not react to a cancel request"
                throw PostgresError(
                    reason == .timeout ? .timeout : .cancelled,
                    "the server did not react to a cancel request within \(Self.grace); the connection was given up",
                    statement: text, retryCanHelp: reason == .timeout, outcomeUnknown: true)
            }
            if let deadline = patience.deadline, now >= deadline {
                patience.deadline = nil
                guard patience.isCancellable else {
                    abandoned = "an uncancellable statement passed its deadline"
                    throw PostgresError(
                        .timeout, "an uncancellable statement passed its deadline; the connection was given up",
                        statement: text, retryCanHelp: true, outcomeUnknown: true)
                }
                interrupter.cancel(patience.statement, .timeout)
                patience.giveUp = now + Self.grace
            }
        }
    }

    /// Waits until the socket has something, somebody calls, or the deadline; no statement runs.
    func waitQuietly(until deadline: ContinuousClock.Instant) throws {
        var sockets = [
            pollfd(fd: PQsocket(connection), events: Int16(POLLIN), revents: 0),
            pollfd(fd: interrupter.wake, events: Int16(POLLIN), revents: 0),
        ]
        guard sockets[0].fd >= 0 else { throw lost(nil, outcomeUnknown: false) }
        _ = poll(&sockets, 2, (deadline - ContinuousClock.now).pollMilliseconds)
        if sockets[1].revents != 0 { clibpq_wake_clear(interrupter.wake) }
    }

    /// The next result of what was sent; nil when the statement has no more.
    func nextResult(_ patience: inout Patience, text: String?) throws -> OpaquePointer? {
        while PQisBusy(connection) == 1, PQstatus(connection) == CONNECTION_OK {
            try waitForServer(&patience, text: text)
        }
        return PQgetResult(connection)
    }

    /// Runs `body` as one statement: refuses when the connection cannot take one, keeps deadline and cancellation.
    func statement<Value>(
        _ id: UInt64, _ options: StatementOptions, text: String?, _ body: (inout Patience) throws -> Value
    ) throws -> Value {
        if let occupation {
            throw PostgresError(
                .invalidUse, "the connection is busy with \(occupation); end that first or use another connection",
                statement: text)
        }
        guard isAlive else { throw lost(text, outcomeUnknown: false) }
        _ = notices.take()
        interrupter.begin(id)
        var patience = Patience(
            statement: id, deadline: options.timeout.map { .now + $0 }, isCancellable: options.isCancellable,
            attention: options.attention > .zero ? .now + options.attention : nil)
        defer {
            if !interrupter.end() { abandoned = "a cancel request did not come back" }
        }
        if options.isCancellable, Task.isCancelled {
            throw PostgresError(.cancelled, "the task was cancelled before the statement was sent", statement: text)
        }
        return try body(&patience)
    }

    /// The error for a connection that is gone.
    func lost(_ text: String?, outcomeUnknown: Bool) -> PostgresError {
        let words = abandoned ?? PQerrorMessage(connection).map { String(cString: $0).trimmed } ?? ""
        return PostgresError(
            .connectionLost, words.isEmpty ? "the connection to the server is closed" : words,
            statement: text, retryCanHelp: true, outcomeUnknown: outcomeUnknown)
    }

    /// The error that a failed result stands for.
    func failure(_ result: OpaquePointer, text: String?) -> PostgresError {
        func field(_ code: Int32) -> String? {
            PQresultErrorField(result, code).map { String(cString: $0) }
        }
        let state = field(clibpq_diag_sqlstate).map(SQLState.init(rawValue:))
        let words = field(clibpq_diag_message) ?? PQresultErrorMessage(result).map { String(cString: $0).trimmed } ?? ""
        let isAlive = PQstatus(connection) == CONNECTION_OK
        var error: PostgresError
        if !isAlive || state == nil || state?.endsConnection == true {
            error = PostgresError(.connectionLost, words, sqlState: state, retryCanHelp: true, outcomeUnknown: true)
            abandoned = abandoned ?? (words.isEmpty ? "the connection was lost" : words)
        } else if state == .queryCanceled, let reason = interrupter.reason {
            error = PostgresError(
                reason == .timeout ? .timeout : .cancelled, words, sqlState: state, retryCanHelp: reason == .timeout)
        } else {
            error = PostgresError(.server, words, sqlState: state, retryCanHelp: state?.retryCanHelp ?? false)
        }
        error.statement = text
        error.detail = field(clibpq_diag_detail)
        error.hint = field(clibpq_diag_hint)
        error.schema = field(clibpq_diag_schema)
        error.table = field(clibpq_diag_table)
        error.column = field(clibpq_diag_column)
        error.constraint = field(clibpq_diag_constraint)
        error.context = field(clibpq_diag_context)
        error.position = field(clibpq_diag_position).flatMap { Int($0) }
        return error
    }
}

/// Where libpq leaves the notices that come beside results.
final class NoticeBox {
    private var notices: [PostgresNotice] = []

    func take() -> [PostgresNotice] {
        defer { notices = [] }
        return notices
    }

    /// Makes libpq put its notices here; the box must outlive the connection's use.
    func receive(from connection: OpaquePointer) {
        PQsetNoticeReceiver(
            connection,
            { context, result in
                guard let context, let result else { return }
                Unmanaged<NoticeBox>.fromOpaque(context).takeUnretainedValue().append(result)
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    private func append(_ result: OpaquePointer) {
        func field(_ code: Int32) -> String? { PQresultErrorField(result, code).map { String(cString: $0) } }
        // A server that floods us with notices must not eat our memory.
        guard notices.count < 1000 else { return }
        notices.append(
            PostgresNotice(
                severity: field(clibpq_diag_severity) ?? "NOTICE",
                sqlState: field(clibpq_diag_sqlstate).map(SQLState.init(rawValue:)),
                message: field(clibpq_diag_message) ?? PQresultErrorMessage(result).map { String(cString: $0) } ?? "",
                detail: field(clibpq_diag_detail), hint: field(clibpq_diag_hint),
                function: field(clibpq_diag_function)))
    }
}
