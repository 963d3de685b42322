import API
import Analysis
import Conditions
import Delivery
import EventSourcing
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import Synchronization
import Testing

/// The API over a log in memory, and a world that obeys at once.
struct Harness: Sendable {
    let store: InMemoryEventStore
    let handler: CommandHandler<RolloutDecider>
    let clock = HandClock()
    let ids = Ids()
    let dependencies: APIDependencies

    init(port: Int? = nil, whyNotReady: String? = nil) {
        let (clock, ids) = (clock, ids)
        store = InMemoryEventStore(clock: { clock.now })
        handler = CommandHandler(store: store, mint: { ids.next() })
        dependencies = APIDependencies(
            handler: handler, store: store, views: FoldedRolloutViews(store), now: { clock.now }, mint: { ids.next() },
            instance: "test", port: port, whyNotReady: { whyNotReady })
    }

    /// Runs `body` against the routes.
    func run<Value: Sendable>(_ body: @Sendable @concurrent (any TestClientProtocol) async throws -> Value) async throws
        -> Value
    {
        try await Application(router: buildAPI(dependencies)).test(.router) { client in try await body(client) }
    }

    static let name = RolloutName(namespace: "default", name: "shop")!

    /// Sends `order` as the controller does.
    func tell(_ order: RolloutOrder) async throws {
        let actor = EventActor.controller("test")
        _ = try await handler.handle(
            RolloutCommand(at: clock.now, order), on: Self.name.stream,
            context: CommandContext(id: ids.next(), at: clock.now, actor: actor))
    }

    /// Carries out what is outstanding until nothing is: sizes, readiness, routes.
    func settle() async throws {
        for _ in 0..<50 {
            guard let rollout = try await handler.load(Self.name.stream).state.rollout else { return }
            clock.advance(.milliseconds(20))
            if rollout.scaling.isOutstanding {
                try await tell(.reportScaled(generation: rollout.scaling.decided))
            } else if let set = rollout.sets.first(where: { $0.available != $0.wanted }) {
                try await tell(
                    .observePods(
                        PodsSeen(
                            podTemplateHash: set.podTemplateHash, desired: set.wanted, current: set.wanted,
                            ready: set.wanted, available: set.wanted)))
            } else if rollout.routing.isOutstanding, let split = rollout.split {
                try await tell(
                    .reportRouted(
                        RouteObservation(
                            generation: rollout.routing.decided, split: split, router: "nginx", detail: "asked it")))
            } else {
                return
            }
        }
        Issue.record("the world does not come to rest")
    }

    /// Answers the next measurement of the run that is under way.
    func measure(_ value: Double) async throws {
        let rollout = try #require(try await handler.load(Self.name.stream).state.rollout)
        let run = try #require(rollout.release?.runs.last)
        let metric = try #require(run.metrics.first?.plan.name)
        clock.advance(.seconds(1))
        try await tell(
            .reportMeasurement(
                MeasurementReport(
                    run: run.name, metric: metric, number: run.taken(metric) + 1,
                    outcome: .value(.array([.double(value)])), startedAt: clock.now - .milliseconds(5),
                    finishedAt: clock.now,
                    source: MeasurementSource(
                        provider: "prometheus", address: "http://prometheus:9090", queryDigest: "x"))))
        try await settle()
    }

    static let template = """
        apiVersion: argoproj.io/v1alpha1
        kind: AnalysisTemplate
        metadata: { name: success-rate }
        spec:
          metrics:
            - name: error-rate
              interval: 30s
              count: 5
              successCondition: result[0] <= 0.01
              failureLimit: 2
              provider:
                prometheus: { address: "http://prometheus:9090", query: up }
        """

    static let services = """
        apiVersion: v1
        kind: Service
        metadata: { name: shop-stable }
        spec: { selector: { app: shop }, ports: [{ port: 80, targetPort: 8080 }] }
        ---
        apiVersion: v1
        kind: Service
        metadata: { name: shop-canary }
        spec: { selector: { app: shop }, ports: [{ port: 80, targetPort: 8080 }] }
        ---
        apiVersion: networking.k8s.io/v1
        kind: Ingress
        metadata: { name: shop, annotations: { kubernetes.io/ingress.class: nginx } }
        spec:
          rules:
            - http:
                paths:
                  - { path: /, pathType: Prefix, backend: { service: { name: shop-stable, port: { number: 80 } } } }
        """

    static func rollout(image: String, replicas: String = "4") -> String {
        """
        apiVersion: argoproj.io/v1alpha1
        kind: Rollout
        metadata: { name: shop }
        spec:
          replicas: \(replicas)
          selector: { matchLabels: { app: shop } }
          template:
            metadata: { labels: { app: shop } }
            spec:
              containers:
                - { name: app, image: "shop:\(image)", ports: [{ containerPort: 8080 }] }
          strategy:
            canary:
              canaryService: shop-canary
              stableService: shop-stable
              trafficRouting: { nginx: { stableIngress: shop } }
              steps:
                - setWeight: 5
                - pause: {}
                - setWeight: 25
                - analysis: { templates: [{ templateName: success-rate }] }
        """
    }

    static func everything(image: String) -> String {
        [rollout(image: image), services, template].joined(separator: "\n---\n")
    }
}

/// Time that moves by hand.
final class HandClock: Sendable {
    private let instant = Mutex(Instant("2026-11-24T09:00:00Z")!)

    var now: Instant { instant.withLock { $0 } }

    func advance(_ duration: Duration) { instant.withLock { $0 = $0 + duration } }
}

/// Ids in order.
final class Ids: Sendable {
    private let count = Mutex<UInt64>(0)

    func next() -> Identifier {
        let number = count.withLock { count in
            count += 1
            return count
        }
        return Identifier(at: Instant("2026-11-24T09:00:00Z")!, random: (0, number))
    }
}

extension TestClientProtocol {
    /// Sends a request and reads its JSON answer.
    @concurrent
    func ask<Value: Decodable>(
        _ uri: String, _ method: HTTPRequest.Method = .get, body: String? = nil, headers: HTTPFields = [:],
        as type: Value.Type = Value.self, expecting status: Int = 200
    ) async throws -> Value {
        let response = try await execute(
            uri: uri, method: method, headers: headers, body: body.map { ByteBuffer(string: $0) })
        let text = String(buffer: response.body)
        #expect(response.status.code == status, "\(method) \(uri): \(text)")
        return try CanonicalJSON.read(from: text)
    }
}
