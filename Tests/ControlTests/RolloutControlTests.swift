import Control
import Delivery
import EventSourcing
import Logging
import Synchronization
import TestKit
import Testing

/// A controller on doubles, and what a test tells it.
private struct Bench {
    let clock = ManualClock()
    let store: FaultyStore
    let handler: CommandHandler<RolloutDecider>
    let platform: ObedientPlatform
    let metric = SaidMetric(0)
    let name = RolloutName(namespace: "default", name: "shop")!

    init() {
        let clock = clock
        store = FaultyStore(InMemoryEventStore(clock: { clock.now() }))
        platform = ObedientPlatform(clock: clock)
        handler = CommandHandler(store: store, mint: Minter(clock: clock).mint)
    }

    func control() -> RolloutControl {
        RolloutControl(
            ports: RolloutControl.Ports(
                store: store, handler: handler, workloads: platform, router: platform, sources: [metric], clock: clock,
                mint: Minter(clock: clock).mint),
            instance: "test", logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    func order(_ order: RolloutOrder) async throws {
        _ = try await handler.handle(
            RolloutCommand(at: clock.now(), order), on: name.stream,
            context: CommandContext(
                id: Minter(clock: clock).mint(), at: clock.now(),
                actor: EventActor(subject: "maria", issuer: "test", method: .unauthenticated)))
    }

    func apply(tag: String) async throws {
        try await order(
            .apply(
                Shop.bundle(tag: tag), source: ManifestSource(kind: .cli), warnings: [],
                newRelease: Minter(clock: clock).mint()))
    }

    func facts() async throws -> [RolloutFact] {
        try await store.base.read(name.stream, after: .none, limit: 10_000).map { try RolloutDecider.decode($0).fact }
    }

    func types() async throws -> [String] { try await facts().map(\.wireName) }

    /// Waits until the log says so; time stands still meanwhile.
    func until(_ what: String, _ condition: ([RolloutFact]) -> Bool) async throws {
        let came = try await eventually { condition(try await facts()) }
        let types = try await types()
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

/// Ids for tests.
private struct Minter {
    let clock: ManualClock
    @Sendable func mint() -> Identifier {
        var random = SystemRandomNumberGenerator()
        return Identifier(at: clock.now(), random: (random.next(), random.next()))
    }
}

@Suite(.timeLimit(.minutes(2))) struct RolloutControlTests {
    private func isCompleted(_ facts: [RolloutFact], times: Int) -> Bool {
        facts.count { if case .completed = $0 { true } else { false } } == times
    }

    @Test func `a release goes through its plan by intents and reports alone`() async throws {
        let bench = Bench()
        try await bench.while_(bench.control()) {
            try await bench.apply(tag: "1")
            try await bench.until("first revision in service") { isCompleted($0, times: 1) }
            try await bench.apply(tag: "2")
            for _ in 0..<20 {
                try await bench.until("rest") { _ in true }
                bench.clock.advance(.seconds(10))
                if isCompleted(try await bench.facts(), times: 2) { break }
                _ = try await eventually(within: .milliseconds(300)) { isCompleted(try await bench.facts(), times: 2) }
            }
            try await bench.until("second revision in service") { isCompleted($0, times: 2) }
        }
        #expect(bench.platform.weights.filter { $0 > 0 } == [50, 100])
        #expect(bench.platform.weights.last == 0)
    }

    @Test func `a controller that takes over carries out what another one had only recorded`() async throws {
        let bench = Bench()
        try await bench.apply(tag: "1")
        #expect(bench.platform.weights == [])
        try await bench.while_(bench.control()) {
            try await bench.until("in service") { isCompleted($0, times: 1) }
        }
        #expect(bench.platform.weights.last == 0)
    }

    @Test func `an abort does not wait behind a hung route call`() async throws {
        let bench = Bench()
        bench.platform.state.withLock { $0.hangsAtWeight = 50 }
        try await bench.while_(bench.control()) {
            try await bench.apply(tag: "1")
            try await bench.until("in service") { isCompleted($0, times: 1) }
            try await bench.apply(tag: "2")
            try await bench.until("50 decided") { facts in
                facts.contains { if case .weightDecided(let decided) = $0 { decided.canary == 50 } else { false } }
            }
            try await bench.order(.abort(reason: "enough"))
            try await bench.until("0 applied") { facts in
                guard let abort = facts.lastIndex(where: { if case .aborted = $0 { true } else { false } }) else {
                    return false
                }
                return facts[abort...].contains { if case .weightApplied = $0 { true } else { false } }
            }
        }
        #expect(!bench.platform.weights.contains(50))
        #expect(bench.platform.weights.last == 0)
    }

    @Test func `a failing verdict takes the traffic away without the ledger, which is told afterwards`() async throws {
        let bench = Bench()
        try await bench.while_(bench.control()) {
            try await bench.apply(tag: "1")
            try await bench.until("in service") { isCompleted($0, times: 1) }
            try await bench.apply(tag: "2")
            try await bench.until("a good measurement") { facts in
                facts.contains { if case .measurementTaken = $0 { true } else { false } }
            }
            #expect(bench.platform.weights.last == 50)
            bench.store.goDown()
            bench.metric.say(1)
            let rerouted = try await eventually(within: .seconds(90)) {
                bench.clock.advance(.seconds(2))
                return bench.platform.weights.last == 0
            }
            #expect(rerouted)
            #expect(try await !bench.types().contains("rollout.aborted.v1"))
            bench.store.comeBack()
            let told = try await eventually(within: .seconds(90)) {
                bench.clock.advance(.seconds(1))
                return try await bench.types().contains("rollout.aborted.v1")
            }
            #expect(told)
            let told2 = try await eventually { try await bench.types().last == "rollout.weight-applied.v1" }
            #expect(told2)
        }
        let facts = try await bench.facts()
        let executed = facts.compactMap { if case .standingOrderExecuted(let executed) = $0 { executed } else { nil } }
        #expect(executed.map(\.because) == [.failingVerdict])
        #expect(executed.first?.routedZeroAt != nil)
        #expect(bench.platform.weights.last == 0)
    }

    @Test func `blindness takes the traffic away after its time`() async throws {
        let bench = Bench()
        try await bench.while_(bench.control()) {
            try await bench.apply(tag: "1")
            try await bench.until("in service") { isCompleted($0, times: 1) }
            try await bench.apply(tag: "2")
            try await bench.until("a good measurement") { facts in
                facts.contains { if case .measurementTaken = $0 { true } else { false } }
            }
            bench.store.goDown()
            let down = bench.clock.now()
            let rerouted = try await eventually(within: .seconds(90)) {
                bench.clock.advance(.seconds(2))
                return bench.platform.weights.last == 0
            }
            #expect(rerouted)
            #expect(bench.clock.now().since(down) >= .seconds(60))
            bench.store.comeBack()
            let told = try await eventually(within: .seconds(90)) {
                bench.clock.advance(.seconds(1))
                return try await bench.types().contains("rollout.aborted.v1")
            }
            #expect(told)
        }
        let aborts = try await bench.facts().compactMap { fact -> Aborted? in
            if case .aborted(let aborted) = fact { aborted } else { nil }
        }
        #expect(aborts.map(\.by) == [.standingOrder])
    }
}

/// A small manifest.
private enum Shop {
    static func bundle(tag: String) -> ManifestBundle {
        let template: JSONValue = [
            "metadata": ["labels": ["app": "shop"]],
            "spec": [
                "containers": [["name": "app", "image": .string("shop:\(tag)"), "ports": [["containerPort": 80]]]]
            ],
        ]
        let rollout: JSONValue = [
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": ["name": "shop"],
            "spec": [
                "replicas": 2, "selector": ["matchLabels": ["app": "shop"]], "template": template,
                "strategy": [
                    "canary": [
                        "canaryService": "shop-canary", "stableService": "shop-stable",
                        "trafficRouting": ["nginx": ["stableIngress": "shop"]],
                        "steps": [
                            ["setWeight": 50],
                            ["analysis": ["templates": [["templateName": "errors"]]]],
                        ],
                    ]
                ],
            ],
        ]
        return ManifestBundle(
            rollout: rollout, related: [service("shop-canary"), service("shop-stable"), ingress, errors])
    }

    private static func service(_ name: String) -> JSONValue {
        [
            "apiVersion": "v1", "kind": "Service", "metadata": ["name": .string(name)],
            "spec": ["selector": ["app": "shop"], "ports": [["port": 80, "targetPort": 80]]],
        ]
    }

    private static let ingress: JSONValue = [
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": ["name": "shop"],
        "spec": [
            "rules": [
                [
                    "host": "shop.example.com",
                    "http": [
                        "paths": [
                            [
                                "path": "/", "pathType": "Prefix",
                                "backend": ["service": ["name": "shop-stable", "port": ["number": 80]]],
                            ]
                        ]
                    ],
                ]
            ]
        ],
    ]

    private static let errors: JSONValue = [
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": ["name": "errors"],
        "spec": [
            "metrics": [
                [
                    "name": "error-rate", "interval": "2s", "count": 5, "failureLimit": 2,
                    "successCondition": "result[0] <= 0.01",
                    "provider": ["prometheus": ["address": "http://p:9090", "query": "errors"]],
                ]
            ]
        ],
    ]
}
