internal import Delivery
internal import EventSourcing
internal import HTTPTypes
internal import Hummingbird
internal import ServiceLifecycle

/// What can be read about one rollout: as it is, as it was, its history, its aborts, a replay.
struct RolloutRoutes: Sendable {
    let requests: RolloutRequests

    func add(to group: RouterGroup<APIContext>) {
        group.get { request, context -> Response in
            let point = try Query(request, knows: ["at"]).point("at")
            let view = try await requests.view(requests.name(context), at: point)
            if point == nil, request.headers[.ifNoneMatch] == "\"\(view.decisionVersion)\"" {
                return Response(status: .notModified, headers: .eTag(view.decisionVersion))
            }
            return .json(view, headers: .eTag(view.decisionVersion))
        }
        group.get("history") { request, context -> Response in
            let query = try Query(request, knows: ["from", "to", "last"])
            let (from, to) = (try query.point("from"), try query.point("to"))
            let name = try requests.name(context)
            if let last = try query.number("last", in: 1...1000) {
                let events = try await requests.events(name, last: Int(last), at: to)
                return .json(
                    HistoryTail(
                        events: try events.filter { Self.isAfter(from, $0) }.map {
                            HistoryEntry($0, try RolloutDecider.decode($0))
                        }))
            }
            var history = ReleaseHistory()
            var entries: [HistoryEntry] = []
            for recorded in try await requests.events(name, at: to) {
                let event = try RolloutDecider.decode(recorded)
                history.fold(recorded, event)
                if Self.isAfter(from, recorded) { entries.append(HistoryEntry(recorded, event)) }
            }
            return .json(HistoryReply(events: entries, releases: history.rows))
        }
        group.get("audit") { request, context -> Response in
            _ = try Query(request, knows: [])
            let name = try requests.name(context)
            return .json(AuditReply(aborts: try AbortAudit.aborts(in: try await requests.events(name), of: name)))
        }
        group.get("replay") { request, context -> Response in
            let (from, to) = try Self.span(request)
            let name = try requests.name(context)
            let frames = try ReplayFrame.frames(of: try await requests.events(name, at: to), rollout: name) {
                Self.isAfter(from, $0)
            }
            return .json(ReplayReply(frames: frames))
        }
        group.get("watch") { request, context -> Response in
            let name = try requests.name(context)
            _ = try Query(request, knows: [])
            let lookup = requests.dependencies.lookup
            // Before the rollout: what comes after it is either read with it or followed.
            let head = try await requests.dependencies.store.head()
            let reading = try await lookup.reading(name)
            guard reading.view != nil else { throw try await requests.unknown(name) }
            return EventStreamReply.response(request) { writer in
                try await watch(reading, after: head, &writer)
            }
        }
    }

    /// Sends the view as it is, and then as it is after each append to the rollout's stream; ends with a `problem` where
    /// it cannot go on.
    @concurrent private func watch(
        _ start: RolloutReading, after head: GlobalPosition, _ writer: inout EventStreamReply.Writer
    ) async throws {
        let (store, lookup) = (requests.dependencies.store, requests.dependencies.lookup)
        var (reading, place) = (start, max(head, start.position))
        var last: RecordedEvent?
        if let view = reading.view { try await writer.send(event: "rollout", id: nil, data: CanonicalJSON.text(view)) }
        while true {
            do {
                return try await follow(&reading, after: &place, &last, &writer)
            } catch FollowerEnd.archived {
                // Archives keep the events of rollouts in the log, or else reading them says so.
                let known = reading.version
                do {
                    let head = try await store.head()
                    try await lookup.refresh(&reading)
                    place = max(head, reading.position)
                } catch {
                    let problem = APIProblem(error)
                    // What a repeat may get over ends the stream, and whoever comes again goes on.
                    if !problem.document.retry { try await writer.send(problem) }
                    return
                }
                guard reading.version > known, let view = reading.view else { continue }
                try await writer.send(event: "rollout", id: nil, data: CanonicalJSON.text(view))
            } catch let end as FollowerEnd {
                return try await writer.send(APIProblem(end, after: "\(last?.epoch ?? 1)-\(place)"))
            }
        }
    }

    /// Sends the views that follow on `reading`, from `place` on, where `last` stands if it came from there.
    ///
    /// - Throws: `FollowerEnd` where the log cannot be followed any more.
    @concurrent private func follow(
        _ reading: inout RolloutReading, after place: inout GlobalPosition, _ last: inout RecordedEvent?,
        _ writer: inout EventStreamReply.Writer
    ) async throws {
        let size = 100
        for try await batch in requests.dependencies.store.follow(after: place, batchSize: size)
            .cancelOnGracefulShutdown()
        {
            let news = batch.filter { $0.stream == reading.name.stream && $0.version > reading.version }
            for (index, recorded) in news.enumerated() {
                try reading.fold(recorded)
                // The events of one append are shown together: between them there was nothing to be seen.
                if index + 1 < news.count, news[index + 1].recordedAt == recorded.recordedAt { continue }
                // A batch that has no room for more may end in the middle of an append; what follows is shown with it.
                if index + 1 == news.count, batch.count == size || Self.isHeavy(batch) {
                    try await requests.dependencies.lookup.refresh(&reading)
                }
                guard let view = reading.view else { continue }
                try await writer.send(
                    event: "rollout", id: "\(recorded.epoch)-\(reading.position)", data: CanonicalJSON.text(view))
            }
            last = batch.last
            place = last?.position ?? place
        }
    }

    /// Whether the events take up so much of a page that it may have had no room for the next one.
    private static func isHeavy(_ batch: [RecordedEvent]) -> Bool {
        batch.reduce(0) { $0 + $1.event.textBytes } >= LogPage.mostBytes / 4
    }

    private static func span(_ request: Request) throws(APIProblem) -> (PointInTime?, PointInTime?) {
        let query = try Query(request, knows: ["from", "to"])
        return (try query.point("from"), try query.point("to"))
    }

    /// Whether `recorded` is at `from` or later.
    private static func isAfter(_ from: PointInTime?, _ recorded: RecordedEvent) -> Bool {
        switch from {
        case nil: true
        case .time(let instant): recorded.recordedAt >= instant
        case .position(let position): recorded.position >= position
        case .version(let version): recorded.version >= version
        }
    }
}
