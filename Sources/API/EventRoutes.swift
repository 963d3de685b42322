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
            let start: GlobalPosition
            if let last = request.headers[.lastEventID] {
                start = try await place(lastEvent: last)
            } else if let after = try query.number("after", in: 0...Int64.max) {
                let head = try await store.head()
                guard after <= head.value else {
                    throw APIProblem.badInput(
                        field: "after", value: "\(after)", message: "the log ends at position \(head)",
                        fix: "leave it out to follow from the end")
                }
                start = GlobalPosition(after)
            } else {
                start = try await store.head()
            }
            // What cannot be read is said before the stream begins.
            let first = try await page(after: start, previous: nil)
            return EventStreamReply.response(request) { writer in
                try await follow(first, after: start, filter, &writer)
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

    private static let batch = 100

    /// Some events, and the one right before them: by that a log is known that is not the same any more.
    private struct Page {
        var previous: RecordedEvent?
        var events: [RecordedEvent]
    }

    /// What comes after `place`, where `previous` stands if that was read.
    ///
    /// - Throws: `EventStoreFailure`; ``APIProblem`` if the log was cut short since, however far it has grown again.
    private func page(after place: GlobalPosition, previous: RecordedEvent?) async throws -> Page {
        if place > .start {
            let found = try await read(after: GlobalPosition(place.value - 1), limit: Self.batch + 1)
            if let there = found.events.first {
                guard (previous ?? there).event.id == there.event.id, (previous ?? there).epoch == there.epoch else {
                    throw APIProblem.otherLog(
                        lastEvent: Self.id(previous ?? there), found: "another event stands at position \(place)")
                }
                if found.events.count == 1 { _ = try found.whole() }
                return Page(previous: there, events: Array(found.events.dropFirst()))
            }
            guard case .archived = found.end else {
                throw APIProblem.otherLog(
                    lastEvent: previous.map { Self.id($0) } ?? "\(place)", found: "it ends before position \(place)")
            }
            // It may be the one at the place alone that was put away.
        }
        return Page(previous: previous, events: try await read(after: place, limit: Self.batch).beginning())
    }

    private func read(after place: GlobalPosition, limit: Int) async throws(EventStoreFailure) -> LogPage {
        try await store.readAll(after: place, before: nil, filter: EventFilter(), backwards: false, limit: limit)
    }

    /// Sends what there is, and then what comes; ends with a `problem` where events stand in an archive, or the log is
    /// not the one that was sent.
    @concurrent private func follow(
        _ first: Page, after start: GlobalPosition, _ filter: EventFilter, _ writer: inout EventStreamReply.Writer
    ) async throws {
        var (place, next) = (start, first)
        while !Task.isShuttingDownGracefully {
            do {
                if let last = next.events.last {
                    try await send(next.events, filter, &writer)
                    (place, next) = (last.position, Page(previous: last, events: []))
                    next = try await page(after: place, previous: last)
                    continue
                }
                try await send(newsAfter: &place, &next.previous, filter, &writer)
                // It ended by itself: what is in the way is read there.
                if Task.isShuttingDownGracefully || Task.isCancelled { return }
                next = try await page(after: place, previous: next.previous)
                if next.events.isEmpty { return }
            } catch let problem as APIProblem {
                return try await send(problem, &writer)
            } catch EventStoreFailure.archived(let words) {
                return try await send(.store(.archived(words)), &writer)
            } catch is EventStoreFailure {
                // What else there may be in the way, the follower gets over: it reads the same.
                continue
            }
        }
    }

    /// Sends what comes after `place`, where `previous` stands, as long as it can be followed.
    @concurrent private func send(
        newsAfter place: inout GlobalPosition, _ previous: inout RecordedEvent?, _ filter: EventFilter,
        _ writer: inout EventStreamReply.Writer
    ) async throws {
        var isKnown = false
        for await batch in store.follow(after: place, batchSize: Self.batch).cancelOnGracefulShutdown() {
            // From here on the follower itself looks whether the log is still the same.
            if !isKnown, case .cutShort = try await store.end(ofFollowerAt: place, after: previous) { return }
            isKnown = true
            try await send(batch, filter, &writer)
            if let last = batch.last { (place, previous) = (last.position, last) }
        }
    }

    @concurrent private func send(_ problem: APIProblem, _ writer: inout EventStreamReply.Writer) async throws {
        try await writer.send(event: "problem", id: nil, data: CanonicalJSON.text(problem.document))
    }

    @concurrent private func send(
        _ events: [RecordedEvent], _ filter: EventFilter, _ writer: inout EventStreamReply.Writer
    ) async throws {
        for recorded in events where filter.matches(recorded) {
            try await writer.send(
                event: recorded.event.type, id: Self.id(recorded),
                data: CanonicalJSON.text(try EventReply(recorded)))
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

    /// The position in `<epoch>-<position>`, after a look whether the log has it, in that epoch.
    private func place(lastEvent text: String) async throws -> GlobalPosition {
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
        guard position > .start else { return position }
        // What was put away with its partition is not there, and was never cut off.
        let there = try await store.readAll(
            after: GlobalPosition(number - 1), before: number == .max ? nil : GlobalPosition(number + 1),
            filter: EventFilter(), backwards: false, limit: 1)
        guard let there = there.events.first, there.epoch != epoch else { return position }
        throw APIProblem.otherLog(lastEvent: text, found: "position \(position) is of epoch \(there.epoch)")
    }
}
