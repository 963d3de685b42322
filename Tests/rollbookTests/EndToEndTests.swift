import API
import Delivery
import EventSourcing
import Foundation
import Hummingbird
import Logging
import Synchronization
import TestKit
import Testing
import Transfer

@testable import rollbook

/// The command line's client against the API on a real socket, over a log in memory.
@Suite struct EndToEndTests {
    static let manifest: JSONValue = [
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": ["name": "shop"],
        "spec": [
            "replicas": 2, "selector": ["matchLabels": ["app": "shop"]],
            "template": [
                "metadata": ["labels": ["app": "shop"]],
                "spec": ["containers": [["name": "app", "image": "shop:1"]]],
            ],
            "strategy": ["canary": ["steps": [["setWeight": 50], ["pause": [:]]]]],
        ],
    ]

    @Test func `what is watched equals what is looked up afterwards`() async throws {
        try await Self.withServer { client in
            let applied: ApplyReply = try await client.post("/api/v1/apply", Self.manifest)
            #expect(applied.applied.map(\.result) == [.created])
            var watched: [RolloutView] = []
            try await client.watch("default", "shop", lost: { Issue.record("connection lost: \($0)") }) { view in
                watched.append(view)
                switch watched.count {
                case 1:
                    let reply: ActionReply = try await client.post(client.path("default", "shop", "pause"), [:])
                    #expect(reply.phase == .paused)
                case 2:
                    let reply: ActionReply = try await client.post(client.path("default", "shop", "resume"), [:])
                    #expect(reply.changed)
                default: break
                }
                return watched.count < 3
            }
            #expect(watched.map(\.phase) == [.progressing, .paused, .progressing])
            for view in watched {
                for at in ["v\(view.version)", "\(view.position)", "\(view.recordedAt)"] {
                    let then: RolloutView = try await client.get(client.path("default", "shop"), query: [("at", at)])
                    #expect(then == view)
                }
            }
        }
    }

    @Test func `no half of an append is ever watched`() async throws {
        let log = Mutex<GatedStore?>(nil)
        let wrap = { @Sendable (base: InMemoryEventStore) -> any EventStore in
            let store = GatedStore(base)
            log.withLock { $0 = store }
            return store
        }
        try await Self.withShop(store: wrap) { client, _ in
            let _: ApplyReply = try await client.post("/api/v1/apply", Self.manifest)
            var watched: [RolloutView] = []
            try await client.watch("default", "shop", lost: { Issue.record("connection lost: \($0)") }) { view in
                watched.append(view)
                if watched.count == 1 {
                    // 99 events of others, then an append of several: its first is the last of a full batch.
                    let templates = (1...99).map { number -> JSONValue in
                        [
                            "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate",
                            "metadata": ["name": .string("t\(number)")],
                            "spec": ["metrics": [["name": "m", "provider": ["prometheus": ["query": "up"]]]]],
                        ]
                    }
                    let _: ApplyReply = try await client.post(
                        "/api/v1/apply", ["apiVersion": "v1", "kind": "List", "items": .array(templates)])
                    let before: EventPage = try await client.get("/api/v1/events", query: [("limit", "1")])
                    let _: ActionReply = try await client.post(
                        client.path("default", "shop", "set-image"), ["images": ["app": "shop:2"]])
                    let after: EventPage = try await client.get("/api/v1/events", query: [("limit", "1")])
                    #expect(after.head.value - before.head.value >= 2)
                    log.withLock { $0 }?.open()
                }
                return watched.count < 2
            }
            let now: RolloutView = try await client.get(client.path("default", "shop"))
            #expect(watched.last == now)
        }
    }

    @Test func `a stream of events goes on after the last event that was seen`() async throws {
        try await Self.withServer { client in
            let _: ApplyReply = try await client.post("/api/v1/apply", Self.manifest)
            let all: EventPage = try await client.get("/api/v1/events")
            #expect(all.events.count >= 3)
            var request = TransferRequest(
                url: client.server + "/api/v1/events/stream",
                headers: [TransferHeader("Last-Event-ID", "\(all.events[0].epoch)-1")])
            request.timeout = nil
            let stream = try await client.transfer.stream(request)
            var reader = ServerSentEvents()
            var seen: [ServerSentEvents.Event] = []
            for try await bytes in stream {
                seen += reader.read(bytes)
                if seen.count >= all.events.count - 1 { break }
            }
            #expect(seen.map(\.name) == all.events.dropFirst().map(\.type))
            #expect(seen.map(\.id) == all.events.dropFirst().map { "\($0.epoch)-\($0.position)" })
        }
    }

    @Test func `an unknown rollout and a missing server are told apart`() async throws {
        try await Self.withServer { client in
            await #expect(throws: ClientFailure.self) {
                try await client.watch("default", "nobody", lost: { _ in }) { _ in false }
            }
            do {
                _ = try await client.text(client.path("default", "nobody"))
                Issue.record("there is no such rollout")
            } catch let failure as ClientFailure {
                #expect(ExitMessage(failure).code == Exit.unknown)
            }
            let nowhere = ServerClient(
                server: "http://127.0.0.1:1", cluster: "default", actor: "x@y", transfer: client.transfer)
            do {
                _ = try await nowhere.text("/api/v1/rollouts")
                Issue.record("nobody listens there")
            } catch let failure as ClientFailure {
                #expect(ExitMessage(failure).code == Exit.unreachable)
            }
        }
    }

    /// Runs `body` with a client of a server of its own.
    static func withServer(_ body: @Sendable @escaping (ServerClient) async throws -> Void) async throws {
        try await withShop { client, _ in try await body(client) }
    }

    /// Runs `body` with a client of a server of its own, and with the world around its rollout `shop`.
    static func withShop(
        store wrap: @Sendable (InMemoryEventStore) -> any EventStore = { $0 },
        _ body: @Sendable @escaping (ServerClient, ObedientWorld) async throws -> Void
    ) async throws {
        let now: @Sendable () -> Instant = { Output.now }
        let mint: @Sendable () -> Identifier = {
            Identifier(at: Output.now, random: (UInt16.random(in: 0...UInt16.max), UInt64.random(in: 0...UInt64.max)))
        }
        let store = wrap(InMemoryEventStore(clock: now))
        let handler = CommandHandler<RolloutDecider>(store: store, mint: mint)
        let name = try #require(RolloutName(namespace: "default", name: "shop"))
        let world = ObedientWorld(handler: handler, name: name, now: now, mint: mint)
        let dependencies = APIDependencies(
            handler: handler, store: store, views: FoldedRolloutViews(store), now: now,
            mint: mint, instance: "test")
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let (ports, told) = AsyncStream<Int>.makeStream()
        let application = Application(
            router: buildAPI(dependencies),
            configuration: .init(address: .hostname("127.0.0.1", port: 0), serverName: nil),
            onServerRunning: { channel in _ = told.yield(channel.localAddress?.port ?? 0) }, logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            let port = try #require(await ports.first { _ in true })
            let transfer = TransferClient()
            try await body(
                ServerClient(
                    server: "http://127.0.0.1:\(port)", cluster: "default", actor: "maria@laptop", transfer: transfer),
                world)
            await transfer.close()
            group.cancelAll()
            do { try await group.waitForAll() } catch is CancellationError {}
        }
    }
}
