import Control
import Delivery
import EventSourcing
import TestKit
import Testing

/// A log that has lost its end, as after a failover to a server that had not heard of it.
@Suite(.timeLimit(.minutes(5))) struct CutLogTests {
    private let steps: [JSONValue] = [["setWeight": 50], ["pause": [:]]]

    private func expectExposed(_ bench: Bench, _ what: String) async throws {
        try await bench.until(what) { facts in
            if case .pauseBegan? = facts.last { true } else { false }
        }
    }

    @Test func `a controller steers on by what the log has, and heeds what is ordered afterwards`() async throws {
        let bench = Bench()
        let other = CommandHandler<RolloutDecider>(store: bench.store.base, mint: Minter(clock: bench.clock).mint)
        try await bench.while_(bench.control()) {
            try await bench.apply(tag: "1", steps: steps)
            try await bench.until("in service") { facts in
                facts.contains { if case .completed = $0 { true } else { false } }
            }
            let head = try await bench.store.base.head()
            try await bench.apply(tag: "2", steps: steps)
            try await expectExposed(bench, "a canary in traffic")
            #expect(bench.weights.last == 50)
            bench.store.base.cutShort(after: head)
            let isBack = try await eventually(within: .seconds(60)) {
                bench.clock.advance(.seconds(1))
                return bench.weights.last == 0
            }
            #expect(isBack, "the log has nothing of a canary")
            #expect(bench.messages.contains { $0.hasPrefix("the log was cut short") })
            // Ordered elsewhere, and through the states that the commands of this instance are decided on.
            try await bench.order(
                .apply(
                    Shop.bundle(tag: "3", steps: steps), source: ManifestSource(kind: .cli), warnings: [],
                    newRelease: Minter(clock: bench.clock).mint()), through: other)
            try await expectExposed(bench, "the next canary in traffic")
            try await bench.order(.abort(reason: "enough"))
            let isAborted = try await eventually(within: .seconds(60)) {
                bench.clock.advance(.seconds(1))
                return bench.weights.last == 0
            }
            #expect(isAborted)
        }
        let applied = try await bench.facts().compactMap { if case .weightApplied(let seen) = $0 { seen } else { nil } }
        #expect(applied.last?.canary == 0)
    }

    @Test func `pods and routes that obeyed what is lost obey what comes after it, under new leases`() async throws {
        let fleet = Fleet()
        let a = Fleet.Instance("a", in: fleet)
        func pauses() async throws -> Int {
            try await fleet.facts().count { if case .pauseBegan = $0 { true } else { false } }
        }
        try await fleet.apply(0, tag: "1", steps: steps)
        try await fleet.until("in service", [a]) { try await fleet.completions() == 1 }
        let head = try await fleet.log.head()
        for (count, tag) in ["2", "3", "4"].enumerated() {
            try await fleet.apply(0, tag: tag, steps: steps)
            try await fleet.until("a canary in traffic", [a]) { try await pauses() == count + 1 }
        }
        let lost = try #require(fleet.routes(of: 0).last)
        fleet.log.cutShort(after: head)
        try await fleet.until("the log's own", [a]) { fleet.weights.last == 0 }
        try await fleet.apply(0, tag: "5", steps: steps)
        try await fleet.until("the next canary in traffic", [a]) { try await pauses() == 1 && fleet.weights.last == 50 }
        let route = try #require(fleet.routes(of: 0).last)
        #expect(route.epoch > lost.epoch)
        let scales = try await fleet.facts().contains { if case .scaleRejected = $0 { true } else { false } }
        #expect(!scales)
        try await a.shutDown()
    }
}
