import Analysis
import Conditions
import Delivery
import EventSourcing
import Foundation
import Synchronization

/// The life of one rollout, release after release, told through the decider: what the filled log consists of.
///
/// Ids of releases begin with eight zeros and reasons have numbers of fixed width, so that the fill can make each
/// rollout's own life of it by writing over them, and every payload keeps its length.
struct BenchTale {
    /// What persons give as reasons; the fill writes over the digits.
    static let reason = "approved after checking the latency of incident-00000 with team00, ticket word000000"
    /// Who orders; whoever else acts is the controller.
    static let person = EventActor(subject: "person", issuer: "https://id.example.com", method: .oidc)
    static let controller = EventActor.controller("host-1")

    private let handler: CommandHandler<RolloutDecider>
    private let store: InMemoryEventStore
    private let stream = RolloutName(namespace: "default", name: "shop")!.stream
    private var state = RolloutState.absent
    private var at = Instant("2026-01-05T09:00:00Z")!
    private var releases = 0
    private var ids = BenchEvents(seed: 1)

    private init() {
        store = InMemoryEventStore(clock: { Instant("2026-01-05T09:00:00Z")! })
        let mint = Mint()
        handler = CommandHandler(store: store, mint: { mint.next() })
    }

    /// Tells of releases until there are at least `count` events; every fourth one is caught by its analysis, every
    /// fifth aborted by a person.
    static func told(atLeast count: Int) async throws -> [RecordedEvent] {
        var tale = BenchTale()
        try await tale.order(
            .apply(
                BenchManifests.shop, source: ManifestSource(kind: .cli), warnings: [], newRelease: tale.newRelease()),
            by: person)
        try await tale.obey()
        var revision = 2
        while try await tale.store.head().value < count {
            try await tale.release(revision)
            revision += 1
        }
        return try await tale.store.readAll(
            after: .start, before: nil, filter: EventFilter(), backwards: false, limit: .max
        ).whole()
    }

    private mutating func release(_ revision: Int) async throws {
        try await order(
            .setImages(["app": "registry.example.com/shop:1.\(revision).0"], newRelease: newRelease()), by: Self.person)
        for _ in 0..<14 {
            try await obey()
            guard let release = state.rollout?.release, !release.hasEnded else { break }
            at = at + .seconds(121)
            try await order(.wake)
            try await obey()
            try await measure(revision.isMultiple(of: 4) ? 0.05 : 0.001, times: 5)
            guard state.rollout?.release?.progress?.pause != nil else { continue }
            if revision.isMultiple(of: 5) {
                try await order(.abort(reason: "odd " + Self.reason), by: Self.person)
            } else {
                try await order(.promote(full: false, reason: Self.reason), by: Self.person)
            }
        }
        at = at + .seconds(40)
        try await order(.wake)
        try await obey()
    }

    private mutating func newRelease() -> Identifier {
        releases += 1
        let digits = String(releases)
        return Identifier("00000000-0000-7000-8000-" + String(repeating: "0", count: 12 - digits.count) + digits)!
    }

    private mutating func order(_ order: RolloutOrder, by actor: EventActor = controller) async throws {
        at = at + .milliseconds(700)
        state = try await handler.handle(
            RolloutCommand(at: at, order), on: stream,
            context: CommandContext(
                id: ids.identifier(), at: at, actor: actor, metadata: BenchEvents.metadata)
        ).state
    }

    /// The world does what it is told until nothing is outstanding.
    private mutating func obey() async throws {
        for _ in 0..<100 {
            guard let rollout = state.rollout else { return }
            if rollout.scaling.isOutstanding {
                try await order(.reportScaled(generation: rollout.scaling.decided))
            } else if rollout.routing.isOutstanding, let split = rollout.split {
                try await order(
                    .reportRouted(
                        RouteObservation(
                            generation: rollout.routing.decided, split: split, router: "nginx", detail: "state 7")))
            } else if let set = rollout.sets.first(where: { $0.available != $0.wanted || $0.current != $0.wanted }) {
                for ready in [max(0, set.wanted - 1), set.wanted] {
                    try await order(
                        .observePods(
                            PodsSeen(
                                podTemplateHash: set.podTemplateHash, desired: set.wanted, current: set.wanted,
                                ready: ready, available: ready == set.wanted ? ready : set.ready)))
                }
            } else {
                return
            }
        }
        throw BenchFailure("the rollout of the tale does not come to rest")
    }

    private mutating func measure(_ value: Double, times: Int) async throws {
        for _ in 0..<times {
            guard let release = state.rollout?.release, !release.hasEnded else { return }
            for run in release.runs where run.conclusion == nil {
                for metric in run.metrics {
                    let report = MeasurementReport(
                        run: run.name, metric: metric.plan.name, number: run.taken(metric.plan.name) + 1,
                        outcome: .value(.vector([value])), startedAt: at, finishedAt: at + .milliseconds(11),
                        source: MeasurementSource(
                            provider: "prometheus", address: "http://prometheus.monitoring:9090",
                            queryDigest: "sha256:" + String(repeating: "ab", count: 32)))
                    try await order(.reportMeasurement(report))
                }
            }
        }
    }

    /// Ids of the tale's events, which nobody keeps.
    private final class Mint: Sendable {
        private let ids = Mutex(BenchEvents(seed: 2))

        func next() -> Identifier { ids.withLock { $0.identifier() } }
    }
}
