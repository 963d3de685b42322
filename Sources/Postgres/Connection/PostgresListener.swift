import CLibpq

/// A message of `NOTIFY`.
public struct PostgresNotification: Sendable, Hashable {
    /// The channel it came on.
    public let channel: String
    /// Its text; empty when there was none.
    public let payload: String
    /// Process id of the backend that sent it.
    public let backendProcessID: Int32
}

/// What a listener hears.
public enum ListenerEvent: Sendable {
    /// It listens from here on. What was sent before, also between a ``lost(_:)`` and this, was not heard: catch up.
    case listening
    /// The connection is gone; the listener makes a new one by itself.
    case lost(PostgresError)
    /// A message.
    case notification(PostgresNotification)
}

/// Listens on channels over a connection of its own, and makes a new one whenever that is lost, until the task that
/// iterates is cancelled.
///
/// There is no background work: the connection is made by the first `next()`, and messages that nobody asks for wait in
/// the socket and then in the server.
public struct PostgresListener: AsyncSequence, Sendable {
    /// Where to listen.
    public let configuration: PostgresConfiguration
    /// The channels' names, as given to `LISTEN`.
    public let channels: [String]
    /// The first and the longest pause between attempts to connect.
    public var backOff: ClosedRange<Duration> = .milliseconds(50) ... .seconds(5)
    /// After this long without a message, the connection is asked for a sign of life.
    public var validateAfter: Duration = .seconds(15)

    /// Names server and channels.
    public init(_ configuration: PostgresConfiguration, channels: [String]) {
        self.configuration = configuration
        self.channels = channels
    }

    /// Starts unconnected.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(listener: self) }

    /// Gives events in order; nil once the task is cancelled.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let listener: PostgresListener
        private var connection: PostgresConnection?
        private var heard: [PostgresNotification] = []
        private var failures = 0

        init(listener: PostgresListener) { self.listener = listener }

        /// The next event, or nil once the task is cancelled.
        public mutating func next() async -> ListenerEvent? {
            while !Task.isCancelled {
                if !heard.isEmpty { return .notification(heard.removeFirst()) }
                do {
                    guard let connection else {
                        try await connect()
                        return .listening
                    }
                    heard = try await connection.waitForNotifications(atMost: listener.validateAfter)
                    if heard.isEmpty { try await connection.script("", .timeout(.seconds(5))) }
                } catch {
                    let wasListening = connection != nil
                    await connection?.close()
                    connection = nil
                    if Task.isCancelled { break }
                    let problem =
                        error as? PostgresError ?? PostgresError(.connectionLost, "\(error)", retryCanHelp: true)
                    if wasListening { return .lost(problem) }
                    do {
                        let pause = listener.backOff.lowerBound * (1 << Swift.min(failures, 16))
                        failures += 1
                        try await Task.sleep(for: Swift.min(pause, listener.backOff.upperBound))
                    } catch {
                        break
                    }
                    if failures == 1 { return .lost(problem) }
                }
            }
            await connection?.close()
            connection = nil
            return nil
        }

        private mutating func connect() async throws {
            let fresh = try await PostgresConnection.connect(listener.configuration)
            for channel in listener.channels {
                try await fresh.query("LISTEN \(identifier: channel)", StatementOptions(isPrepared: false))
            }
            connection = fresh
            failures = 0
        }
    }
}

extension PostgresPool {
    /// Listens on channels over a connection of its own, outside this pool's limit.
    public func listen(_ channels: String...) -> PostgresListener {
        PostgresListener(configuration, channels: channels)
    }
}

extension PostgresConnection {
    /// Waits for messages on the channels that this connection listens on.
    ///
    /// - Returns: All that have arrived; empty when `limit` passed first.
    /// - Throws: ``PostgresError``: `.connectionLost`, `.cancelled`.
    func waitForNotifications(atMost limit: Duration) async throws -> [PostgresNotification] {
        let id = interrupter.mint()
        return try await interruptible(id, .standard) { try $0.notifications(atMost: limit, id: id) }
    }
}

extension Wire {
    fileprivate func notifications(atMost limit: Duration, id: UInt64) throws -> [PostgresNotification] {
        try statement(id, .standard, text: nil) { _ in
            let deadline = ContinuousClock.now + limit
            while true {
                let heard = takeNotifications()
                if !heard.isEmpty || ContinuousClock.now >= deadline { return heard }
                guard interrupter.reason == nil else { throw PostgresError(.cancelled, "the listener was cancelled") }
                try waitQuietly(until: deadline)
                guard PQconsumeInput(connection) == 1 else { throw lost(nil, outcomeUnknown: false) }
            }
        }
    }

    private func takeNotifications() -> [PostgresNotification] {
        var heard: [PostgresNotification] = []
        while let message = PQnotifies(connection) {
            heard.append(
                PostgresNotification(
                    channel: String(cString: message.pointee.relname), payload: String(cString: message.pointee.extra),
                    backendProcessID: message.pointee.be_pid))
            PQfreemem(message)
        }
        return heard
    }
}
