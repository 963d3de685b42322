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
import TestKit
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
            instance: "test", port: port, whyNotReady: { whyNotReady },
            duties: { InstanceDuties(cluster: "default", shards: 64, leases: ["sealer"]) })
    }

    /// Runs `body` against the routes.
    func run<Value: Sendable>(_ body: @Sendable @concurrent (any TestClientProtocol) async throws -> Value) async throws
        -> Value
    {
        try await Application(router: buildAPI(dependencies)).test(.router) { client in try await body(client) }
    }

    static let name = RolloutName(namespace: "default", name: "shop")!

    /// The world around the rollout.
    var world: ObedientWorld {
        ObedientWorld(
            handler: handler, name: Self.name, now: { [clock] in clock.now }, mint: { [ids] in ids.next() },
            passes: { [clock] in clock.advance($0) })
    }

    /// Sends `order` as the controller does.
    func tell(_ order: RolloutOrder) async throws { try await world.tell(order) }

    /// Carries out what is outstanding until nothing is: sizes, readiness, routes.
    func settle() async throws { try await world.settle() }

    /// Answers the next measurement of the run that is under way.
    func measure(_ value: Double) async throws { try await world.measure(value) }

    static let template = ShopManifests.template
    static let services = ShopManifests.services

    static func rollout(image: String, replicas: String = "4") -> String {
        ShopManifests.rollout(image: image, replicas: replicas)
    }

    static func everything(image: String) -> String { ShopManifests.everything(image: image) }
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
