import Glibc

/// A request that is under way.
struct PendingRequest {
    var number: Int
    /// Microseconds since the Unix epoch.
    var startedAt: Int64
    /// Monotonic nanoseconds.
    var deadline: Int64
    var reconnected = false
}

/// One non-blocking socket with at most one request on it.
final class LoadConnection {
    /// What the engine has to do next.
    enum Outcome {
        /// Wait for the socket.
        case waiting
        case answered(PendingRequest, ResponseParser.Answer)
        case lost(PendingRequest, RequestRecord.Loss)
        /// The kept-alive connection had been closed before the request reached it: send it anew.
        case closedBetweenRequests(PendingRequest)
        /// Closed with no request on it.
        case closedWhileIdle
    }

    private enum Phase {
        /// → `sending`, `closed`
        case connecting
        /// Bytes sent so far. → `receiving`, `closed`
        case sending(Int)
        /// → `idle`, `closed`
        case receiving
        /// → `sending`, `closed`
        case idle
        case closed
    }

    private let descriptor: Int32
    private let message: [UInt8]
    private let isKept: Bool
    private var phase: Phase
    private var request: PendingRequest?
    private var parser = ResponseParser()
    private var isReused = false

    /// Begins to connect, with `request` to be sent once that is done.
    ///
    /// - Parameter isKept: Whether to stay open for further requests, if the server agrees.
    /// - Returns: `nil` if no socket could be had or connecting was refused at once.
    init?(to address: SocketAddress, message: [UInt8], isKept: Bool, request: PendingRequest) {
        descriptor = socket(
            address.family, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        self.message = message
        self.isKept = isKept
        self.request = request
        phase = .connecting
        guard descriptor >= 0 else { return nil }
        var yes: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        guard address.connect(descriptor) == 0 || errno == EINPROGRESS else {
            close()
            return nil
        }
    }

    var isClosed: Bool { if case .closed = phase { true } else { false } }

    var deadline: Int64? { request?.deadline }

    /// What `ppoll` should watch.
    var interest: pollfd {
        switch phase {
        case .connecting, .sending: pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        case .receiving, .idle: pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        case .closed: pollfd(fd: -1, events: 0, revents: 0)
        }
    }

    /// Sends another request over this idle connection.
    func send(_ request: PendingRequest) -> Outcome {
        guard case .idle = phase else { preconditionFailure("a request is on this connection: \(phase)") }
        self.request = request
        parser = ResponseParser()
        isReused = true
        phase = .sending(0)
        return proceed()
    }

    /// Goes on after the socket became ready.
    func proceed() -> Outcome {
        switch phase {
        case .connecting:
            var code: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size)
            if code != 0 { return lose(.connect) }
            phase = .sending(0)
            return write(from: 0)
        case .sending(let offset): return write(from: offset)
        case .receiving: return read()
        case .idle:
            close()
            return .closedWhileIdle
        case .closed: return .waiting
        }
    }

    /// Gives the request up.
    func timeOut() -> Outcome { lose(.timeout) }

    func close() {
        if case .closed = phase { return }
        phase = .closed
        if descriptor >= 0 { Glibc.close(descriptor) }
    }

    private func write(from start: Int) -> Outcome {
        var offset = start
        while offset < message.count {
            let sent = message.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + offset, $0.count - offset, Int32(MSG_NOSIGNAL))
            }
            if sent < 0 {
                if errno == EINTR { continue }
                if errno == EAGAIN {
                    phase = .sending(offset)
                    return .waiting
                }
                return breakOff()
            }
            offset += sent
        }
        phase = .receiving
        return .waiting
    }

    private func read() -> Outcome {
        withUnsafeTemporaryAllocation(byteCount: 16384, alignment: 1) { buffer in
            while true {
                let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
                if count < 0 {
                    if errno == EINTR { continue }
                    return errno == EAGAIN ? .waiting : breakOff()
                }
                if count == 0 {
                    if case .complete(let answer) = parser.end() { return answered(answer) }
                    return breakOff()
                }
                switch parser.read(Array(buffer[..<count])[...]) {
                case .needsMore: continue
                case .complete(let answer): return answered(answer)
                case .malformed: return lose(.malformed)
                }
            }
        }
    }

    private func answered(_ answer: ResponseParser.Answer) -> Outcome {
        let request = takeRequest()
        if isKept, answer.keepsConnection { phase = .idle } else { close() }
        return .answered(request, answer)
    }

    /// The connection ended in the middle of something.
    private func breakOff() -> Outcome {
        guard isReused, !parser.hasBegun else { return lose(.broken) }
        close()
        return .closedBetweenRequests(takeRequest())
    }

    private func lose(_ loss: RequestRecord.Loss) -> Outcome {
        close()
        return .lost(takeRequest(), loss)
    }

    private func takeRequest() -> PendingRequest {
        guard let request else { preconditionFailure("no request is on this connection: \(phase)") }
        self.request = nil
        return request
    }
}
