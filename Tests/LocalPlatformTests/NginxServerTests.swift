import Delivery
import Foundation
import Glibc
import TestKit
import Testing

@testable import LocalPlatform
@testable import payments_api

/// The real nginx with real services behind it.
@Suite(.serialized)
struct NginxServerTests {
    private let backend = "default/demo/payments-api"

    private var site: NginxSite {
        NginxSite(
            host: "payments.example.com",
            paths: [.init(path: "/", isExact: false, backend: backend, port: "8080")])
    }

    private func withNginx(
        workers: Int = 2, _ body: (LocalParts, NginxServer) async throws -> Void
    ) async throws {
        let parts = try LocalParts()
        let nginx = try NginxServer(
            directory: parts.directory.path(), port: LoopbackPort.free(), workers: workers,
            logger: LocalParts.logger)
        do {
            try await nginx.start()
            try await body(parts, nginx)
        } catch {
            await nginx.stop()
            throw error
        }
        await nginx.stop()
        try parts.remove()
    }

    private func route(_ generation: Int, _ canary: Int) -> NginxRoute {
        NginxRoute(generation: generation, canary: canary, max: 100, stableHash: "s", canaryHash: "c")
    }

    private func endpoints(_ generation: Int, stable: [String], canary: [String]) -> NginxEndpoints {
        NginxEndpoints(generation: generation, sets: ["s": ["8080": stable], "c": ["8080": canary]])
    }

    private func status(_ nginx: NginxServer) -> Int? { LocalParts.status("payments.example.com", nginx.port, "/") }

    @Test(arguments: [false, true])
    func `after each of 40 switches no request that begins is answered by the canary, and none is lost`(
        keepAlive: Bool
    ) async throws {
        try await withNginx { parts, nginx in
            let stable = try await parts.service("1.4.0")
            defer { stable.stop() }
            let canary = try await parts.service("1.5.0")
            defer { canary.stop() }
            try await nginx.serve([site])
            _ = try await nginx.put(
                endpoints(1, stable: [stable.address], canary: [canary.address]), of: backend)
            _ = try await nginx.put(route(1, 50), of: backend)
            let load = try await parts.load(port: nginx.port, rate: 150, keepAlive: keepAlive)
            var off: [(from: Int64, to: Int64)] = []
            var slowest = Duration.zero
            for switching in 1...40 {
                let begin = ContinuousClock.now
                guard case .stands(let state) = try await nginx.put(route(switching * 2, 0), of: backend) else {
                    Issue.record("switch \(switching) was refused")
                    return
                }
                let from = unixMicroseconds()
                let left = try await nginx.control.drained(backend, before: state.version, timeout: .seconds(30))
                slowest = max(slowest, ContinuousClock.now - begin)
                #expect(left == 0)
                await Wait.pause(.milliseconds(60))
                off.append((from, unixMicroseconds()))
                _ = try await nginx.put(route(switching * 2 + 1, 50), of: backend)
                await Wait.pause(.milliseconds(60))
            }
            let (report, records) = try load.finish()
            // Begun after the switch and answered before the switch back: picked in between, without doubt.
            let during = records.filter { record in
                off.contains { $0.from < record.startedAt && record.finishedAt < $0.to }
            }
            #expect(during.filter { $0.version == "1.5.0" }.isEmpty)
            #expect(report.lost == 0)
            #expect(report.failed5xx == 0)
            #expect(during.count > 50)
            #expect((report.versions["1.5.0"]?.total ?? 0) > 50)
            let counted = try Data(contentsOf: URL(filePath: nginx.layout.accessLog)).split(separator: 10).count
            #expect(counted == report.total)
            print("40 switches, keep-alive \(keepAlive): \(report.summary); slowest switch with drain \(slowest)")
        }
    }

    @Test func `an answer that comes late takes nothing newer from what is kept`() async throws {
        try await withNginx { _, nginx in
            try await nginx.serve([site])
            var later = route(4, 25)
            later.epoch = 2
            _ = try await nginx.put(later, of: backend)
            _ = try await nginx.put(endpoints(7, stable: ["127.0.0.1:1"], canary: []), of: backend)
            try await nginx.keep(route(5, 0), of: backend)
            try await nginx.keep(endpoints(6, stable: [], canary: []), of: backend)
            let saved = try JSONDecoder().decode(
                [String: [String: String]].self, from: Data(contentsOf: URL(filePath: nginx.layout.savedState)))
            let kept = try #require(saved[backend])
            #expect(try JSONDecoder().decode(NginxRoute.self, from: Data(#require(kept["route"]).utf8)) == later)
            #expect(kept["endpoints"]?.contains("127.0.0.1:1") == true)
        }
    }

    @Test func `an older generation is refused and the newer one stands`() async throws {
        try await withNginx { _, nginx in
            try await nginx.serve([site])
            _ = try await nginx.put(route(5, 25), of: backend)
            guard case .refused(let standing) = try await nginx.put(route(4, 0), of: backend) else {
                Issue.record("an older generation was taken")
                return
            }
            #expect(standing.route == route(5, 25))
            #expect(try await nginx.put(route(5, 25), of: backend) == .stands(standing))
            #expect(try await nginx.put(route(5, 26), of: backend) == .refused(standing))
            #expect(try await nginx.control.state() == [backend: standing])
        }
    }

