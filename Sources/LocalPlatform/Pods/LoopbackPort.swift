import Delivery
import Glibc

/// Ports of loopback.
public enum LoopbackPort {
    /// A port of `range` that nobody listens on and that is not in `taken`.
    ///
    /// - Throws: `.unavailable` if there is none.
    static func free(in range: ClosedRange<Int>, without taken: Set<Int>) throws(PlatformFailure) -> Int {
        let start = Int.random(in: range)
        for offset in 0..<range.count {
            let port = range.lowerBound + (start - range.lowerBound + offset) % range.count
            if !taken.contains(port), isFree(port) { return port }
        }
        throw PlatformFailure(
            .unavailable, "no port from \(range.lowerBound) to \(range.upperBound) is free on loopback")
    }

    /// Whether a process could listen there now.
    public static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, streamSocket, 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        return withAddress(port) { bind(descriptor, $0, $1) } == 0
    }

    /// Whether somebody accepts a connection within `timeout`.
    ///
    /// Blocks.
    static func accepts(_ port: Int, timeout: Duration) -> Bool {
        let descriptor = socket(AF_INET, streamSocket, 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var limit = timeval(tv_sec: Int(timeout.components.seconds), tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        return withAddress(port) { connect(descriptor, $0, $1) } == 0
    }

    private static let streamSocket = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)

    private static func withAddress(_ port: Int, _ body: (UnsafePointer<sockaddr>?, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return withUnsafeBytes(of: &address) {
            body($0.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
        }
    }
}
