import Analysis
import Control
import Delivery
import EventSourcing
import TestKit
import Testing

/// Rollouts whose events cannot be read any more.
@Suite(.timeLimit(.minutes(5))) struct LostStreamTests {
    /// Nothing is measured any more, however much time passes.
    private func expectLetGo(_ bench: Bench) async throws {
        let isTold = try await eventually(within: .seconds(60)) {
            bench.clock.advance(.seconds(1))
            return bench.messages.contains("rollout cannot be controlled")
        }
        #expect(isTold)
        let (asked, routed) = (bench.metric.asked, bench.router.routed.count)
        let goesOn = try await eventually(within: .milliseconds(400)) {
            bench.clock.advance(.seconds(1))
            // One may have been under way.
            return bench.metric.asked > asked + 1 || bench.router.routed.count > routed
        }
        #expect(!goesOn)
    }

    @Test func `a rollout whose events are missing is let go of, and taken up again with the next one`() async throws {
        let bench = Bench()
        let other = CommandHandler<RolloutDecider>(store: bench.store.base, mint: Minter(clock: bench.clock).mint)
        try await bench.while_(bench.control()) {
            try await bench.expose()
            bench.store.damage(bench.name.stream)
            // Written elsewhere: the next report meets it, and then the damage.
            try await bench.order(.pause(reason: "a look"), through: other)
            try await expectLetGo(bench)
            bench.store.mend()
            try await bench.order(.abort(reason: "enough"), through: other)
            let isBack = try await eventually(within: .seconds(60)) { bench.weights.last == 0 }
            #expect(isBack)
        }
    }

    @Test func `a rollout with an event that nobody here can read is let go of`() async throws {
        let bench = Bench()
        try await bench.while_(bench.control()) {
            try await bench.expose()
            try await writeUnknown(to: bench)
            try await expectLetGo(bench)
        }
        #expect(bench.weights.last == 50)
    }

    @Test func `a measurement that the ledger cannot keep counts as an error, and the rollout goes on`() async throws {
        let bench = Bench()
        try await bench.while_(bench.control()) {
            try await bench.expose()
            bench.store.refuse(above: 5000)
            bench.metric.say(0, times: 5000)
            let isTold = try await eventually(within: .seconds(60)) {
                bench.clock.advance(.seconds(1))
                return try await bench.facts().contains { fact in
                    if case .measurementTaken(let taken) = fact { taken.phase == .error } else { false }
                }
            }
            let types = try await bench.types()
            #expect(isTold, "\(bench.messages); the log has \(types)")
            bench.metric.say(0)
            try await bench.order(.abort(reason: "enough"))
            let isBack = try await eventually(within: .seconds(60)) { bench.weights.last == 0 }
            #expect(isBack)
        }
    }

    /// Somebody writes what this build does not know; reports may come in between.
    private func writeUnknown(to bench: Bench) async throws {
        _ = try await bench.store.base.append(
            SampleEvents.append(to: bench.name.stream.description, after: nil, command: SampleEvents.id()))
    }
}
