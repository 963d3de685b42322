import Delivery
import EventSourcing
import Foundation
import Glibc
import HTTPTestKit
import Synchronization
import TestKit
import Testing

@testable import LocalPlatform

/// Real processes and a real nginx keep the promises of the ports.
@Suite(.serialized)
struct LocalPlatformContractTests {
    @Test(arguments: TrafficRouterContract.clauses)
    func `nginx keeps the contract of routers`(_ clause: TrafficRouterContract) async throws {
        let stage = try await NginxStage()
        do {
            try await clause.check(stage)
        } catch {
            try await stage.end()
            throw error
        }
        try await stage.end()
    }

    @Test(arguments: WorkloadsContract.clauses)
    func `processes keep the contract of workloads`(_ clause: WorkloadsContract) async throws {
        let stage = try await ProcessStage()
        do {
            try await clause.check(stage)
        } catch {
            try await stage.end()
            throw error
        }
        try await stage.end()
    }
}

/// A private nginx, and pods that a test can have wait with their answers.
private final class NginxStage: TrafficRouterStage {
    private let parts: LocalParts
    private let platform: LocalPlatform
    private let pods: [HTTPDouble]
    private let held = HeldRequests()

    init() async throws {
        parts = try LocalParts()
        platform = try LocalPlatform(
            directory: parts.directory.path(), port: LoopbackPort.free(), logger: LocalParts.logger)
        let held = held
        let sets = [SampleTraffic.stable, SampleTraffic.canary]
        pods = try sets.map { hash in try HTTPDouble { held.answer($0, as: hash) } }
        try await platform.nginx.start()
        let addresses = Dictionary(
            uniqueKeysWithValues: zip(sets, pods).map { ($0, ["8080": ["127.0.0.1:\($1.port)"]]) })
        for rollout in [SampleTraffic.rollout, SampleTraffic.other] {
            _ = try await platform.nginx.put(
                NginxEndpoints(generation: 1, sets: addresses), of: rollout.description)
        }
    }

    func end() async throws {
        held.letAllGo()
        await platform.nginx.stop()
        for pod in pods { pod.stop() }
        try parts.remove()
    }

    var router: any TrafficRouter { platform.router }

    func routing(of rollout: RolloutName) -> RoutingPlan { InMemoryTrafficRouter().routing(of: rollout) }

    func request(to rollout: RolloutName) async throws -> String {
        var text = ""
        let status = LocalParts.status("\(rollout.name).example.com", platform.nginx.port, "/", body: &text)
        try #require(status == 200)
        return try #require(
            text.split(separator: "\r\n").first { $0.hasPrefix("X-Set: ") }.map { String($0.dropFirst(7)) })
    }

    func hold(at hash: String, of rollout: RolloutName) async throws -> HeldRequest {
        let port = platform.nginx.port
        for _ in 0..<100 {
            let request = held.expect(at: hash)
            Thread.detachNewThread {
                _ = LocalParts.status("\(rollout.name).example.com", port, "/?held=\(request.id)")
                request.isHeld.state(false)
                request.isAnswered.state(())
            }
            if await request.isHeld.known() {
                return HeldRequest {
                    request.door.signal()
                    await request.isAnswered.known()
                }
            }
        }
        throw TimedOut(what: "a request is taken by a pod of \(hash)")
    }

    func meddle(_ rollout: RolloutName, canary: Int, generation: Int) async throws {
        _ = try await platform.nginx.control.put(
            NginxRoute(
                generation: generation, canary: canary, max: 100, stableHash: SampleTraffic.stable,
                canaryHash: SampleTraffic.canary), of: rollout.description)
    }

    func again() async throws -> any TrafficRouter {
        let again = try LocalPlatform(
            directory: parts.directory.path(), port: platform.nginx.port, logger: LocalParts.logger)
        try await again.nginx.start()
        return again.router
    }
}

/// Requests that pods take and do not answer until they may.
private final class HeldRequests: Sendable {
    struct Request: Sendable {
        let id: Int
        let hash: String
        let isHeld = Fact<Bool>()
        let isAnswered = Fact<Void>()
        let door = DispatchSemaphore(value: 0)
    }

    private let requests = Mutex<[Request]>([])

    func expect(at hash: String) -> Request {
        requests.withLock { requests in
            let request = Request(id: requests.count, hash: hash)
            requests.append(request)
            return request
        }
    }

    /// Runs on a thread of the pod's own.
    func answer(_ exchange: Exchange, as hash: String) {
        if let id = exchange.form["held"].flatMap(Int.init) {
            let request = requests.withLock { $0[id] }
            if request.hash == hash {
                request.isHeld.state(true)
                request.door.wait()
            }
        }
        exchange.respond(200, [("X-Set", hash)])
    }

    func letAllGo() { for request in requests.withLock({ $0 }) { request.door.signal() } }
}

/// A platform whose pods are real processes.
private actor ProcessStage: WorkloadsStage {
    private let parts: LocalParts
    private var platform: LocalPlatform
    nonisolated let workloads: any Workloads

    init() async throws {
        parts = try LocalParts()
        platform = try Self.platform(parts, port: LoopbackPort.free())
        workloads = platform.workloads
        try await platform.start()
    }

    private static func platform(_ parts: LocalParts, port: Int) throws -> LocalPlatform {
        try LocalPlatform(
            directory: parts.directory.path(), port: port, pods: PodSettings(firstBackOff: .milliseconds(10)),
            logger: LocalParts.logger)
    }

    func end() async throws {
        try await platform.end()
        try parts.remove()
    }

    nonisolated func template(_ kind: SamplePods.Kind) -> JSONValue {
        switch kind {
        case .ready:
            template(
                [LocalParts.paymentsAPI, "serve"],
                probe: ["httpGet": ["path": "/healthz", "port": "http"], "periodSeconds": 1])
        case .neverReady:
            template(["/bin/sleep", "600"], probe: ["tcpSocket": ["port": "http"], "periodSeconds": 1])
        case .unusable: ["spec": ["containers": [["image": "registry.example.com/payments-api:1.5.0"]]]]
        }
    }

    private nonisolated func template(_ command: [String], probe: JSONValue) -> JSONValue {
        [
            "spec": [
                "containers": [
                    [
                        "image": "registry.example.com/payments-api:1.5.0",
                        "command": .array(command.map(JSONValue.string)),
                        "ports": [["containerPort": 8080, "name": "http"]], "readinessProbe": probe,
                    ]
                ]
            ]
        ]
    }

    func crash(in hash: String, of rollout: RolloutName) async throws {
        let pod = await platform.pods().first { $0.podTemplateHash == hash && $0.rollout == rollout && $0.isReady }
        try #require(pod?.process).send(SIGKILL)
    }

    func again() async throws -> any Workloads {
        await platform.workloads.supervisor.rest()
        platform = try Self.platform(parts, port: platform.nginx.port)
        try await platform.start()
        return platform.workloads
    }
}
