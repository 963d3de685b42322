import Foundation
import Glibc
import Synchronization

/// A tiny HTTP server for tests: a thread per connection, and whatever the handler writes is what the client gets.
public final class HTTPDouble: Sendable {
    /// What a test wants done with each request; runs on the connection's thread and may block it.
    public typealias Handler = @Sendable (Exchange) -> Void

    /// The server could not be set up.
    public struct CouldNotListen: Error {
        /// The call that failed and its errno.
        public let reason: String
    }

    private struct State {
        var open: Set<Int32> = []
        var accepted = 0
        var isStopped = false
    }

    /// The loopback port; 0 when listening on a path.
    public let port: UInt16
    private let listener: Int32
    private let handler: Handler
    private let state = Mutex(State())

    /// Listens on a free loopback port, or on the Unix socket `path`.
    public init(path: String? = nil, handler: @escaping Handler) throws {
        self.handler = handler
        let family = path == nil ? AF_INET : AF_UNIX
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw CouldNotListen(reason: "socket: \(errno)") }
        listener = descriptor
        let bound: Int32
        if let path {
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
            bound = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
        } else {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            bound = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        guard bound == 0, listen(descriptor, 512) == 0 else { throw CouldNotListen(reason: "bind, listen: \(errno)") }
        var name = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        port = path == nil ? UInt16(bigEndian: name.sin_port) : 0
        Thread.detachNewThread { [self] in accept() }
    }

    /// The address of `path` on this server.
    public func url(_ path: String = "/") -> String { "http://127.0.0.1:\(port)\(path)" }

    /// How many connections have been accepted.
    public var connections: Int { state.withLock { $0.accepted } }

    /// Stops listening and cuts every connection.
    public func stop() {
        state.withLock { state in
            guard !state.isStopped else { return }
            state.isStopped = true
            shutdown(listener, Int32(SHUT_RDWR))
            for descriptor in state.open { shutdown(descriptor, Int32(SHUT_RDWR)) }
        }
    }

    private func accept() {
        while true {
            let descriptor = Glibc.accept(listener, nil, nil)
            if descriptor < 0 {
                if errno == EINTR || errno == ECONNABORTED { continue }
                break
            }
            let number = state.withLock { state -> Int? in
                guard !state.isStopped else { return nil }
                state.open.insert(descriptor)
                state.accepted += 1
                return state.accepted
            }
            guard let number else {
                close(descriptor)
                break
            }
            Thread.detachNewThread { [self] in
                serve(descriptor, number)
                _ = state.withLock { $0.open.remove(descriptor) }
                close(descriptor)
            }
        }
        close(listener)
    }

    private func serve(_ descriptor: Int32, _ number: Int) {
        var inbox: [UInt8] = []
        func more() -> Bool {
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count > 0 { inbox += chunk[..<count] }
            return count > 0
        }
        while true {
            var end: Int?
            while end == nil {
                end = inbox.firstRange(of: Array("\r\n\r\n".utf8))?.lowerBound
                if end == nil, !more() { return }
            }
            guard let end else { return }
            let lines = String(decoding: inbox[..<end], as: UTF8.self).components(separatedBy: "\r\n")
            let words = lines[0].split(separator: " ")
            let headers = lines.dropFirst().map { line -> (name: String, value: String) in
                let parts = line.split(separator: ":", maxSplits: 1)
                return (String(parts[0]), parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : "")
            }
            inbox.removeSubrange(..<(end + 4))
            let length = headers.first { $0.name.lowercased() == "content-length" }.flatMap { Int($0.value) } ?? 0
            while inbox.count < length {
                if !more() { return }
            }
            let exchange = Exchange(
                method: String(words[0]), target: String(words[1]), headers: headers, body: Array(inbox[..<length]),
                connection: number, descriptor: descriptor)
            inbox.removeSubrange(..<length)
            handler(exchange)
            if exchange.isOver { return }
        }
    }
}

/// Gives `body` a server that answers with `handler`, and stops it afterwards.
public func withServer<Value>(
    path: String? = nil, answering handler: @escaping HTTPDouble.Handler, _ body: (HTTPDouble) async throws -> Value
) async throws -> Value {
    let server = try HTTPDouble(path: path, handler: handler)
    defer { server.stop() }
    return try await body(server)
}
