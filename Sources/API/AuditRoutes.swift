internal import Delivery
internal import EventSourcing
internal import HTTPTypes
internal import Hummingbird

/// Auditors' questions about the whole log: who did what, when, where and why.
struct AuditRoutes: Sendable {
    let audit: any AuditTrail

    func add(to group: RouterGroup<APIContext>) {
        group.get("audit") { request, _ -> Response in
            let query = try Query(
                request,
                knows: [
                    "actor", "from", "until", "rollout", "stream", "type", "text", "correlation", "event", "limit",
                    "cursor",
                ])
            return .json(
                AuditReplyPage(
                    try await audit.page(
                        AuditQuery(
                            rollout: try Self.rollout(query), streamPrefix: query.text("stream"),
                            actor: query.text("actor"), types: try EventRoutes.types(query.texts("type")),
                            correlation: try query.identifier("correlation"), event: try query.identifier("event"),
                            text: query.text("text"), from: try query.instant("from"),
                            until: try query.instant("until"),
                            before: try query.number("cursor", in: 1...Int64.max).map { GlobalPosition($0) },
                            limit: Int(try query.number("limit", in: 1...1000) ?? 100)))))
        }
    }

    /// A page, whose cursor is text here as everywhere: to be given back as it is, and not to be reckoned with.
    private struct AuditReplyPage: Encodable {
        let entries: [AuditEntry]
        let position: GlobalPosition
        let next: String?

        init(_ page: AuditPage) {
            (entries, position, next) = (page.entries, page.position, page.next.map { "\($0)" })
        }
    }

    /// `[[cluster/]namespace/]name`.
    private static func rollout(_ query: Query) throws(APIProblem) -> RolloutName? {
        guard let text = query.text("rollout") else { return nil }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let whole = (["default", "default"] + parts).suffix(max(3, parts.count)).map { $0 }
        guard whole.count == 3, let name = RolloutName(cluster: whole[0], namespace: whole[1], name: whole[2]) else {
            throw .badInput(
                field: "rollout", value: text, message: "not the name of a rollout",
                fix: "write name, namespace/name or cluster/namespace/name")
        }
        return name
    }
}
