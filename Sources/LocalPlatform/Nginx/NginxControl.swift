public import Delivery
import FoundationEssentials
import Transfer

/// Speaks to the control endpoint of a private nginx.
public struct NginxControl: Sendable {
    private let client: TransferClient
    private let socket: String

    /// Speaks over the Unix socket at `socket`.
    init(client: TransferClient, socket: String) {
        self.client = client
        self.socket = socket
    }

    /// What a change met.
    public enum Change: Sendable, Hashable {
        /// It stands (also if it stood before); no request that begins from now on sees an older state.
        case stands(NginxBackendState)
        /// A newer generation stands, or another content under the same one; nothing was changed.
        case refused(NginxBackendState)
    }

    /// Sets the weights of `backend`, unless a newer generation stands.
    public func put(_ route: NginxRoute, of backend: String) async throws(PlatformFailure) -> Change {
        try await put(try Self.text(of: route), NginxRoute.name, backend)
    }

    /// Sets the pods of `backend`, unless a newer generation stands.
    public func put(_ endpoints: NginxEndpoints, of backend: String) async throws(PlatformFailure) -> Change {
        try await put(try Self.text(of: endpoints), NginxEndpoints.name, backend)
    }

    /// What nginx obeys, by backend.
    public func state() async throws(PlatformFailure) -> [String: NginxBackendState] {
        struct All: Decodable { var backends: [String: NginxBackendState] }
        let (status, body) = try await send("GET", "/state")
        guard status == 200 else { throw failure(status, body) }
        return try decode(All.self, body).backends
    }

    /// Waits until no request that was picked under a version below `version` is under way, `timeout` at most.
    ///
    /// - Returns: How many still are.
    public func drained(
        _ backend: String, before version: Int, timeout: Duration
    ) async throws(PlatformFailure) -> Int {
        try await inFlight("/drained", ["backend": backend, "before": "\(version)"], timeout)
    }

    /// Waits until no request is under way at the pod `endpoint`, `timeout` at most.
    ///
    /// - Returns: How many still are.
    public func idle(_ endpoint: String, timeout: Duration) async throws(PlatformFailure) -> Int {
        try await inFlight("/idle", ["endpoint": endpoint], timeout)
    }

    /// The identity of the configuration that answers.
    public func configuration() async throws(PlatformFailure) -> String {
        struct Ready: Decodable { var configuration: String }
        let (status, body) = try await send("GET", "/ready", timeout: .seconds(2))
        guard status == 200 else { throw failure(status, body) }
        return try decode(Ready.self, body).configuration
    }

    /// Exactly the text that is sent and compared: keys are sorted.
    static func text(of value: some Encodable) throws(PlatformFailure) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do { return Array(try encoder.encode(value)) } catch {
            throw PlatformFailure(.rejected, "cannot write the state as JSON: \(error)")
        }
    }

    private func put(_ body: [UInt8], _ half: String, _ backend: String) async throws(PlatformFailure) -> Change {
        let (status, answer) = try await send("PUT", "/\(half)", ["backend": backend], body: body)
        switch status {
        case 200: return .stands(try decode(NginxBackendState.self, answer))
        case 409: return .refused(try decode(NginxBackendState.self, answer))
        default: throw failure(status, answer)
        }
    }

    private func inFlight(
        _ path: String, _ query: [String: String], _ timeout: Duration
    ) async throws(PlatformFailure) -> Int {
        struct Count: Decodable { var inFlight: Int }
        let milliseconds = max(
            0, timeout.components.seconds * 1000 + timeout.components.attoseconds / 1_000_000_000_000_000)
        let (status, body) = try await send(
            "GET", path, query.merging(["timeout": "\(milliseconds)"]) { $1 }, timeout: timeout + .seconds(10))
        guard status == 200 else { throw failure(status, body) }
        return try decode(Count.self, body).inFlight
    }

    private func send(
        _ method: String, _ path: String, _ query: [String: String] = [:], body: [UInt8]? = nil,
        timeout: Duration = .seconds(10)
    ) async throws(PlatformFailure) -> (Int, [UInt8]) {
        let query = query.sorted { $0.key < $1.key }.map { "\($0.key)=\(Self.escaped($0.value))" }
        // A connection of its own: one that rests would keep an old worker alive over a reload.
        let request = TransferRequest(
            method: method, url: "http://nginx\(path)?\(query.joined(separator: "&"))",
            headers: body == nil
                ? [] : [TransferHeader("Content-Type", "application/json"), TransferHeader("Expect", "")],
            body: body, timeout: timeout, proxy: .none, unixSocketPath: socket, keepAlive: false)
        do {
            let response = try await client.send(request)
            return (response.status, response.body)
        } catch {
            throw PlatformFailure(error.code == .cancelled ? .cancelled : .unavailable, "nginx: \(error.detail)")
        }
    }

    private static func escaped(_ text: String) -> String {
        text.utf8.map { byte in
            let isPlain = (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
            return isPlain ? String(UnicodeScalar(byte)) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }

    private func decode<Value: Decodable>(_ type: Value.Type, _ body: [UInt8]) throws(PlatformFailure) -> Value {
        do { return try JSONDecoder().decode(type, from: Data(body)) } catch {
            throw PlatformFailure(
                .unavailable, "nginx answered what is no \(type): \(String(decoding: body.prefix(200), as: UTF8.self))")
        }
    }

    private func failure(_ status: Int, _ body: [UInt8]) -> PlatformFailure {
        let text = String(decoding: body.prefix(300), as: UTF8.self)
        return PlatformFailure(status == 400 ? .rejected : .unavailable, "nginx answered \(status): \(text)")
    }
}
