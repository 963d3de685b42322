import Delivery
import EventSourcing
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Testing

@testable import API

/// The log as auditors read it over HTTP.
@Suite struct ProofTests {
    /// A log of one event.
    private struct OneEvent: Proofs {
        var isSealed = true

        func treeHead() async throws(EventStoreFailure) -> String? { isSealed ? "log\n1\nroot\n\n— log sig\n" : nil }

        func tile(_ path: String) async throws(EventStoreFailure) -> [UInt8]? {
            ["0/000.p/1": [1, 2, 3], "entries/x001/000": [0]][path]
        }

        func inclusion(of position: GlobalPosition) async throws(EventStoreFailure) -> String? {
            position.value == 1 ? "{\"position\":1}\n" : nil
        }

        func consistency(from old: Int64, to new: Int64) async throws(EventStoreFailure) -> String? {
            (old, new) == (1, 2) ? "{}\n" : nil
        }
    }

    private func run(
        _ proofs: (any Proofs)?, _ body: @Sendable @escaping @concurrent (any TestClientProtocol) async throws -> Void
    ) async throws {
        var dependencies = Harness().dependencies
        dependencies.proofs = proofs
        try await Application(router: buildAPI(dependencies)).test(.router) { client in try await body(client) }
    }

    @Test func `head, tiles and proofs are given as they are, with how long they may be kept`() async throws {
        try await run(OneEvent()) { client in
            for (uri, type, cache, body) in [
                ("checkpoint", "text/plain; charset=utf-8", "no-cache", Array("log\n1\nroot\n\n— log sig\n".utf8)),
                ("tile/0/000.p/1", "application/octet-stream", "public, max-age=31536000, immutable", [1, 2, 3]),
                ("tile/entries/x001/000", "application/octet-stream", "public, max-age=31536000, immutable", [0]),
                ("proof/1", "application/json; charset=utf-8", "no-cache", Array("{\"position\":1}\n".utf8)),
                ("consistency?old=1&new=2", "application/json; charset=utf-8", "no-cache", Array("{}\n".utf8)),
            ] {
                let response = try await client.execute(uri: "/api/v1/ledger/\(uri)", method: .get)
                #expect(response.status == .ok, "\(uri)")
                #expect(response.headers[.contentType] == type)
                #expect(response.headers[.cacheControl] == cache)
                #expect(Array(response.body.readableBytesView) == body)
            }
        }
    }

    @Test func `what is not there is said to be not there, and what is no value is named`() async throws {
        try await run(OneEvent(isSealed: false)) { client in
            for uri in ["checkpoint", "tile/0/001", "tile/x", "proof/2", "consistency?old=1&new=3"] {
                let problem: ProblemDocument = try await client.ask("/api/v1/ledger/\(uri)", expecting: 404)
                #expect(!problem.detail.isEmpty, "\(uri)")
            }
            for uri in [
                "proof/x", "proof/0", "proof/1?size=1", "checkpoint?size=1", "tile/0/000.p/1?x=1", "consistency",
                "consistency?old=1", "consistency?old=0&new=1",
            ] {
                let problem: ProblemDocument = try await client.ask("/api/v1/ledger/\(uri)", expecting: 400)
                #expect(problem.fix?.isEmpty == false, "\(uri)")
            }
        }
        try await run(nil) { client in
            let problem: ProblemDocument = try await client.ask("/api/v1/ledger/checkpoint", expecting: 404)
            #expect(problem.code == "unknown-path")
        }
    }
}
