import Delivery

/// What a server block of the private nginx leads to: one host, its paths.
public struct NginxSite: Sendable, Hashable, Codable {
    /// The host; `nil` for every host that no other site names.
    public var host: String?
    /// Sorted and without repetition.
    public var paths: [Path]

    /// One path of a host.
    public struct Path: Sendable, Hashable, Codable {
        /// The path, beginning with `/`.
        public var path: String
        /// Whether only exactly this path is meant; else all below it as well.
        public var isExact: Bool
        /// Names the weights and pods in the shared dictionary.
        public var backend: String
        /// Which port of the pods, by number or name.
        public var port: String

        /// Makes a path.
        public init(path: String, isExact: Bool, backend: String, port: String) {
            self.path = path
            self.isExact = isExact
            self.backend = backend
            self.port = port
        }
    }

    /// Makes a site.
    public init(host: String?, paths: [Path]) {
        self.host = host
        self.paths = paths
    }

    /// Refuses what cannot stand in a configuration.
    ///
    /// - Throws: `.rejected` with host or path, the value, and what is allowed.
    func check() throws(PlatformFailure) {
        if let host {
            let letters = host.hasPrefix("*.") ? host.dropFirst(2) : host[...]
            guard !letters.isEmpty, host.utf8.count <= 253,
                letters.utf8.allSatisfy({ Self.isLetterOrDigit($0) || $0 == 45 || $0 == 46 })
            else {
                throw PlatformFailure(
                    .rejected, "ingress host “\(host)”: use letters, digits, “-” and “.”, such as payments.example.com")
            }
        }
        for path in paths {
            guard path.path.hasPrefix("/"),
                path.path.utf8.allSatisfy({ Self.isLetterOrDigit($0) || "/-._~!&'()*+,=:@%".utf8.contains($0) })
            else {
                throw PlatformFailure(
                    .rejected, "ingress path “\(path.path)”: begin with “/” and use no spaces, quotes or braces")
            }
            for word in [path.backend, path.port] {
                guard word.utf8.allSatisfy({ Self.isLetterOrDigit($0) || "/-._".utf8.contains($0) }) else {
                    throw PlatformFailure(.rejected, "“\(word)” cannot be named in the configuration of nginx")
                }
            }
        }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (97...122).contains(byte) || (65...90).contains(byte) || (48...57).contains(byte)
    }
}
