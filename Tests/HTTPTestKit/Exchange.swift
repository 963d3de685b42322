import Foundation
import Glibc

/// One request that arrived at an `HTTPDouble`, and the pen to answer it with.
public final class Exchange {
    /// The method.
    public let method: String
    /// The path with its query, as sent.
    public let target: String
    /// The fields in order, names as sent.
    public let headers: [(name: String, value: String)]
    /// The content.
    public let body: [UInt8]
    /// Which connection it came on, from 1.
    public let connection: Int
    private let descriptor: Int32
    /// Whether the connection ends after this exchange.
    public private(set) var isOver = false

    init(
        method: String, target: String, headers: [(name: String, value: String)], body: [UInt8], connection: Int,
        descriptor: Int32
    ) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.connection = connection
        self.descriptor = descriptor
    }

    /// The value of the first field `name`, without regard to case.
    public func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    /// The content as text.
    public var text: String { String(decoding: body, as: UTF8.self) }

    /// The parameters of the query or of a form, decoded.
    public var form: [String: String] {
        let source =
            body.isEmpty ? target.split(separator: "?", maxSplits: 1).dropFirst().first.map(String.init) ?? "" : text
        var parameters: [String: String] = [:]
        for pair in source.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1).map {
                String($0).replacingOccurrences(of: "+", with: " ").removingPercentEncoding ?? ""
            }
            parameters[parts[0]] = parts.count > 1 ? parts[1] : ""
        }
        return parameters
    }

    /// Answers with a whole response.
    public func respond(_ status: Int = 200, _ headers: [(String, String)] = [], _ body: [UInt8]) {
        var head = "HTTP/1.1 \(status) Double\r\nContent-Length: \(body.count)\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        write(head + "\r\n")
        if method != "HEAD" { write(body) }
    }

    /// Answers with text.
    public func respond(_ status: Int = 200, _ headers: [(String, String)] = [], _ body: String = "") {
        respond(status, headers, Array(body.utf8))
    }

    /// Writes `text` as it is.
    @discardableResult
    public func write(_ text: String) -> Bool { write(Array(text.utf8)) }

    /// Writes `bytes` as they are; false once the client is gone.
    @discardableResult
    public func write(_ bytes: [UInt8]) -> Bool {
        write(bytes, orSay: nil)
    }

    /// Writes `bytes`; says how many went out whenever the client takes none for a fifth of a second.
    @discardableResult
    public func write(_ bytes: [UInt8], orSay stuck: ((Int) -> Void)?) -> Bool {
        var sent = 0
        while sent < bytes.count {
            var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            if poll(&entry, 1, 200) == 0 {
                stuck?(sent)
                continue
            }
            let count = bytes[sent...].withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            if count < 0, errno == EAGAIN || errno == EINTR { continue }
            if count <= 0 {
                isOver = true
                return false
            }
            sent += count
        }
        return true
    }

    /// Waits until the client has closed its end, which ends the connection.
    public func waitUntilClientLeaves() {
        var byte: UInt8 = 0
        while recv(descriptor, &byte, 1, 0) > 0 {}
        isOver = true
    }

    /// Lets `milliseconds` pass, as slow servers do.
    public func linger(milliseconds: Int32) { poll(nil, 0, milliseconds) }

    /// Ends the connection after this exchange.
    public func close() { isOver = true }

    /// Ends the connection with a reset instead of a regular end.
    public func reset() {
        var option = Glibc.linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<Glibc.linger>.size))
        isOver = true
    }
}
