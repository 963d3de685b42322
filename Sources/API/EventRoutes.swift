internal import Delivery
internal import EventSourcing
internal import HTTPTypes
internal import Hummingbird
internal import ServiceLifecycle

/// The whole log: pages of it, and as it grows.
struct EventRoutes: Sendable {
    let store: any EventStore

    private static let filters: Set<String> = ["type", "stream", "correlation", "actor", "from", "until"]

    func add(to group: RouterGroup<APIContext>) {
        group.get("events") { request, _ -> Response in
            let query = try Query(
                request, knows: Self.filters.union(["after", "before", "limit", "backwards", "cursor"]))
            let backwards = try query.flag("backwards")
            let limit = Int(try query.number("limit", in: 1...1000) ?? 100)
            var after = GlobalPosition(try query.number("after", in: 0...Int64.max) ?? 0)
            var before = try query.number("before", in: 0...Int64.max).map { GlobalPosition($0) }
            if let cursor = try query.number("cursor", in: 0...Int64.max) {
                if backwards { before = GlobalPosition(cursor) } else { after = GlobalPosition(cursor) }
            }
            let head = try await store.head()
            // One more than there is room for, to know whether there are more.
            let found = try await store.readAll(
                after: after, before: before, filter: try Self.filter(query), backwards: backwards, limit: limit + 1)
            let page = try found.beginning().prefix(limit)
            return .json(
                EventPage(
                    events: try page.map { try EventReply($0) },
                    next: Self.next(after: page, found.end, backwards: backwards).map { "\($0)" }, head: head))
        }
        group.get("events/stream") { request, _ -> Response in
            let query = try Query(request, knows: Self.filters.union(["after"]))
            let filter = try Self.filter(query)
            let start: Start
            if let last = request.headers[.lastEventID] {
                start = try await self.start(lastEvent: last)
            } else if let after = try query.number("after", in: 0...Int64.max) {
                let head = try await store.head()
                guard after <= head.value else {
                    throw APIProblem.badInput(
                        field: "after", value: "\(after)", message: "the log ends at position \(head)",
                        fix: "leave it out to follow from the end")
                }
                start = Start(place: GlobalPosition(after))
            } else {
                start = Start(place: try await store.head())
            }
            // What cannot be read is said before the stream begins.
            _ = try await store.readAll(
                after: start.place, before: nil, filter: EventFilter(), backwards: false, limit: 1
            ).beginning()
            return EventStreamReply.response(request) { writer in
                try await follow(start, filter, &writer)
            }
        }
    }

    /// Where the next page begins: after the last event that is given, or right before what stands in an archive.
    private static func next(
        after page: ArraySlice<RecordedEvent>, _ end: LogPage.End, backwards: Bool
    ) -> GlobalPosition? {
        switch end {
        case .limit: page.last?.position
        case .complete: nil
        case .archived(let first, _): GlobalPosition(first.value + (backwards ? 1 : -1))
        }
    }

    /// Where a stream of events begins.
    private struct Start {
        var place: GlobalPosition
        /// The event there, if the client has named it.
        var event: RecordedEvent?
    }

    /// Sends what there is and what comes; ends with a `problem` where events stand in an archive, or the log is not the one
    /// that was sent.
    @concurrent private func follow(
        _ start: Start, _ filter: EventFilter, _ writer: inout EventStreamReply.Writer
    ) async throws {
        var last = start.event
        do {
            for try await batch in store.follow(after: start.place, seen: start.event?.event.id, batchSize: 100)
                .cancelOnGracefulShutdown()
            {
                for recorded in batch where filter.matches(recorded) {
                    try await writer.send(
                        event: recorded.event.type, id: Self.id(recorded),
                        data: CanonicalJSON.text(try EventReply(recorded)))
                }
                last = batch.last
            }
        } catch let end as FollowerEnd {
            try await writer.send(APIProblem(end, after: last.map { Self.id($0) } ?? "\(start.place)"))
        }
    }

    private static func id(_ event: RecordedEvent) -> String { "\(event.epoch)-\(event.position)" }

    private static func filter(_ query: Query) throws(APIProblem) -> EventFilter {
        EventFilter(
            types: try types(query.texts("type")),
            streamPrefix: query.text("stream"), correlation: try query.identifier("correlation"),
            actor: query.text("actor"), from: try query.instant("from"), until: try query.instant("until"))
    }

    /// The wire names that are meant by `names`.
    static func types(_ names: [String]) throws(APIProblem) -> [String] {
        var types: [String] = []
        for name in names { types += try self.types(name) }
        return types
    }

    /// The wire names that are meant by `name`, which may lack the version or the subject.
    private static func types(_ name: String) throws(APIProblem) -> [String] {
        let known = RolloutFact.wireNames + [TemplateDecider.wireName]
        if name.contains(".v") { return [name] }
        let meant = known.filter { $0.hasPrefix(name + ".v") || $0.hasPrefix("rollout.\(name).v") }
        guard meant.isEmpty else { return meant }
        let words = known.map { String($0.prefix { $0 != "." }) + "." + String($0.split(separator: ".")[1]) }
        throw .badInput(
            field: "type", value: name, message: "there is no such event type",
            fix: NearestName.of(name, among: words).map { "did you mean \($0)?" } ?? "write rollout.aborted, say")
    }

    /// The place of the event `<epoch>-<position>`, after a look whether the log has it, in that epoch.
    private func start(lastEvent text: String) async throws -> Start {
        let parts = text.split(separator: "-")
        guard parts.count == 2, let epoch = Int(parts[0]), let number = Int64(parts[1]), number >= 0 else {
            throw APIProblem.badInput(
                field: "Last-Event-ID", value: text, message: "not an epoch and a position",
                fix: "send the id of the last event, such as 1-1042")
        }
        let position = GlobalPosition(number)
        let head = try await store.head()
        guard position <= head else {
            throw APIProblem.otherLog(lastEvent: text, found: "it ends at position \(head)")
        }
        guard position > .start else { return Start(place: position) }
        // What was put away with its partition is not there, and was never cut off.
        let there = try await store.readAll(
            after: GlobalPosition(number - 1), before: nil, filter: EventFilter(), backwards: false, limit: 1
        ).events.first
        if let there, there.epoch != epoch {
            throw APIProblem.otherLog(lastEvent: text, found: "position \(position) is of epoch \(there.epoch)")
        }
        return Start(place: position, event: there)
    }
}
