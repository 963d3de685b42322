import Delivery
import Foundation
import Glibc
import Logging
import Synchronization
import TestKit
import Testing

@testable import LocalPlatform

/// Ports that somebody else holds, before and after the start.
@Suite(.serialized)
struct TakenPortTests {
    /// Holds a port as any other program would.
    private struct Squatter {
        let descriptor: Int32
        let port: Int

        init(port: Int) throws {
            self.port = port
            descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var yes: Int32 = 1
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = UInt16(port).bigEndian
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            let size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let bound = withUnsafeBytes(of: &address) {
                bind(descriptor, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), size)
            }
            try #require(bound == 0 && listen(descriptor, 1) == 0, "errno \(errno)")
        }

        func leave() { close(descriptor) }
    }

    /// Keeps what is logged at warning and above.
    private struct Notes: LogHandler {
        final class Kept: Sendable {
            private let lines = Mutex<[String]>([])
            func add(_ line: String) { lines.withLock { $0.append(line) } }
            var all: [String] { lines.withLock(\.self) }
        }

        let kept: Kept
        var metadata = Logger.Metadata()
        var logLevel = Logger.Level.warning

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            kept.add("\(event.level) \(event.message) \(event.metadata?["error"].map { "\($0)" } ?? "")")
        }
    }

    private static func logger(_ kept: Notes.Kept) -> Logger { Logger(label: "test") { _ in Notes(kept: kept) } }

    private var me: String { "(process \(getpid()))" }

    @Test func `who listens on a port is named, and own processes do not count`() throws {
        let port = try LoopbackPort.free()
        #expect(LoopbackPort.holder(of: port) == nil)
        let squatter = try Squatter(port: port)
        #expect(LoopbackPort.listeners(port) == [getpid()])
        #expect(LoopbackPort.holder(of: port)?.hasSuffix(me) == true)
        let own = try #require(ProcessIdentity(of: getpid()))
        #expect(LoopbackPort.holder(of: port, besides: [own]) == nil)
        squatter.leave()
        #expect(LoopbackPort.holder(of: port) == nil)
    }

    @Test func `a restart waits longer each time, and begins anew after a steady time`() {
        var pace = RestartPace()
        var now = ContinuousClock.now
        let waits = (0..<8).map { _ in
            now += .seconds(31)
            return pace.wait(at: now)
        }
        #expect(waits == [0, 1, 2, 4, 8, 16, 30, 30].map { .seconds($0) })
        #expect(pace.wait(at: now + .seconds(121)) == .zero)
    }

    @Test func `nginx does not begin on a port that is taken, and takes it up again once it is free`() async throws {
        let parts = try LocalParts()
        let kept = Notes.Kept()
        let nginx = try NginxServer(
            directory: parts.directory.path(), port: LoopbackPort.free(), logger: Self.logger(kept))
        let early = try Squatter(port: nginx.port)
        #expect(await nginx.otherListener()?.hasSuffix(me) == true)
        await #expect { try await nginx.start() } throws: { error in
            "\(error)".contains("port \(nginx.port) is taken by") && "\(error)".contains(me)
        }
        early.leave()
        try await nginx.start()
        #expect(await nginx.otherListener() == nil)

        // As after a crash: nothing of it is left, and somebody else is quicker.
        let master = try #require(await nginx.process)
        master.send(SIGKILL)
        try await eventually("it is gone") {
            // The master may have begun a last worker meanwhile.
            for worker in await nginx.workers() { worker.send(SIGKILL) }
            return !master.isAlive && LoopbackPort.isFree(nginx.port)
        }
        let late = try Squatter(port: nginx.port)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await nginx.keepAlive() }
            try await eventually("it is said twice who listens there") {
                kept.all.filter { $0.hasPrefix("warning nginx does not start") && $0.contains(me) }.count >= 2
            }
            late.leave()
            try await eventually("it answers again") { LocalParts.status("x", nginx.port, "/") != nil }
            group.cancelAll()
        }
        await nginx.stop()
        try parts.remove()
    }

    @Test func `Prometheus does not begin on a port that is taken, and takes it up again once it is free`() async throws
    {
        let parts = try LocalParts()
        let kept = Notes.Kept()
        let prometheus = try PrometheusServer(
            directory: parts.directory.path() + "/prometheus", port: LoopbackPort.free(), logger: Self.logger(kept))
        let early = try Squatter(port: prometheus.port)
        await #expect { try await prometheus.start() } throws: { error in
            "\(error)".contains("port \(prometheus.port) is taken by") && "\(error)".contains(me)
        }
        early.leave()
        try await prometheus.start()
        #expect(await prometheus.otherListener() == nil)
        let again = try PrometheusServer(
            directory: parts.directory.path() + "/prometheus", port: prometheus.port, logger: Self.logger(kept))
        #expect(await again.otherListener() == nil)

        await again.stop()
        let late = try Squatter(port: prometheus.port)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await prometheus.keepAlive() }
            try await eventually("it is said twice who listens there") {
                kept.all.filter { $0.hasPrefix("warning prometheus does not start") && $0.contains(me) }.count >= 2
            }
            late.leave()
            try await eventually("it answers again") {
                LocalParts.status("x", prometheus.port, "/-/ready") == 200
            }
            group.cancelAll()
        }
        await prometheus.stop()
        try parts.remove()
    }
}
