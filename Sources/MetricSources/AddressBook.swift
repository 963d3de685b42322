public import Transfer

/// Where the servers that manifests name are really found.
///
/// A manifest written for a cluster says `http://prometheus.monitoring:9090`; here that may be `127.0.0.1:19090`. Only the
/// connection goes elsewhere: the Host header, and the name a certificate is checked against, stay as written.
public struct AddressBook: Sendable {
    private let detour: @Sendable (TransferRoute.Endpoint) -> TransferRoute.Endpoint?

    /// Nothing is found elsewhere.
    public static let asWritten = AddressBook { _ in nil }

    /// Asks `detour` with the lower-case host and port of every address; nil means as written.
    public init(detour: @escaping @Sendable (TransferRoute.Endpoint) -> TransferRoute.Endpoint?) {
        self.detour = detour
    }

    /// Looks addresses up in `entries`, without regard to case.
    public init(_ entries: [TransferRoute.Endpoint: TransferRoute.Endpoint]) {
        let lowered = entries.map {
            (TransferRoute.Endpoint(host: $0.key.host.lowercased(), port: $0.key.port), $0.value)
        }
        let table = Dictionary(lowered, uniquingKeysWith: { first, _ in first })
        self.init { table[$0] }
    }

    /// The detours a request to `endpoint` needs: none or one.
    func routes(to endpoint: TransferRoute.Endpoint) -> [TransferRoute] {
        let asked = TransferRoute.Endpoint(host: endpoint.host.lowercased(), port: endpoint.port)
        guard let found = detour(asked), found != asked else { return [] }
        return [TransferRoute(from: asked, to: found)]
    }
}
