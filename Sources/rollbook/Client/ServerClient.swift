import API
import Delivery
import EventSourcing
import Foundation
import Transfer

/// Speaks to the JSON API.
struct ServerClient: Sendable {
    let server: String
    let cluster: String
    let actor: String
    let transfer: TransferClient

    /// Lets go of the connections.
    func close() async { await transfer.close() }

    /// The path of a rollout, with what follows it.
    ///
    /// - Throws: `.argument` for an empty name, which would make it the path of something else.
    func path(_ namespace: String, _ name: String, _ rest: String = "") throws(ClientFailure) -> String {
        guard !name.isEmpty else {
            throw .argument("the rollout's name is empty: `rollbook list rollouts -A` shows those that there are")
        }
        return "\(rollouts)/\(Self.encoded(namespace))/\(Self.encoded(name))" + (rest.isEmpty ? "" : "/\(rest)")
    }

    /// The path of the cluster's rollouts.
    var rollouts: String {
        cluster == "default" ? "/api/v1/rollouts" : "/api/v1/clusters/\(Self.encoded(cluster))/rollouts"
    }

    /// The JSON text at `path`.
    func text(_ path: String, query: [(String, String?)] = []) async throws(ClientFailure) -> String {
        try await send(TransferRequest(url: url(path, query), headers: headers))
    }

    /// What stands at `path`, read as `Value`.
    func get<Value: Decodable>(_ path: String, query: [(String, String?)] = []) async throws(ClientFailure) -> Value {
        try read(try await text(path, query: query))
    }

    /// Sends an order.
    ///
    /// It carries a key of its own, so that sending it again after a lost answer does nothing twice.
    func post<Value: Decodable>(
        _ path: String, query: [(String, String?)] = [], _ body: JSONValue
    ) async throws(ClientFailure) -> Value {
        var headers = headers
        headers.append(TransferHeader("Content-Type", "application/json"))
        headers.append(TransferHeader("Idempotency-Key", UUID().uuidString.lowercased()))
        let request = TransferRequest(
            method: "POST", url: url(path, query), headers: headers, body: Array(CanonicalJSON.text(body).utf8),
            timeout: .seconds(60))
        do {
            return try read(try await send(request))
        } catch .unreachable(_, let failure) where failure.code == .connectionLost {
            return try read(try await send(request))
        } catch .problem(let problem) where problem.code == "outcome-unknown" {
            return try read(try await send(request))
        }
    }

    /// Calls `each` with the rollout as it is and as it becomes, until it answers `false`.
    ///
    /// A connection that is lost is taken up again; `lost` is told each time.
    /// - Throws: `ClientFailure`, with the problem if the server cannot go on.
    func watch(
        _ namespace: String, _ name: String, lost: (String) async -> Void,
        each: (RolloutView) async throws -> Bool
    ) async throws {
        var hasSeen = false
        while !Task.isCancelled {
            do {
                var request = TransferRequest(url: url(try path(namespace, name, "watch"), []), headers: headers)
                request.timeout = nil
                let stream = try await transfer.stream(request)
                guard stream.head.isSuccess else {
                    var body: [UInt8] = []
                    for try await bytes in stream { body += bytes }
                    throw failure(status: stream.head.status, text: String(decoding: body, as: UTF8.self))
                }
                var events = ServerSentEvents()
                for try await bytes in stream {
                    for event in events.read(bytes) {
                        switch event.name {
                        case "rollout":
                            hasSeen = true
                            if try await !each(try read(event.data)) { return }
                        case "problem": throw ClientFailure.problem(try read(event.data))
                        default: continue
                        }
                    }
                }
                await lost("the server ended the stream")
            } catch let failure as TransferFailure {
                if Task.isCancelled { return }
                guard hasSeen, failure.canRetry || failure.code == .connectionLost else {
                    throw ClientFailure.unreachable(server: server, failure)
                }
                await lost(failure.detail)
            }
            try await Task.sleep(for: .seconds(1))
        }
    }

    private var headers: [TransferHeader] {
        [
            TransferHeader("Accept", "application/json"), TransferHeader("User-Agent", "rollbook-cli"),
            TransferHeader("X-Rollbook-Actor", actor),
        ]
    }

    private func send(_ request: TransferRequest) async throws(ClientFailure) -> String {
        let response: TransferResponse
        do { response = try await transfer.send(request) } catch { throw .unreachable(server: server, error) }
        guard response.head.isSuccess else { throw failure(status: response.status, text: response.text) }
        return response.text
    }

    private func failure(status: Int, text: String) -> ClientFailure {
        do {
            return .problem(try CanonicalJSON.read(from: text))
        } catch {
            return .strange(server: server, status: status, text: text)
        }
    }

    private func read<Value: Decodable>(_ text: String) throws(ClientFailure) -> Value {
        do {
            return try CanonicalJSON.read(from: text)
        } catch {
            throw .strange(server: server, status: 200, text: "\(error)")
        }
    }

    private func url(_ path: String, _ query: [(String, String?)]) -> String {
        let given = query.compactMap { name, value in value.map { "\(name)=\(Self.encoded($0))" } }
        return server + path + (given.isEmpty ? "" : "?" + given.joined(separator: "&"))
    }

    /// `text` with all but RFC 3986's unreserved characters escaped.
    private static func encoded(_ text: String) -> String {
        text.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                String(UnicodeScalar(byte))
            default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }.joined()
    }
}
