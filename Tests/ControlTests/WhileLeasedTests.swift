import Control
import EventSourcing
import Logging
import ServiceLifecycle
import Synchronization
import TestKit
import Testing

/// What one instance does for all: the sealer, a projector.
@Suite(.timeLimit(.minutes(5))) struct WhileLeasedTests {
    @Test func `a service runs on one instance, and on another once that one is gone`() async throws {
        let stage = Stage()
        let a = stage.start("a")
        try await stage.comes { a.work.isRunning }
        let b = stage.start("b")
        for _ in 0..<5 { try await stage.tick([a, b]) }
        #expect(a.work.isRunning && !b.work.isRunning)
        a.leases.goDown()
        // By less than lies between the end of what the one relies on and the beginning of the other.
        for _ in 0..<60 {
            if try await settles(rounds: 10, { b.work.isRunning }) { break }
            stage.clock.advance(.milliseconds(100))
        }
        #expect(b.work.isRunning)
        // The one that is cut off has stopped before another could begin.
        #expect(!a.work.isRunning)
        a.leases.comeBack()
        for _ in 0..<5 { try await stage.tick([a, b]) }
        #expect(!a.work.isRunning && b.work.isRunning)
        #expect(stage.most.count == 1)
        await a.stop()
        await b.stop()
    }

    @Test func `a service that ends by itself leaves the lease to another instance, and is tried again later`()
        async throws
    {
        let stage = Stage()
        let a = stage.start("a", isFit: false)
        try await stage.comes([a]) { a.work.begun == 1 }
        let b = stage.start("b")
        try await stage.comes([a, b]) { b.work.isRunning }
        #expect(a.work.begun == 1)
        b.leases.goDown()
        // Longer than the lease, and not long enough for the one that has declined.
        for _ in 0..<10 { try await stage.tick([a]) }
        #expect(a.work.begun == 1 && !b.work.isRunning)
        try await stage.comes([a]) { a.work.begun == 2 }
        await a.stop()
        await b.stop()
    }

    @Test func `an instance takes no rollouts before it is told to share them`() async throws {
        let stage = Stage()
        let a = stage.start("a", sharesRollouts: false)
        // It says to nobody that it is there, so its turns are not waited for.
        try await stage.comes { a.work.isRunning }
        #expect(a.holder.certain == ["single"])
        #expect(try await stage.base.list(under: "instance/").isEmpty)
        a.holder.shareRollouts()
        // At once, without time going by.
        try await stage.comes([]) { a.holder.certain.count == Shards.count + 2 }
        await a.stop()
    }
}

/// Instances that have one single lease and a service under it.
private struct Stage {
    let clock = ManualClock()
    let base: InMemoryLeases
    /// How many services run, and how many did at the most.
    let most = MostAtOnce()

    init() {
        let clock = clock
        base = InMemoryLeases(store: InMemoryEventStore { clock.now() }) { clock.now() }
    }

    struct Instance {
        let name: String
        let holder: LeaseHolder
        let leases: FaultyLeases
        let work: Work
        let run: Task<Void, any Error>

        func stop() async {
            run.cancel()
            _ = await run.result
        }
    }

    func start(_ name: String, isFit: Bool = true, sharesRollouts: Bool = true) -> Instance {
        let leases = FaultyLeases(base)
        let logger = Logger(label: name) { _ in SwiftLogNoOpLogHandler() }
        let holder = LeaseHolder(
            leases: leases, holder: name, shards: Shards(cluster: "default"), singles: ["single"],
            sharesRollouts: sharesRollouts, clock: clock, logger: logger)
        let work = Work(isFit: isFit, most)
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [holder, WhileLeased(work, while: "single", of: holder)], logger: logger))
        // Awaited by `stop`.
        return Instance(name: name, holder: holder, leases: leases, work: work, run: Task { try await group.run() })
    }

    /// Moves time by a second, and waits until each of `instances` has taken its turn.
    func tick(_ instances: [Instance]) async throws {
        #expect(try await clock.tick(instances.map(\.name), base), "every instance takes its turn")
    }

    /// Moves time until `fact` holds.
    func comes(_ instances: [Instance] = [], _ fact: () -> Bool) async throws {
        for _ in 0..<60 {
            if try await settles(rounds: 20, fact) { return }
            try await tick(instances)
        }
        #expect(fact())
    }
}

/// A service that counts.
private final class Work: Service {
    private let isFit: Bool
    private let most: MostAtOnce
    private let state = Mutex((begun: 0, running: 0))

    init(isFit: Bool, _ most: MostAtOnce) {
        self.isFit = isFit
        self.most = most
    }

    var begun: Int { state.withLock { $0.begun } }
    var isRunning: Bool { state.withLock { $0.running > 0 } }

    func run() async throws {
        state.withLock { $0 = ($0.begun + 1, $0.running + 1) }
        most.begins()
        defer {
            state.withLock { $0.running -= 1 }
            most.ends()
        }
        guard isFit else { return }
        let (never, _) = AsyncStream.makeStream(of: Never.self)
        for await _ in never {}
    }
}

private final class MostAtOnce: Sendable {
    private let state = Mutex((now: 0, most: 0))
    func begins() { state.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) } }
    func ends() { state.withLock { $0.now -= 1 } }
    var count: Int { state.withLock { $0.most } }
}
