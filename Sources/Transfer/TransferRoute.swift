/// Sends what is addressed to one host and port to another, while URL, Host header and TLS name stay as written.
///
/// Maps, for instance, a cluster's `prometheus.monitoring:9090` to `127.0.0.1:19090`.
public struct TransferRoute: Sendable, Hashable {
    /// A host name or address with a port.
    public struct Endpoint: Sendable, Hashable, CustomStringConvertible {
        /// A name, an IPv4 address, or an IPv6 address without brackets.
        public var host: String
        /// From 1 to 65535.
        public var port: UInt16

        /// Pairs a host with a port.
        public init(host: String, port: UInt16) {
            self.host = host
            self.port = port
        }

        /// Reads `host:port` or `[v6]:port`; nil for anything else.
        public init?(_ text: String) {
            guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0
            else { return nil }
            var host = text[..<colon]
            if host.hasPrefix("["), host.hasSuffix("]") {
                host = host.dropFirst().dropLast()
            } else if host.contains(":") {
                return nil
            }
            let isPlain = host.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                    UInt8(ascii: "_"), UInt8(ascii: ":"):
                    true
                default: false
                }
            }
            guard !host.isEmpty, isPlain else { return nil }
            self.init(host: String(host), port: port)
        }

        /// `host:port`, with brackets around an IPv6 address.
        public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    }

    /// What the URL says; compared without regard to case.
    public var from: Endpoint
    /// Where the connection is made instead.
    public var to: Endpoint

    /// Routes `from` to `to`.
    public init(from: Endpoint, to: Endpoint) {
        self.from = from
        self.to = to
    }
}
