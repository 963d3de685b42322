internal import Delivery
internal import EventSourcing
internal import HTTPTypes
internal import Hummingbird

/// The log as auditors and their programs read it: a tiled transparency log, and proofs.
///
/// - Source: C2SP tlog-tiles; the prefix is `/api/v1/ledger`.
struct ProofRoutes: Sendable {
    let proofs: any Proofs

    func add(to group: RouterGroup<APIContext>) {
        let ledger = group.group("ledger")
        ledger.get("checkpoint") { request, _ -> Response in
            _ = try Query(request, knows: [])
            guard let note = try await proofs.treeHead() else {
                throw APIProblem.http(
                    status: 404, detail: "no tree head was signed yet: is the log empty, or unsealed?")
            }
            return Self.reply(Array(note.utf8), "text/plain; charset=utf-8", cache: "no-cache")
        }
        ledger.get("tile/**") { request, context -> Response in
            _ = try Query(request, knows: [])
            let path = context.parameters.getCatchAll().joined(separator: "/")
            guard let bytes = try await proofs.tile(path) else {
                throw APIProblem.http(status: 404, detail: "the tree has no tile \(path)")
            }
            return Self.reply(bytes, "application/octet-stream", cache: "public, max-age=31536000, immutable")
        }
        ledger.get("proof/:position") { request, context -> Response in
            _ = try Query(request, knows: [])
            let text = context.parameters.get("position") ?? ""
            guard let position = Int64(text), position > 0 else {
                throw APIProblem.badInput(
                    field: "position", value: text, message: "not a position", fix: "give a whole number from 1 on")
            }
            guard let proof = try await proofs.inclusion(of: GlobalPosition(position)) else {
                throw APIProblem.http(
                    status: 404, detail: "no event at position \(position) is under a signed tree head (yet)")
            }
            return Self.reply(Array(proof.utf8), "application/json; charset=utf-8", cache: "no-cache")
        }
        ledger.get("consistency") { request, _ -> Response in
            let query = try Query(request, knows: ["old", "new"])
            guard let old = try query.number("old", in: 1...Int64.max),
                let new = try query.number("new", in: 1...Int64.max)
            else {
                throw APIProblem.badInput(
                    field: "old, new", value: nil, message: "the sizes of two tree heads are needed",
                    fix: "give ?old=…&new=…")
            }
            guard let proof = try await proofs.consistency(from: old, to: new) else {
                throw APIProblem.http(
                    status: 404, detail: "no tree heads of \(old) and, later, \(new) events were signed")
            }
            return Self.reply(Array(proof.utf8), "application/json; charset=utf-8", cache: "no-cache")
        }
    }

    private static func reply(_ bytes: [UInt8], _ type: String, cache: String) -> Response {
        Response(
            status: .ok, headers: [.contentType: type, .cacheControl: cache],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
