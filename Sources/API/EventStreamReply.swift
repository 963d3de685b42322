internal import EventSourcing
internal import Hummingbird

/// Server-sent events: an answer that goes on until the client leaves or its source ends.
///
/// - Source: WHATWG HTML, "Server-sent events".
enum EventStreamReply {
    /// Writes events.
    struct Writer {
        fileprivate var body: any ResponseBodyWriter

        /// Sends one event; `data` is one line.
        @concurrent mutating func send(event: String, id: String?, data: String) async throws {
            let idLine = id.map { "id: \($0)\n" } ?? ""
            try await body.write(ByteBuffer(string: "\(idLine)event: \(event)\ndata: \(data)\n\n"))
        }

        /// Sends what is in the way, as the last event.
        @concurrent mutating func send(_ problem: APIProblem) async throws {
            try await send(event: "problem", id: nil, data: CanonicalJSON.text(problem.document))
        }
    }

    /// An answer whose events `send` writes; it is cancelled when the client leaves.
    static func response(
        _ request: Request, _ send: @escaping @Sendable @concurrent (inout Writer) async throws -> Void
    ) -> Response {
        Response(
            status: .ok, headers: [.contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-store"],
            body: ResponseBody { writer in
                var events = Writer(body: writer)
                // A first line of no meaning makes the head of the answer leave at once.
                try await events.body.write(ByteBuffer(string: ": rollbook\n\n"))
                try await request.body.consumeWithCancellationOnInboundClose { body in
                    // Read to its end first: the process traps if the answer ends before somebody has seen that of the
                    // request (Hummingbird 2, `withInboundCloseHandler` cancels its reader, which then ends no body).
                    for try await _ in body {}
                    try await send(&events)
                }
                try await writer.finish(nil)
            })
    }
}
