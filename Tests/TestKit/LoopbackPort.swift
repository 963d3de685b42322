internal import Foundation
internal import Synchronization

/// Ports of loopback for servers that a test starts.
public enum LoopbackPort {
    /// Below those that the system gives to outgoing connections.
    ///
    /// So that none is somebody else's by chance between the look and the start of the server. Processes begin apart.
    private static let range = 10_000..<32_000
    private static let next = Mutex(
        range.lowerBound + Int(ProcessInfo.processInfo.processIdentifier) * 64 % range.count)

    /// A port that nobody listens on, another one at each call.
    ///
    /// - Throws: ``NoneFree`` if every port of the range is taken.
    public static func free() throws -> Int {
        for _ in range {
            let port = next.withLock { next in
                defer { next = next + 1 < range.upperBound ? next + 1 : range.lowerBound }
                return next
            }
            if isFree(port) { return port }
        }
        throw NoneFree()
    }

    /// Every port that tests may use is taken.
    public struct NoneFree: Error {}

    private static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return withUnsafeBytes(of: &address) {
            bind(descriptor, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count)) == 0
        }
    }
}
