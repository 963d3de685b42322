import Delivery
import EventSourcing
import Foundation
import Glibc
import TestKit
import Testing

@testable import LocalPlatform
@testable import payments_api

/// Pods and nginx together: real processes, real traffic.
@Suite(.serialized)
struct LocalPlatformTests {
    private let rollout = RolloutName(namespace: "demo", name: "payments-api")!

    private func withPlatform(
        pods: PodSettings = PodSettings(firstBackOff: .milliseconds(10)),
        _ body: (LocalParts, LocalPlatform) async throws -> Void
    ) async throws {
        let parts = try LocalParts()
        let platform = try LocalPlatform(
            directory: parts.directory.path(), port: LoopbackPort.free(), pods: pods, logger: LocalParts.logger)
        do {
            try await platform.start()
            try await body(parts, platform)
        } catch {
            try await platform.end()
            throw error
        }
        try await platform.end()
        let left = ProcessTable.all().filter { pid in
            ProcessTable.environment(of: pid).contains("ROLLBOOK_PODS=\(parts.directory.path())")
                || ProcessTable.directory(of: pid) == "\(parts.directory.path())/nginx"
        }
        #expect(left.isEmpty)
        try parts.remove()
    }

    private func template(
        _ tag: String, command: [String]? = nil, probe: JSONValue? = nil, grace: Int64 = 30
    ) -> JSONValue {
        var container: [String: JSONValue] = [
            "image": .string("registry.example.com:5000/payments-api:\(tag)"),
            "command": .array((command ?? [LocalParts.paymentsAPI, "serve"]).map(JSONValue.string)),
            "ports": [["containerPort": 8080, "name": "http"]],
        ]
        container["readinessProbe"] =
            probe ?? ["httpGet": ["path": "/healthz", "port": "http"], "periodSeconds": 1]
        return [
            "spec": ["containers": [.object(container)], "terminationGracePeriodSeconds": .int(grace)]
        ]
    }

    private func set(_ hash: String, _ tag: String, _ replicas: Int, template: JSONValue? = nil) -> WantedSet {
        WantedSet(
            podTemplateHash: hash, revision: 1, replicas: replicas, template: template ?? self.template(tag),
            minReadySeconds: 0)
    }

    private func route(_ generation: Int, _ canary: Int, host: String = "payments.example.com") -> RouteIntent {
        let ports = [ServicePlan.Port(port: 80, target: 8080)]
        return RouteIntent(
            rollout: rollout, generation: generation,
            split: TrafficSplit(canary: canary, stableHash: "aaa", canaryHash: "bbb"),
            routing: RoutingPlan(
                canaryService: ServicePlan(name: "payments-api-canary", ports: ports),
                stableService: ServicePlan(name: "payments-api-stable", ports: ports), router: "nginx",
                ingresses: [
                    IngressPlan(
                        name: "payments-api",
                        rules: [.init(host: host, path: "/", pathType: "Prefix", servicePort: 80)])
                ]))
    }

    private func ready(_ platform: LocalPlatform, _ hash: String, _ count: Int) async throws {
        try await eventually("\(count) pods of \(hash) are ready", within: .seconds(60)) {
            await platform.pods().count { $0.podTemplateHash == hash && $0.isReady && !$0.isGoing } == count
        }
    }

    private func gone(_ platform: LocalPlatform, _ hash: String) async throws {
        try await eventually("no pod of \(hash) is left", within: .seconds(60)) {
            await !platform.pods().contains { $0.podTemplateHash == hash }
        }
    }

    @Test(arguments: [false, true])
    func `a canary comes, takes traffic, is sent away and ends, and no request is lost`(keepAlive: Bool) async throws {
        try await withPlatform { parts, platform in
            try await platform.workloads.scale(
                ScaleIntent(rollout: rollout, generation: 1, sets: [set("aaa", "1.4.0", 2)]))
            try await ready(platform, "aaa", 2)
            _ = try await platform.router.route(route(1, 0))
            let load = try await parts.load(port: platform.nginx.port, rate: 150, keepAlive: keepAlive)
            for round in 0..<3 {
                try await platform.workloads.scale(
                    ScaleIntent(rollout: rollout, generation: 2 + round * 2, sets: [set("bbb", "1.5.0", 2)]))
                try await ready(platform, "bbb", 2)
                let seen = try await platform.router.route(route(2 + round * 2, 50))
                #expect(seen.split.canary == 50)
                try await eventually("the canary answers some") {
                    (0..<10).count { _ in answeredBy(platform) == "1.5.0" } >= 4
                }
                _ = try await platform.router.route(route(3 + round * 2, 0))
                try await platform.workloads.scale(
                    ScaleIntent(rollout: rollout, generation: 3 + round * 2, sets: [set("bbb", "1.5.0", 0)]))
                try await gone(platform, "bbb")
            }
            let (report, _) = try load.finish()
            #expect(report.lost == 0)
            #expect(report.failed5xx == 0)
            #expect((report.versions["1.5.0"]?.total ?? 0) > 0)
            #expect(try await platform.router.observe(rollout)?.generation == 7)
            print("3 canaries, keep-alive \(keepAlive): \(report.summary)")
        }
    }

