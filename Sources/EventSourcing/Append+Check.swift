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
        if events.count > 1, Set(events.map(\.id)).count != events.count {
            throw .rejected("an append to \(stream) has one event id twice; mint an id for each event")
        }
        for event in events { try Self.check(event, stream) }
    }

    private static func check(_ event: NewEvent, _ stream: StreamName) throws(EventStoreFailure) {
        func refusal(_ why: String) -> EventStoreFailure {
            .rejected("event \(event.id) (\(event.type)) for \(stream): \(why)")
        }
        let actor = event.actor
        if event.type.isEmpty { throw refusal("type is empty") }
        // Two ways to write one letter would be one type to a program and two to the database.
        if event.type.utf8.contains(where: { $0 >= 0x80 }) { throw refusal("type is not ASCII; name it in ASCII") }
        if actor.subject.isEmpty { throw refusal("actor.subject is empty") }
        let texts = [
            ("type", event.type), ("actor.subject", actor.subject), ("actor.issuer", actor.issuer),
            ("actor.onBehalfOf", actor.onBehalfOf ?? ""),
        ]
        if let (field, _) = texts.first(where: { $0.1.utf8.contains(0) }) {
            throw refusal("\(field) holds U+0000, which cannot be kept; replace it, for example by U+FFFD")
        }
        let size = event.textBytes
        guard size <= largestEvent else {
            throw refusal(
                "data and metadata have \(size) bytes; at most \(largestEvent) fit, so keep large bodies elsewhere "
                    + "and name them by digest")
        }
        do { try JSONText.check(event.data) } catch { throw refusal("data is no JSON: \(error)") }
        do { try JSONText.check(event.metadata) } catch { throw refusal("metadata is no JSON: \(error)") }
    }
}
