/// How the server of an https address is verified and how we identify ourselves to it.
///
/// TLS 1.2 is the least version spoken.
public struct TransferTLS: Sendable, Hashable {
    /// Certificates or keys, from a file or from memory.
    ///
    /// In-memory material prints as redacted.
    public enum Material: Sendable, Hashable {
        /// The path of a PEM file, read when the connection is made.
        case file(String)
        /// PEM text, for instance decoded from a kubeconfig.
        case pem([UInt8])
    }

    /// The authorities to trust; nil means those of the system.
    public var authorities: Material?
    /// Our certificate chain, for servers that ask for one.
    public var clientCertificate: Material?
    /// The private key of `clientCertificate`.
    public var clientKey: Material?
    /// Accepts any certificate for any name.
    ///
    /// Everyone on the path can then read and change the exchange.
    public var skipsVerification: Bool

    /// Trusts what the system trusts, unless told otherwise.
    public init(
        authorities: Material? = nil,
        clientCertificate: Material? = nil,
        clientKey: Material? = nil,
        skipsVerification: Bool = false
    ) {
        self.authorities = authorities
        self.clientCertificate = clientCertificate
        self.clientKey = clientKey
        self.skipsVerification = skipsVerification
    }
}

extension TransferTLS.Material: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The path, or `<redacted>` for material in memory.
    public var description: String {
        switch self {
        case .file(let path): path
        case .pem: "<redacted>"
        }
    }
    /// As `description`.
    public var debugDescription: String { description }
    /// Shows no children, so that `dump` does not leak a key.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
