public import EventSourcing

/// What read models show of one rollout: how it stands, and the releases that changed.
///
/// A fold like ``RolloutReading``, with the same rules and the same answers, that reads only the fields it needs: a
/// rebuild looks at every event of every rollout. Measurements, for one, are passed over.
public struct RolloutSummaryFold: Sendable, Equatable, Codable {
    /// An event type as this fold takes it; looked up once for each type, not for each event.
    public struct EventType: Sendable {
        /// Wire name with version.
        public let name: String
        let need: SummaryNeed

        /// The type of that wire name; `nil` if this build knows no such event of a rollout.
        public init?(_ name: String) {
            guard Self.known.contains(name) else { return nil }
            self.name = name
            need = SummaryNeed(name)
        }

        /// Whether the payload is looked at.
        public var needsPayload: Bool { if case .nothing = need { false } else { true } }

        private static let known = Set(RolloutFact.wireNames)
    }

    /// Where an event stands and when it was.
    public struct Place: Sendable {
        /// In the stream.
        public var version: StreamVersion
        /// In the log.
        public var position: GlobalPosition
        /// When it happened.
        public var occurredAt: Instant
        /// When it was recorded.
        public var recordedAt: Instant

        /// Makes a place.
        public init(version: StreamVersion, position: GlobalPosition, occurredAt: Instant, recordedAt: Instant) {
            self.version = version
            self.position = position
            self.occurredAt = occurredAt
            self.recordedAt = recordedAt
        }
    }

    private var reading: RolloutReading
    private var history = ReleaseHistory()

    /// Nothing read yet.
    public init(_ name: RolloutName) { reading = RolloutReading(name) }

    /// The rollout.
    public var name: RolloutName { reading.name }

    /// The last version that was folded.
    public var version: StreamVersion { reading.version }

    /// Folds the next event of the stream; `payload` is its JSON in UTF-8, and is not looked at if the type needs none.
    ///
    /// - Throws: ``UnreadableEvent`` for a payload that does not fit the type.
    public mutating func fold(
        _ type: EventType, at place: Place, by actor: @autoclosure () -> EventActor, payload: UnsafeRawBufferPointer
    ) throws(UnreadableEvent) {
        let short: RolloutFact?
        switch type.need {
        case .nothing:
            reading.pass(place)
            return
        case .fields(let read):
            var scanner = PayloadScanner(payload)
            do throws(PayloadScanner.GivenUp) {
                let fact = try read(&scanner, name.name)
                try scanner.end()
                short = fact
            } catch {
                short = nil
            }
        case .everything: short = nil
        }
        let fact: RolloutFact = if let short { short } else { try whole(type, place, payload) }
        let event = RolloutEvent(at: place.occurredAt, fact)
        reading.fold(event, at: place)
        if event.concernsHistory { history.fold(event, at: place.position, by: actor()) }
    }

    /// How the rollout stands; `nil` before its first manifest.
    public var summary: RolloutSummary? { reading.summary }

    /// The releases that began or ended since the last call, in order of their start; ended ones are forgotten.
    public mutating func takeChangedReleases() -> [ReleaseRow] { history.takeChanged() }

    /// The releases that ended and were not taken yet; those under way are kept for ``takeChangedReleases()``.
    public mutating func takeEndedReleases() -> [ReleaseRow] { history.takeEnded() }

    /// Reads the payload with the one table of wire names, and keeps of a manifest what a summary needs.
    private func whole(
        _ type: EventType, _ place: Place, _ payload: UnsafeRawBufferPointer
    ) throws(UnreadableEvent) -> RolloutFact {
        let fact = try RolloutDecider.decode(
            type: type.name, data: String(decoding: payload, as: UTF8.self), occurredAt: place.occurredAt
        ).fact
        guard case .manifestRecorded(var recorded) = fact else { return fact }
        recorded.manifest = SummaryNeed.bundle(of: name.name)
        return .manifestRecorded(recorded)
    }
}

extension RolloutEvent {
    fileprivate var concernsHistory: Bool {
        switch fact {
        case .releaseStarted, .completed, .aborted, .superseded: true
        default: false
        }
    }
}
