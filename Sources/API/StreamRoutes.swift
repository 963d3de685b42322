internal import Delivery
internal import EventSourcing
internal import Foundation
internal import HTTPTypes
internal import Hummingbird

/// One stream, by version: what happened in it between two versions, or last.
struct StreamRoutes: Sendable {
    let store: any EventStore

    func add(to group: RouterGroup<APIContext>) {
        group.get("streams/**") { request, context -> Response in
            let query = try Query(request, knows: ["after", "through", "limit", "backwards", "cursor"])
            let stream = try Self.stream(request)
            let backwards = try query.flag("backwards")
            let limit = Int(try query.number("limit", in: 1...1000) ?? 100)
            var after = StreamVersion(try query.number("after", in: 0...Int64.max) ?? 0)
            var through = try query.number("through", in: 1...Int64.max).map { StreamVersion($0) }
            if let cursor = try query.number("cursor", in: 0...Int64.max) {
                if backwards {
                    through = min(through ?? .init(.max), StreamVersion(max(0, cursor - 1)))
                } else {
                    after = max(after, StreamVersion(cursor))
                }
            }
            // Asked for before the page, which has all up to there then.
            guard let newest = try await newest(of: stream) else { throw try await unknown(stream) }
            let page = try await store.read(
                stream, after: after, through: through, backwards: backwards, limit: limit)
            let last = backwards ? StreamVersion(min(after.value, .max - 1) + 1) : min(through ?? newest, newest)
            return .json(
                StreamEvents(
                    stream: stream, version: max(newest, page.events.map(\.version).max() ?? newest),
                    events: try page.beginning().map { try EventReply($0) },
                    next: Self.next(page, to: last, backwards: backwards).map { "\($0)" }))
        }
    }

    /// The stream that the rest of the path names, in which slashes stand as they are, also two in a row.
    private static func stream(_ request: Request) throws(APIProblem) -> StreamName {
        let path = request.uri.path
        let text = path.range(of: "/streams/").map { String(path[$0.upperBound...]) } ?? ""
        guard let stream = text.removingPercentEncoding.flatMap({ StreamName($0) }) else {
            throw .badInput(
                field: "path", value: text, message: "not the name of a stream: 3 to 512 printable ASCII characters",
                fix: "write it as events have it, such as rollout-default/default/payments-api")
        }
        return stream
    }

    /// The version of a stream's last event, which no archive takes away; nil if it has none.
    private func newest(of stream: StreamName) async throws(EventStoreFailure) -> StreamVersion? {
        try await store.read(stream, after: .none, through: nil, backwards: true, limit: 1).events.first?.version
    }

    /// The problem of a name that no stream has, with the one that was probably meant.
    private func unknown(_ stream: StreamName) async throws(EventStoreFailure) -> APIProblem {
        let category = String(stream.description.prefix { $0 != "-" })
        let names = try await store.streams(in: category).map(\.description)
        return .unknownStream(stream, nearest: NearestName.of(stream.description, among: names))
    }

    /// Where the next page begins: after the last event that is given, unless that is the one at `last`, or right before
    /// what stands in an archive.
    private static func next(_ page: StreamPage, to last: StreamVersion, backwards: Bool) -> StreamVersion? {
        switch page.end {
        case .limit: page.events.last.map(\.version).flatMap { ($0 < last) != backwards && $0 != last ? $0 : nil }
        case .complete: nil
        case .archived(let first, _): StreamVersion(first.value + (backwards ? 1 : -1))
        }
    }
}
