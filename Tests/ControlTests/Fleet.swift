import Control
import Delivery
import EventSourcing
import Logging
import ServiceLifecycle
import Synchronization
import TestKit
import Testing

/// Leases that can be out of reach, for one instance alone.
final class FaultyLeases: Leases {
    let base: InMemoryLeases
    private let isGone = Mutex(false)

    init(_ base: InMemoryLeases) { self.base = base }

    func goDown() { isGone.withLock { $0 = true } }
    func comeBack() { isGone.withLock { $0 = false } }

    private func check() throws(EventStoreFailure) {
        if isGone.withLock({ $0 }) { throw .unavailable("the database is gone") }
    }

    func renew(_ held: [Fence], for holder: String, lasting: Duration) async throws(EventStoreFailure) -> [Fence] {
        try check()
        return try await base.renew(held, for: holder, lasting: lasting)
    }

    func claim(
        _ names: [String], above floors: [String: Int64], for holder: String, lasting: Duration, atMost limit: Int
    ) async throws(EventStoreFailure) -> [Fence] {
        try check()
        return try await base.claim(names, above: floors, for: holder, lasting: lasting, atMost: limit)
    }

    func release(_ held: [Fence], by holder: String) async throws(EventStoreFailure) {
        try check()
        try await base.release(held, by: holder)
    }

    func list(under prefix: String) async throws(EventStoreFailure) -> [Lease] {
        try check()
        return try await base.list(under: prefix)
    }
}

/// A router whose calls can be held up without end, deaf to cancellation, as those of a stopped process are.
final class StoppableRouter: TrafficRouter {
    private let base: InMemoryTrafficRouter
    private struct Call {
        let intent: RouteIntent
        let continuation: CheckedContinuation<Void, Never>
    }

    private let held = Mutex<[Call]?>(nil)

    init(_ base: InMemoryTrafficRouter) { self.base = base }

    /// What is held up.
    var waiting: [RouteIntent] { held.withLock { $0?.map(\.intent) ?? [] } }
    func stop() { held.withLock { $0 = $0 ?? [] } }

    func goOn() {
        for call in held.withLock({ held in
            defer { held = nil }
            return held ?? []
        }) { call.continuation.resume() }
    }

    func route(_ intent: RouteIntent) async throws(PlatformFailure) -> RouteObservation {
        await withCheckedContinuation { continuation in
            let goes = held.withLock { held in
                if held == nil { return true }
                held?.append(Call(intent: intent, continuation: continuation))
                return false
            }
            if goes { continuation.resume() }
        }
        return try await base.route(intent)
    }

    func observe(_ rollout: RolloutName) async throws(PlatformFailure) -> RouteObservation? {
        try await base.observe(rollout)
    }
}

extension ManualClock {
    /// Moves time by `step`, and waits until each of `holders` has renewed in it that it is there; whether they all have.
    ///
    /// A holder that a busy machine kept from its turn when time moved needs a little more of it for the next one.
    func tick(_ holders: [String], _ leases: InMemoryLeases, by step: Duration = .seconds(1)) async throws -> Bool {
        advance(step)
        for _ in 0..<60 {
            let have = try await settles(rounds: 30) {
                let present = try await leases.list(under: "instance/")
                return Set(present.filter { $0.remaining > .milliseconds(2500) }.map(\.holder)).isSuperset(of: holders)
            }
            if have { return true }
            advance(.milliseconds(100))
        }
        return false
    }
}

/// Several controllers on one log, one keeper of leases and one platform.
struct Fleet {
    let clock = ManualClock()
    let log: InMemoryEventStore
    let leases: InMemoryLeases
    let workloads: InMemoryWorkloads
    let router = InMemoryTrafficRouter()

    init() {
        let clock = clock
        log = InMemoryEventStore { clock.now() }
        leases = InMemoryLeases(store: log) { clock.now() }
        workloads = InMemoryWorkloads(
            now: { clock.now() }, wait: { try await clock.sleep(until: clock.now() + $0) })
    }

    /// One instance: what is its own, and what is everybody's seen from there.
    final class Instance: Sendable {
        let name: String
        let store: FaultyStore
        let leases: FaultyLeases
        let router: StoppableRouter
        let metric = SaidMetric(0)
        let holder: LeaseHolder
        private let group: ServiceGroup
        private let run: Task<Void, any Error>

