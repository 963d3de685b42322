import Control
import Delivery
import EventSourcing
import Logging
import TestKit
import Testing

@Suite(.timeLimit(.minutes(5))) struct RolloutControlTests {
    private func isCompleted(_ facts: [RolloutFact], times: Int) -> Bool {
        facts.count { if case .completed = $0 { true } else { false } } == times
    }

    @Test func `a release goes through its plan by intents and reports alone`() async throws {
        let bench = Bench()
        try await bench.while_(bench.control()) {
            try await bench.apply(tag: "1")
            try await bench.until("first revision in service") { isCompleted($0, times: 1) }
            try await bench.apply(tag: "2")
            _ = try await eventually(within: .seconds(60), every: .milliseconds(50)) {
                bench.clock.advance(.seconds(2))
                return isCompleted(try await bench.facts(), times: 2)
            }
            try await bench.until("second revision in service") { isCompleted($0, times: 2) }
        }
        #expect(bench.weights.filter { $0 > 0 } == [50, 100])
        #expect(bench.weights.last == 0)
    }

    @Test func `a controller that takes over carries out what another one had only recorded`() async throws {
        let bench = Bench()
        try await bench.apply(tag: "1")
        #expect(bench.weights == [])
        try await bench.while_(bench.control()) {
            try await bench.until("in service") { isCompleted($0, times: 1) }
        }
        #expect(bench.weights.last == 0)
    }

    @Test func `a rollout whose events are missing keeps no other from being taken over`() async throws {
        let bench = Bench()
        let lost = RolloutName(namespace: "default", name: "before-shop")!
        _ = try await bench.store.append(SampleEvents.append(to: lost.stream.description))
        bench.store.damage(lost.stream)
        try await bench.apply(tag: "1")
        try await bench.while_(bench.control()) {
            try await bench.until("in service") { isCompleted($0, times: 1) }
        }
        #expect(bench.messages.contains("rollout cannot be controlled"))
    }

    @Test func `a controller whose log goes on in an archive folds every rollout again and goes on behind it`()
        async throws
    {
        let bench = Bench()
        let log = GatedStore(bench.store.base)
        try await bench.while_(bench.control(following: log)) {
            let isFollowed = try await eventually { log.followers == 1 }
            #expect(isFollowed)
            _ = try await log.append(SampleEvents.append(2, to: "inbox-a"))
            try await bench.apply(tag: "1")
            try await log.putAway { !$0.stream.description.hasPrefix("inbox-") }
            try await bench.until("in service") { isCompleted($0, times: 1) }
            let isTold = try await eventually { bench.messages.contains { $0.contains("goes on in an archive") } }
            #expect(isTold)
            // What comes afterwards is followed.
            try await bench.apply(tag: "2")
            _ = try await eventually(within: .seconds(60), every: .milliseconds(50)) {
                bench.clock.advance(.seconds(2))
                return isCompleted(try await bench.facts(), times: 2)
            }
            try await bench.until("second revision in service") { isCompleted($0, times: 2) }
        }
    }

    @Test func `an abort does not wait behind a hung route call`() async throws {
        let bench = Bench()
        bench.router.stall(atWeight: 50)
        try await bench.while_(bench.control()) {
            try await bench.apply(tag: "1")
            try await bench.until("in service") { isCompleted($0, times: 1) }
            try await bench.apply(tag: "2")
            try await bench.until("50 decided") { facts in
                facts.contains { if case .weightDecided(let decided) = $0 { decided.canary == 50 } else { false } }
            }
            try await bench.order(.abort(reason: "enough"))
            try await bench.until("0 applied") { facts in
                guard let abort = facts.lastIndex(where: { if case .aborted = $0 { true } else { false } }) else {
                    return false
                }
                return facts[abort...].contains { if case .weightApplied = $0 { true } else { false } }
            }
        }
        #expect(!bench.weights.contains(50))
        #expect(bench.weights.last == 0)
    }

    @Test func `a failing verdict takes the traffic away without the ledger, which is told afterwards`() async throws {
        let bench = Bench()
        try await bench.while_(bench.control()) {
            try await bench.expose()
            #expect(bench.weights.last == 50)
            bench.store.goDown()
            bench.metric.say(1)
            let rerouted = try await eventually(within: .seconds(90)) {
                bench.clock.advance(.seconds(2))
                return bench.weights.last == 0
            }
            #expect(rerouted)
            #expect(try await !bench.types().contains("rollout.aborted.v1"))
            bench.clock.advance(.seconds(3))
            bench.store.comeBack()
            let told = try await eventually(within: .seconds(90)) {
                bench.clock.advance(.seconds(1))
                return try await bench.types().contains("rollout.aborted.v1")
            }
            #expect(told)
            let told2 = try await eventually { try await bench.types().last == "rollout.weight-applied.v1" }
            #expect(told2)
        }
        let facts = try await bench.facts()
        let executed = facts.compactMap { if case .standingOrderExecuted(let executed) = $0 { executed } else { nil } }
        #expect(executed.map(\.because) == [.failingVerdict])
        #expect(executed.first?.routedZeroAt != nil)
        try await expectTrueTimes(bench)
        #expect(bench.weights.last == 0)
    }

    @Test func `blindness takes the traffic away after its time`() async throws {
        let bench = Bench()
        try await bench.while_(bench.control()) {
            try await bench.expose()
            bench.store.goDown()
            let down = bench.clock.now()
            let rerouted = try await eventually(within: .seconds(90)) {
                bench.clock.advance(.seconds(2))
                return bench.weights.last == 0
            }
            #expect(rerouted)
            #expect(bench.clock.now().since(down) >= .seconds(60))
            bench.clock.advance(.seconds(3))
            bench.store.comeBack()
            let told = try await eventually(within: .seconds(90)) {
                bench.clock.advance(.seconds(1))
                return try await bench.types().contains("rollout.aborted.v1")
            }
            #expect(told)
        }
        let aborts = try await bench.facts().compactMap { fact -> Aborted? in
            if case .aborted(let aborted) = fact { aborted } else { nil }
        }
        #expect(aborts.map(\.by) == [.standingOrder])
        try await expectTrueTimes(bench)
    }

    @Test func `a standing order whose holder died is found, and the canary stays without traffic`() async throws {
        let bench = Bench()
        try await bench.while_(bench.control()) {
            try await bench.expose()
            bench.store.goDown()
            bench.metric.say(1)
            let rerouted = try await eventually(within: .seconds(90)) {
                bench.clock.advance(.seconds(2))
                return bench.weights.last == 0
            }
            #expect(rerouted)
        }
        #expect(try await !bench.types().contains("rollout.aborted.v1"))
        let before = bench.weights
        bench.store.comeBack()
        bench.metric.say(0)
        try await bench.while_(bench.control()) {
            try await bench.until("weight 0 in the log") { facts in
                if case .weightApplied(let applied)? = facts.last(where: { $0.isWeightApplied }) {
                    applied.canary == 0
                } else {
                    false
                }
            }
        }
        #expect(bench.weights.dropFirst(before.count).allSatisfy { $0 == 0 })
        let facts = try await bench.facts()
        let aborts = facts.compactMap { if case .aborted(let aborted) = $0 { aborted } else { nil } }
        #expect(aborts.map(\.by) == [.standingOrder])
        let orders = facts.compactMap { if case .standingOrderExecuted(let executed) = $0 { executed } else { nil } }
        #expect(orders.map(\.because) == [.foundInDataPlane])
        let order = try #require(orders.first)
        #expect(order.unreachableFrom < order.until)
        #expect(bench.messages.contains("the data plane is ahead of the ledger"))
    }

    /// The data plane obeyed while the ledger was away, and the log says when; nothing is routed a second time.
    private func expectTrueTimes(_ bench: Bench) async throws {
        try await bench.until("weight 0 applied") { facts in
            if case .weightApplied(let applied)? = facts.last(where: { $0.isWeightApplied }) {
                applied.canary == 0
            } else {
                false
            }
        }
        let events = try await bench.events()
        let order = try #require(
            events.compactMap { event -> StandingOrderExecuted? in
                if case .standingOrderExecuted(let executed) = event.fact { executed } else { nil }
            }.first)
        let applied = try #require(events.last { $0.fact.isWeightApplied })
        #expect(applied.at == order.routedZeroAt)
        #expect(applied.at <= order.until)
        guard case .weightApplied(let seen) = applied.fact else { return }
        #expect(seen.generation == order.generation)
        let abort = try #require(events.last { if case .aborted = $0.fact { true } else { false } })
        #expect(abort.at <= applied.at)
        #expect(bench.router.routed.last?.generation == order.generation)
    }

    @Test func `an outage is noticed while nobody has anything to report`() async throws {
        let bench = Bench()
        try await bench.while_(bench.control()) {
            try await bench.apply(tag: "1", steps: [["setWeight": 50], ["pause": [:]]])
            try await bench.until("in service") { isCompleted($0, times: 1) }
            try await bench.apply(tag: "2", steps: [["setWeight": 50], ["pause": [:]]])
            try await bench.until("a pause without end") { facts in
                facts.contains { if case .pauseBegan = $0 { true } else { false } }
            }
            bench.store.goDown()
            let rerouted = try await eventually(within: .seconds(90)) {
                bench.clock.advance(.seconds(2))
                return bench.weights.last == 0
            }
            #expect(rerouted)
            bench.clock.advance(.seconds(3))
            bench.store.comeBack()
            let told = try await eventually(within: .seconds(90)) {
                bench.clock.advance(.seconds(1))
                return try await bench.types().contains("rollout.aborted.v1")
            }
            #expect(told)
        }
        try await expectTrueTimes(bench)
    }

    @Test func `a ledger that is silent is treated as one that is gone`() async throws {
        let bench = Bench()
        try await bench.while_(bench.control()) {
            try await bench.expose()
            bench.store.fallSilent()
            bench.metric.say(1)
            let rerouted = try await eventually(within: .seconds(90)) {
                bench.clock.advance(.seconds(1))
                return bench.weights.last == 0
            }
            #expect(rerouted)
            bench.clock.advance(.seconds(3))
            bench.store.comeBack()
            let told = try await eventually(within: .seconds(90)) {
                bench.clock.advance(.seconds(1))
                return try await bench.types().contains("rollout.aborted.v1")
            }
            #expect(told)
        }
        try await expectTrueTimes(bench)
        let numbers = try await bench.facts().compactMap { fact -> Int? in
            if case .measurementTaken(let taken) = fact { taken.number } else { nil }
        }
        #expect(numbers == Array(1...numbers.count))
    }

    @Test func `an outage without a canary in traffic needs no looking at by time`() async throws {
        let bench = Bench()
        try await bench.while_(bench.control()) {
            try await bench.apply(tag: "1")
            try await bench.until("in service") { isCompleted($0, times: 1) }
            bench.store.goDown()
            let hash = try #require(bench.workloads.sizes(of: bench.name).keys.first)
            bench.workloads.lose(1, in: hash, of: bench.name)
            let noticed = try await eventually {
                bench.messages.contains("ledger cannot be reached, the standing order holds")
            }
            #expect(noticed)
            bench.clock.advance(.seconds(100))
            let sleeps = bench.clock.sleeps
            let spins = try await eventually(within: .milliseconds(300)) { bench.clock.sleeps > sleeps + 20 }
            #expect(!spins)
        }
    }

    @Test func `an operator sees when the standing order begins, is carried out, and ends`() async throws {
        let bench = Bench()
        try await bench.while_(bench.control()) {
            try await bench.expose()
            bench.store.goDown()
            bench.metric.say(1)
            _ = try await eventually(within: .seconds(90)) {
                bench.clock.advance(.seconds(2))
                return bench.weights.last == 0
            }
            bench.clock.advance(.seconds(3))
            bench.store.comeBack()
            let ended = try await eventually(within: .seconds(90)) {
                bench.clock.advance(.seconds(1))
                return bench.messages.contains("ledger told what happened without it")
            }
            #expect(ended)
        }
        #expect(
            bench.messages.filter { $0.contains("standing order") || $0.hasPrefix("ledger") } == [
                "ledger cannot be reached, the standing order holds",
                "standing order: the canary's traffic is taken away", "standing order: the data plane obeys",
                "ledger told what happened without it",
            ])
    }
}

extension RolloutFact {
    fileprivate var isWeightApplied: Bool { if case .weightApplied = self { true } else { false } }
}