    @Test func `a pod that is killed is started again, and traffic does not notice`() async throws {
        try await withPlatform { parts, platform in
            try await platform.workloads.scale(
                ScaleIntent(rollout: rollout, generation: 1, sets: [set("aaa", "1.4.0", 2)]))
            try await ready(platform, "aaa", 2)
            _ = try await platform.router.route(route(1, 0))
            let load = try await parts.load(port: platform.nginx.port, rate: 100, keepAlive: false)
            let before = try #require(await platform.pods().first)
            before.process?.send(SIGKILL)
            try await eventually("it runs again as another process") {
                guard let now = await platform.pods().first(where: { $0.name == before.name }) else { return false }
                return now.isReady && now.process != nil && now.process != before.process && now.crashes == 1
            }
            let (report, _) = try load.finish()
            #expect(report.lost == 0)
        }
    }

    @Test func `pods outlive the one who started them, and are found again, recorded or not`() async throws {
        try await withPlatform { parts, platform in
            try await platform.workloads.scale(
                ScaleIntent(rollout: rollout, generation: 4, sets: [set("aaa", "1.4.0", 3)]))
            try await ready(platform, "aaa", 3)
            _ = try await platform.router.route(route(1, 0))
            let before = await platform.pods()
            await platform.workloads.supervisor.rest()

            // As after a crash in the middle: one process was not recorded yet, one is not known at all.
            let store = PodStore(directory: parts.directory.path())
            var records = try store.allPods().sorted { $0.name < $1.name }
            records[0].process = nil
            try store.save(records[0])
            try store.remove(records[1])

            let again = try LocalPlatform(
                directory: parts.directory.path(), port: platform.nginx.port,
                pods: PodSettings(firstBackOff: .milliseconds(10)), logger: LocalParts.logger)
            try await again.start()
            try await ready(again, "aaa", 3)
            let after = await again.pods()
            #expect(after.first { $0.name == before[0].name }?.process == before[0].process)
            #expect(after.first { $0.name == before[2].name }?.process == before[2].process)
            try await eventually("the stray is gone") { before[1].process?.isAlive == false }
            #expect(LocalParts.status("payments.example.com", again.nginx.port, "/") == 200)
            await #expect(throws: PlatformFailure.self) {
                try await again.workloads.scale(ScaleIntent(rollout: rollout, generation: 3, sets: []))
            }
            try await again.end()
            #expect(after.allSatisfy { $0.process?.isAlive != true })
        }
    }

    @Test func `observations tell what is, then each change`() async throws {
        try await withPlatform { _, platform in
            try await platform.workloads.scale(
                ScaleIntent(rollout: rollout, generation: 1, sets: [set("aaa", "1.4.0", 1)]))
            for await seen in platform.workloads.observations() {
                #expect(seen.rollout == rollout && seen.podTemplateHash == "aaa" && seen.desired == 1)
                if seen.available == 1 { break }
            }
            try await platform.workloads.scale(
                ScaleIntent(rollout: rollout, generation: 2, sets: [set("aaa", "1.4.0", 0)]))
            for await seen in platform.workloads.observations() where seen.current == 0 {
                #expect(seen.desired == 0 && seen.ready == 0)
                break
            }
        }
    }

    @Test func `an older route is refused and the newer one stands`() async throws {
        try await withPlatform { _, platform in
            _ = try await platform.router.route(route(5, 25))
            let same = try await platform.router.route(route(5, 25))
            #expect((same.generation, same.split.canary) == (5, 25))
            let failure = await #expect(throws: PlatformFailure.self) { try await platform.router.route(route(4, 0)) }
            #expect(failure?.code == .staleGeneration)
            #expect(failure?.generation == 5)
            #expect(try await platform.router.observe(rollout)?.split.canary == 25)
            let other = try #require(RolloutName(namespace: "demo", name: "other"))
            #expect(try await platform.router.observe(other) == nil)
            var clash = route(1, 0)
            clash.rollout = other
            await #expect(throws: PlatformFailure.self) { try await platform.router.route(clash) }
        }
    }

    @Test func `a pod that never gets ready gets no traffic, and one that ignores SIGTERM is killed after its grace`()
        async throws
    {
        try await withPlatform { _, platform in
            let stubborn = template(
                "1.5.0", command: ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"],
                probe: ["tcpSocket": ["port": 8080], "periodSeconds": 1], grace: 1)
            try await platform.workloads.scale(
                ScaleIntent(
                    rollout: rollout, generation: 1,
                    sets: [set("aaa", "1.4.0", 1), set("bbb", "1.5.0", 1, template: stubborn)]))
            try await ready(platform, "aaa", 1)
            _ = try await platform.router.route(route(1, 100))
            #expect((0..<20).allSatisfy { _ in answeredBy(platform) == "1.4.0" })
            let pod = try #require(await platform.pods().first { $0.podTemplateHash == "bbb" })
            #expect(!pod.isReady)
            try await platform.workloads.scale(
                ScaleIntent(rollout: rollout, generation: 2, sets: [set("bbb", "1.5.0", 0, template: stubborn)]))
            try await gone(platform, "bbb")
            #expect(pod.process?.isAlive == false)
        }
    }

    @Test func `a program that cannot be started counts as crashing`() async throws {
        try await withPlatform { _, platform in
            let missing = template("1.5.0", command: ["/nowhere/payments-api"])
            try await platform.workloads.scale(
                ScaleIntent(rollout: rollout, generation: 1, sets: [set("bbb", "1.5.0", 1, template: missing)]))
            try await eventually("it is tried again") { await (platform.pods().first?.crashes ?? 0) > 2 }
        }
    }

    private func answeredBy(_ platform: LocalPlatform) -> String? {
        var text = ""
        guard LocalParts.status("payments.example.com", platform.nginx.port, "/", body: &text) == 200 else {
            return nil
        }
        return text.split(separator: "\r\n").first { $0.hasPrefix("X-Version: ") }.map { String($0.dropFirst(11)) }
    }
}
