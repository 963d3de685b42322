public import EventSourcing

/// The one table of wire names of a rollout's events; a name once written decodes forever.
extension RolloutFact {
    /// The wire name with version.
    public var wireName: String { row.name }

    /// The JSON text of the payload: canonical, so the same fact always gives the same bytes.
    public var payload: String { CanonicalJSON.text(row.payload) }

    private var row: (name: String, payload: any Encodable) {
        switch self {
        case .manifestRecorded(let payload): ("rollout.manifest-recorded.v1", payload)
        case .releaseStarted(let payload): ("rollout.release-started.v1", payload)
        case .stepEntered(let payload): ("rollout.step-entered.v1", payload)
        case .stepCompleted(let payload): ("rollout.step-completed.v1", payload)
        case .weightDecided(let payload): ("rollout.weight-decided.v1", payload)
        case .weightApplied(let payload): ("rollout.weight-applied.v1", payload)
        case .weightRejected(let payload): ("rollout.weight-rejected.v1", payload)
        case .scaleDecided(let payload): ("rollout.scale-decided.v1", payload)
        case .scaleApplied(let payload): ("rollout.scale-applied.v1", payload)
        case .scaleRejected(let payload): ("rollout.scale-rejected.v1", payload)
        case .podsObserved(let payload): ("rollout.pods-observed.v1", payload)
        case .pauseBegan(let payload): ("rollout.pause-began.v1", payload)
        case .pauseEnded(let payload): ("rollout.pause-ended.v1", payload)
        case .analysisStarted(let payload): ("rollout.analysis-started.v1", payload)
        case .measurementTaken(let payload): ("rollout.measurement-taken.v1", payload)
        case .metricConcluded(let payload): ("rollout.metric-concluded.v1", payload)
        case .analysisConcluded(let payload): ("rollout.analysis-concluded.v1", payload)
        case .deadlineExceeded(let payload): ("rollout.deadline-exceeded.v1", payload)
        case .promoted(let payload): ("rollout.promoted.v1", payload)
        case .aborted(let payload): ("rollout.aborted.v1", payload)
        case .completed(let payload): ("rollout.completed.v1", payload)
        case .superseded(let payload): ("rollout.superseded.v1", payload)
        case .standingOrderExecuted(let payload): ("rollout.standing-order-executed.v1", payload)
        case .setRetired(let payload): ("rollout.set-retired.v1", payload)
        }
    }

    /// Every wire name that this build writes, in the catalogue's order.
    public static let wireNames: [String] = readers.map(\.name)

    fileprivate static let readers: [(name: String, read: @Sendable (String) throws -> RolloutFact)] = [
        ("rollout.manifest-recorded.v1", { .manifestRecorded(try CanonicalJSON.read(from: $0)) }),
        ("rollout.release-started.v1", { .releaseStarted(try CanonicalJSON.read(from: $0)) }),
        ("rollout.step-entered.v1", { .stepEntered(try CanonicalJSON.read(from: $0)) }),
        ("rollout.step-completed.v1", { .stepCompleted(try CanonicalJSON.read(from: $0)) }),
        ("rollout.weight-decided.v1", { .weightDecided(try CanonicalJSON.read(from: $0)) }),
        ("rollout.weight-applied.v1", { .weightApplied(try CanonicalJSON.read(from: $0)) }),
        ("rollout.weight-rejected.v1", { .weightRejected(try CanonicalJSON.read(from: $0)) }),
        ("rollout.scale-decided.v1", { .scaleDecided(try CanonicalJSON.read(from: $0)) }),
        ("rollout.scale-applied.v1", { .scaleApplied(try CanonicalJSON.read(from: $0)) }),
        ("rollout.scale-rejected.v1", { .scaleRejected(try CanonicalJSON.read(from: $0)) }),
        ("rollout.pods-observed.v1", { .podsObserved(try CanonicalJSON.read(from: $0)) }),
        ("rollout.pause-began.v1", { .pauseBegan(try CanonicalJSON.read(from: $0)) }),
        ("rollout.pause-ended.v1", { .pauseEnded(try CanonicalJSON.read(from: $0)) }),
        ("rollout.analysis-started.v1", { .analysisStarted(try CanonicalJSON.read(from: $0)) }),
        ("rollout.measurement-taken.v1", { .measurementTaken(try CanonicalJSON.read(from: $0)) }),
        ("rollout.metric-concluded.v1", { .metricConcluded(try CanonicalJSON.read(from: $0)) }),
        ("rollout.analysis-concluded.v1", { .analysisConcluded(try CanonicalJSON.read(from: $0)) }),
        ("rollout.deadline-exceeded.v1", { .deadlineExceeded(try CanonicalJSON.read(from: $0)) }),
        ("rollout.promoted.v1", { .promoted(try CanonicalJSON.read(from: $0)) }),
        ("rollout.aborted.v1", { .aborted(try CanonicalJSON.read(from: $0)) }),
        ("rollout.completed.v1", { .completed(try CanonicalJSON.read(from: $0)) }),
        ("rollout.superseded.v1", { .superseded(try CanonicalJSON.read(from: $0)) }),
        ("rollout.standing-order-executed.v1", { .standingOrderExecuted(try CanonicalJSON.read(from: $0)) }),
        ("rollout.set-retired.v1", { .setRetired(try CanonicalJSON.read(from: $0)) }),
    ]

    fileprivate static let readersByName = Dictionary(uniqueKeysWithValues: readers.map { ($0.name, $0.read) })
}

extension RolloutDecider: EventCoding {
    /// The wire name, the canonical JSON of the payload, and when the event happened.
    public static func encode(_ event: RolloutEvent) -> (type: String, data: String, occurredAt: Instant) {
        (event.fact.wireName, event.fact.payload, event.at)
    }

    /// Reads an event of any version that was ever written.
    /// - Throws: ``UnreadableEvent`` for an unknown type or a payload that does not fit it.
    public static func decode(
        type: String, data: String, occurredAt: Instant
    ) throws(UnreadableEvent) -> RolloutEvent {
        guard let read = RolloutFact.readersByName[type] else {
            throw UnreadableEvent(type: type, detail: "this build knows no such type")
        }
        do {
            return RolloutEvent(at: occurredAt, try read(data))
        } catch {
            throw UnreadableEvent(type: type, detail: String(describing: error))
        }
    }
}
