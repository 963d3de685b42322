import Control
import Delivery
import EventSourcing
import Logging
import TestKit
import Testing

/// A controller on doubles, and what a test tells it.
struct Bench {
    let clock = ManualClock()
    let store: FaultyStore
    let handler: CommandHandler<RolloutDecider>
    let workloads: InMemoryWorkloads
    let router = InMemoryTrafficRouter()
    let metric = SaidMetric(0)
    let heard = HeardMessages()
    let name = RolloutName(namespace: "default", name: "shop")!

    init() {
        let clock = clock
        store = FaultyStore(InMemoryEventStore(clock: { clock.now() }))
        workloads = InMemoryWorkloads(
            now: { clock.now() }, wait: { try await clock.sleep(until: clock.now() + $0) })
        handler = CommandHandler(store: store, mint: Minter(clock: clock).mint)
    }

    func control(following log: (any EventStore)? = nil) -> RolloutControl {
        RolloutControl(
            ports: RolloutControl.Ports(
                store: log ?? store, handler: handler, workloads: workloads, router: router, sources: [metric],
                clock: clock,
                mint: Minter(clock: clock).mint),
            instance: "test", logger: Logger(label: "test") { _ in heard })
    }

    /// The canary's weights that the data plane took, in order.
    var weights: [Int] { router.routed.filter { $0.rollout == name }.map(\.split.canary) }

    /// What an operator was told at `notice` or above, in order.
    var messages: [String] { heard.messages }

    /// Orders something of `shop`, or of another rollout.
    ///
    /// - Parameter handler: The controller's own, as the API has it, or that of another instance.
    func order(
        _ order: RolloutOrder, of other: RolloutName? = nil, through handler: CommandHandler<RolloutDecider>? = nil
    ) async throws {
        _ = try await (handler ?? self.handler).handle(
            RolloutCommand(at: clock.now(), order), on: (other ?? name).stream,
            context: CommandContext(
                id: Minter(clock: clock).mint(), at: clock.now(),
                actor: EventActor(subject: "maria", issuer: "test", method: .unauthenticated)))
    }

    func apply(tag: String, steps: [JSONValue] = Shop.steps, of other: RolloutName? = nil) async throws {
        try await order(
            .apply(
                Shop.bundle(tag: tag, steps: steps, name: (other ?? name).name), source: ManifestSource(kind: .cli),
                warnings: [], newRelease: Minter(clock: clock).mint()), of: other)
    }

    func events(of other: RolloutName? = nil) async throws -> [RolloutEvent] {
        try await store.base.read((other ?? name).stream, after: .none, limit: 10_000).map {
            try RolloutDecider.decode($0)
        }
    }

    /// Brings a canary into traffic, and waits for the first good word about it.
    func expose() async throws {
        try await apply(tag: "1")
        try await until("in service") { $0.contains { if case .completed = $0 { true } else { false } } }
        try await apply(tag: "2")
        try await until("a good measurement") { facts in
            facts.contains { if case .measurementTaken = $0 { true } else { false } }
        }
    }

    func facts() async throws -> [RolloutFact] { try await events().map(\.fact) }

    func types() async throws -> [String] { try await facts().map(\.wireName) }

    /// Waits until the log says so; time stands still meanwhile.
    func until(
        _ what: String, of other: RolloutName? = nil, _ condition: ([RolloutFact]) -> Bool
    ) async throws {
        let came = try await eventually(within: .seconds(60)) {
            condition(try await events(of: other).map(\.fact))
        }
        let types = try await events(of: other).map(\.fact.wireName)
        #expect(came, "\(what); the log has \(types)")
    }

    func while_<Value>(_ control: RolloutControl, _ body: () async throws -> Value) async throws -> Value {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await control.run() }
            let value = try await body()
            group.cancelAll()
            return value
        }
    }
}