        init(_ name: String, in fleet: Fleet) {
            self.name = name
            let clock = fleet.clock
            let logger = Logger(label: name) { _ in SwiftLogNoOpLogHandler() }
            store = FaultyStore(fleet.log)
            leases = FaultyLeases(fleet.leases)
            router = StoppableRouter(fleet.router)
            holder = LeaseHolder(
                leases: leases, holder: name, shards: Shards(cluster: "default"), singles: ["single"], clock: clock,
                logger: logger)
            let control = RolloutControl(
                ports: RolloutControl.Ports(
                    store: store, handler: CommandHandler(store: store, mint: Minter(clock: clock).mint),
                    workloads: fleet.workloads, router: router, sources: [metric], clock: clock,
                    mint: Minter(clock: clock).mint),
                leases: holder, instance: name, logger: logger)
            let services: [any Service] = [holder, control]
            let group = ServiceGroup(configuration: ServiceGroupConfiguration(services: services, logger: logger))
            self.group = group
            // Awaited by `shutDown` and `die`.
            run = Task { try await group.run() }
        }

        /// Ends in good order.
        func shutDown() async throws {
            await group.triggerGracefulShutdown()
            try await run.value
        }

        /// Is gone from one moment to the next: what it says or does from now on reaches nobody.
        func die() async {
            leases.goDown()
            store.goDown()
            router.stop()
            run.cancel()
        }

        var held: Int { holder.shards.names.count { isCertain($0) } }
        func isCertain(_ lease: String) -> Bool {
            if case .certain = holder.standing(of: lease) { true } else { false }
        }
    }

    func name(_ index: Int) -> RolloutName { RolloutName(namespace: "default", name: "shop-\(index)")! }

    func apply(_ index: Int, tag: String, steps: [JSONValue] = Shop.steps) async throws {
        let name = name(index)
        _ = try await CommandHandler<RolloutDecider>(store: log, mint: Minter(clock: clock).mint).handle(
            RolloutCommand(
                at: clock.now(),
                .apply(
                    Shop.bundle(tag: tag, steps: steps, name: name.name), source: ManifestSource(kind: .cli),
                    warnings: [], newRelease: Minter(clock: clock).mint())),
            on: name.stream,
            context: CommandContext(
                id: Minter(clock: clock).mint(), at: clock.now(),
                actor: EventActor(subject: "maria", issuer: "test", method: .unauthenticated)))
    }

    /// The canary's weights that the data plane took, in order.
    var weights: [Int] { router.routed.map(\.split.canary) }

    /// What came to the data plane of one rollout, in order.
    func routes(of index: Int) -> [RouteIntent] { router.routed.filter { $0.rollout == name(index) } }

    /// Pods of one rollout's largest set are not ready any more, by nobody's order.
    func lose(_ count: Int, of index: Int) throws {
        let largest = try #require(workloads.sizes(of: name(index)).max { $0.value < $1.value })
        workloads.lose(count, in: largest.key, of: name(index))
    }

    func events(_ index: Int = 0) async throws -> [RecordedEvent] {
        try await log.read(name(index).stream, after: .none, limit: 10_000)
    }

    func facts(_ index: Int = 0) async throws -> [RolloutFact] {
        try await events(index).map { try RolloutDecider.decode($0).fact }
    }

    func completions(_ index: Int = 0) async throws -> Int {
        try await facts(index).count { if case .completed = $0 { true } else { false } }
    }

    /// Moves time by a second, and waits until each of `instances` has renewed its leases in it.
    func tick(_ instances: [Instance], by step: Duration = .seconds(1)) async throws {
        #expect(try await clock.tick(instances.map(\.name), leases, by: step), "every instance takes its turn")
    }

    /// Moves time until `condition` holds; at most for `seconds` of it.
    func until(
        _ what: String, _ instances: [Instance], within seconds: Int = 120, _ condition: () async throws -> Bool
    ) async throws {
        for _ in 0..<seconds {
            if try await settles(condition) { return }
            try await tick(instances)
        }
        let types = try await facts().map(\.wireName)
        #expect(try await condition(), "\(what); the log has \(types)")
    }

    /// Nothing was said twice, and the data plane never went back to an earlier holder.
    func expectOnce(_ count: Int = 1) async throws {
        for index in 0..<count {
            var applied: [Int] = []
            var measured: [String] = []
            for fact in try await facts(index) {
                if case .weightApplied(let seen) = fact { applied.append(seen.generation) }
                if case .measurementTaken(let taken) = fact {
                    measured.append("\(taken.run) \(taken.metric) \(taken.number)")
                }
            }
            #expect(Set(applied).count == applied.count, "\(name(index)) applied \(applied)")
            #expect(Set(measured).count == measured.count, "\(name(index)) measured \(measured)")
            let epochs = routes(of: index).map(\.epoch)
            #expect(epochs == epochs.sorted(), "\(name(index)) routed under \(epochs)")
        }
    }
}