    @Test func `weights, missing pods and dead pods never give 502`() async throws {
        try await withNginx { parts, nginx in
            let stable = try await parts.service("1.4.0")
            defer { stable.stop() }
            let canary = try await parts.service("1.5.0")
            defer { canary.stop() }
            try await nginx.serve([site])
            #expect(status(nginx) == 503)
            _ = try await nginx.put(route(1, 100), of: backend)
            #expect(status(nginx) == 503)

            guard
                case .stands(let state) = try await nginx.put(
                    endpoints(1, stable: [stable.address], canary: []), of: backend)
            else { throw TimedOut(what: "endpoints are taken") }
            #expect(state.canaryFallsToStable)
            #expect(version(nginx) == "1.4.0")

            _ = try await nginx.put(endpoints(2, stable: [stable.address], canary: [canary.address]), of: backend)
            #expect(version(nginx) == "1.5.0")
            _ = try await nginx.put(route(2, 5), of: backend)
            let canaries = (0..<400).count { _ in version(nginx) == "1.5.0" }
            #expect((18...22).contains(canaries))

            // A pod that is gone but still listed: the next pod answers, of the same set or the stable one.
            let nobody = "127.0.0.1:\(try LoopbackPort.free())"
            _ = try await nginx.put(route(3, 50), of: backend)
            _ = try await nginx.put(endpoints(3, stable: [nobody, stable.address], canary: [nobody]), of: backend)
            #expect((0..<40).allSatisfy { _ in version(nginx) == "1.4.0" })
            #expect(LocalParts.status("elsewhere.example.com", nginx.port, "/") == 404)
        }
    }

    @Test func `it is found again, and started again after a kill with its weights`() async throws {
        try await withNginx { parts, nginx in
            let stable = try await parts.service("1.4.0")
            defer { stable.stop() }
            try await nginx.serve([site])
            _ = try await nginx.put(endpoints(1, stable: [stable.address], canary: []), of: backend)
            _ = try await nginx.put(route(7, 0), of: backend)
            let first = try #require(await nginx.process)

            let again = try NginxServer(
                directory: parts.directory.path(), port: nginx.port, logger: LocalParts.logger)
            try await again.start()
            #expect(await again.process == first)
            #expect(await again.sites == [site])
            #expect(status(again) == 200)

            first.send(SIGKILL)
            try await eventually("the master is gone") { !first.isAlive }
            try await again.start()
            let second = try #require(await again.process)
            #expect(second != first)
            #expect(try await again.control.state()[backend]?.route == route(7, 0))
            #expect(status(again) == 200)
            await again.stop()
            #expect(await again.process == nil)
            #expect(status(again) == nil)
        }
    }

    @Test func `the counts of a worker that was killed are dropped`() async throws {
        try await withNginx(workers: 1) { parts, nginx in
            // A pod that takes a connection and never answers.
            let silent = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(silent) }
            let port = try LoopbackPort.free()
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = UInt16(port).bigEndian
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            _ = withUnsafeBytes(of: &address) {
                bind(silent, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
            }
            listen(silent, 8)
            try await nginx.serve([site])
            _ = try await nginx.put(endpoints(1, stable: ["127.0.0.1:\(port)"], canary: []), of: backend)
            guard case .stands(let state) = try await nginx.put(route(1, 0), of: backend) else { return }
            let client = Process()
            client.executableURL = URL(filePath: LocalParts.paymentsAPI)
            client.arguments = [
                "load", "--url", "http://127.0.0.1:\(nginx.port)/", "--host", "payments.example.com", "--rate", "10",
                "--duration", "250ms", "--timeout", "60s",
            ]
            client.standardOutput = FileHandle.nullDevice
            try client.run()
            defer { client.waitUntilExit() }
            let later = state.version + 1
            try await eventually("requests hang") {
                try await nginx.control.drained(backend, before: later, timeout: .zero) == 3
            }
            #expect(try await nginx.control.idle("127.0.0.1:\(port)", timeout: .zero) == 3)
            #expect(try await nginx.control.drained(backend, before: state.version, timeout: .zero) == 0)
            let master = try #require(await nginx.process)
            let worker = try #require(
                ProcessTable.all().first { ProcessTable.status(of: $0)?.parent == master.pid })
            ProcessIdentity(of: worker)?.send(SIGKILL)
            try await eventually("a new worker answers, and knows that nothing is under way") {
                do { return try await nginx.control.drained(backend, before: later, timeout: .zero) == 0 } catch {
                    return false
                }
            }
        }
    }

    @Test func `what cannot stand in a configuration is refused and the earlier sites stay`() async throws {
        try await withNginx { _, nginx in
            try await nginx.serve([site])
            for host in ["a b", "x;y", "ü.example.com", ""] {
                await #expect(throws: PlatformFailure.self) {
                    try await nginx.serve([NginxSite(host: host, paths: [])])
                }
            }
            #expect(await nginx.sites == [site])
            #expect(status(nginx) == 503)
        }
    }

    private func version(_ nginx: NginxServer) -> String? {
        var text = ""
        guard LocalParts.status("payments.example.com", nginx.port, "/", body: &text) == 200 else { return nil }
        return text.split(separator: "\r\n").first { $0.hasPrefix("X-Version: ") }.map { String($0.dropFirst(11)) }
    }
}
