import Glibc

/// Where a TCP connection goes: an address with its length, as the system calls want it.
struct SocketAddress: Sendable {
    private var storage: sockaddr_storage
    private var length: socklen_t

    var family: Int32 { Int32(storage.ss_family) }

    /// Resolves `host` once and takes the first address.
    ///
    /// - Throws: `ResolutionFailure` if there is none.
    init(host: String, port: UInt16) throws {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &found)
        guard code == 0, let found else {
            throw ResolutionFailure(host: host, reason: String(cString: gai_strerror(code)))
        }
        defer { freeaddrinfo(found) }
        storage = sockaddr_storage()
        length = found.pointee.ai_addrlen
        withUnsafeMutableBytes(of: &storage) {
            $0.copyMemory(from: UnsafeRawBufferPointer(start: found.pointee.ai_addr, count: Int(length)))
        }
    }

    /// `connect(2)`.
    func connect(_ descriptor: Int32) -> Int32 {
        withUnsafeBytes(of: storage) {
            Glibc.connect(descriptor, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), length)
        }
    }
}

/// A host name that leads nowhere.
struct ResolutionFailure: Error, CustomStringConvertible {
    var host: String
    var reason: String

    var description: String { "cannot resolve \(host): \(reason)" }
}
