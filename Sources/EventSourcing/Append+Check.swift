extension Append {
    /// How many bytes of `data` and `metadata` together one event may have.
    public static let largestEvent = 4 * 1024 * 1024

    /// Refuses what no store can ever keep, before anything is sent.
    ///
    /// - Throws: ``EventStoreFailure/rejected(_:)`` naming the event, the field and the fix.
    public func check() throws(EventStoreFailure) {
        if events.isEmpty, command == nil {
            throw .rejected("an append to \(stream) has neither events nor a command; give at least one")
        }
        if expecting == .any, command == nil {
            throw .rejected("an append to \(stream) accepts any version; give a command id, or the expected version")
        }
        if Set(events.map(\.id)).count != events.count {
            throw .rejected("an append to \(stream) has one event id twice; mint an id for each event")
        }
        for event in events { try Self.check(event, stream) }
    }

    private static func check(_ event: NewEvent, _ stream: StreamName) throws(EventStoreFailure) {
        let name = "event \(event.id) (\(event.type)) for \(stream)"
        for (field, value) in [("type", event.type), ("actor.subject", event.actor.subject)] where value.isEmpty {
            throw .rejected("\(name): \(field) is empty")
        }
        for (field, value) in [
            ("type", event.type), ("actor.subject", event.actor.subject), ("actor.issuer", event.actor.issuer),
            ("actor.onBehalfOf", event.actor.onBehalfOf ?? ""),
        ] where value.utf8.contains(0) {
            throw .rejected("\(name): \(field) holds U+0000, which cannot be kept; replace it, for example by U+FFFD")
        }
        let size = event.data.utf8.count + event.metadata.utf8.count
        guard size <= largestEvent else {
            throw .rejected(
                "\(name): data and metadata have \(size) bytes; at most \(largestEvent) fit, so keep large bodies elsewhere "
                    + "and name them by digest")
        }
        for (field, value) in [("data", event.data), ("metadata", event.metadata)] {
            do { try JSONText.check(value) } catch { throw .rejected("\(name): \(field) is no JSON: \(error)") }
        }
    }
}
