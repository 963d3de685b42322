import Control
import Delivery
import EventSourcing
import TestKit
import Testing

/// Several controllers on one log: each rollout has one of them at a time, and loses nothing when that changes.
@Suite(.timeLimit(.minutes(5))) struct SeveralInstancesTests {
    private func instances(_ names: [String], in fleet: Fleet) async throws -> [Fleet.Instance] {
        var made: [Fleet.Instance] = []
        for name in names {
            made.append(Fleet.Instance(name, in: fleet))
            let all = made
            try await fleet.until("shares", all) {
                let share = (Shards.count + all.count - 1) / all.count
                return all.allSatisfy { $0.held <= share } && all.reduce(0) { $0 + $1.held } == Shards.count
            }
        }
        return made
    }

    private func inService(_ fleet: Fleet, _ count: Int, _ instances: [Fleet.Instance], times: Int) async throws {
        try await fleet.until("in service", instances) {
            for index in 0..<count where try await fleet.completions(index) < times { return false }
            return true
        }
    }

    @Test func `a report is judged by what others have written, also where the state as it was asks for nothing`()
        async throws
    {
        let fleet = Fleet()
        let name = fleet.name(0)
        let mint = Minter(clock: fleet.clock).mint
        let mine = CommandHandler<RolloutDecider>(store: fleet.log, mint: mint)
        try await fleet.apply(0, tag: "1")
        let context = CommandContext(id: mint(), at: fleet.clock.now(), actor: .controller("a"))
        let first = try await mine.handle(
            RolloutCommand(at: fleet.clock.now(), .reportScaled(generation: 1)), on: name.stream, context: context)
        #expect(first.events.count == 1)
        // By a handler of its own, as another instance does it.
        try await fleet.apply(0, tag: "2")
        let second = try await mine.handle(
            RolloutCommand(at: fleet.clock.now(), .reportScaled(generation: 2)), on: name.stream, context: context)
        #expect(second.events.map(\.type) == ["rollout.scale-applied.v1"])
    }

    @Test func `three instances share the rollouts, and every release goes through`() async throws {
        let fleet = Fleet()
        for index in 0..<12 { try await fleet.apply(index, tag: "1") }
        let three = try await instances(["a", "b", "c"], in: fleet)
        try await inService(fleet, 12, three, times: 1)
        for index in 0..<12 { try await fleet.apply(index, tag: "2") }
        try await inService(fleet, 12, three, times: 2)
        try await fleet.expectOnce(12)
        var actors: Set<String> = []
        for index in 0..<12 { actors.formUnion(try await fleet.events(index).map(\.event.actor.subject)) }
        #expect(actors.isSuperset(of: ["rollbook/a", "rollbook/b", "rollbook/c"]))
        #expect(three.count { $0.isCertain("single") } == 1)
        for instance in three { try await instance.shutDown() }
    }

    @Test func `once shared, nothing moves as long as nobody comes or goes`() async throws {
        let fleet = Fleet()
        let two = try await instances(["a", "b"], in: fleet)
        let before = try await fleet.leases.list(under: "controller/").map(\.fence)
        for _ in 0..<10 { try await fleet.tick(two) }
        #expect(try await fleet.leases.list(under: "controller/").map(\.fence) == before)
        #expect(two.map(\.held) == [32, 32])
        for instance in two { try await instance.shutDown() }
    }

    @Test func `the rollouts of one that dies go on with another within its lease and a turn`() async throws {
        let fleet = Fleet()
        try await fleet.apply(0, tag: "1")
        let a = Fleet.Instance("a", in: fleet)
        try await inService(fleet, 1, [a], times: 1)
        try await fleet.apply(0, tag: "2")
        try await fleet.until("50 applied", [a]) { fleet.weights.contains(50) }
        await a.die()
        let died = fleet.clock.now()
        let b = Fleet.Instance("b", in: fleet)
        try await fleet.until("taken over", [b]) { b.held == Shards.count }
        #expect(fleet.clock.now().since(died) <= .seconds(5))
        try await inService(fleet, 1, [b], times: 2)
        try await fleet.expectOnce()
        #expect(try await fleet.events().last?.event.actor.subject == "rollbook/b")
        try await b.shutDown()
    }

    @Test func `one that shuts down gives its leases back, and another has them at its next turn`() async throws {
        let fleet = Fleet()
        let two = try await instances(["a", "b"], in: fleet)
        try await two[0].shutDown()
        #expect(try await fleet.leases.list(under: "").allSatisfy { $0.holder == "b" || !$0.isHeld })
        try await fleet.tick([two[1]])
        let taken = try await eventually { two[1].held == Shards.count && two[1].isCertain("single") }
        #expect(taken)
        try await two[1].shutDown()
    }

    @Test func `one that is stopped and wakes late changes neither the log nor the data plane`() async throws {
        let fleet = Fleet()
        try await fleet.apply(0, tag: "1")
        let a = Fleet.Instance("a", in: fleet)
        try await inService(fleet, 1, [a], times: 1)
        a.router.stop()
        try await fleet.apply(0, tag: "2")
        try await fleet.until("a call under way", [a]) { !a.router.waiting.isEmpty }
        // Something that it is about to tell the log, too.
        a.store.fallSilent()
        try fleet.lose(1, of: 0)
        let isTelling = try await eventually { a.store.waiting > 0 }
        #expect(isTelling)
        a.leases.goDown()
        let b = Fleet.Instance("b", in: fleet)
        try await fleet.until("taken over", [b]) { b.held == Shards.count }
        try await inService(fleet, 1, [b], times: 2)
        let head = try await fleet.log.head()
        let weights = fleet.weights
        let refused = fleet.router.fenced
        a.router.goOn()
        a.store.comeBack()
        let isRefused = try await eventually { fleet.router.fenced > refused && a.store.fenced > 0 }
        #expect(isRefused, "\(fleet.router.fenced - refused) routes and \(a.store.fenced) appends")
        a.leases.comeBack()
        try await fleet.until("it knows", [a, b]) { a.held == 0 || a.held <= 32 && b.held <= 32 }
        let byA = try await fleet.events().filter { $0.position > head && $0.event.actor.subject == "rollbook/a" }
        #expect(byA.isEmpty, "\(byA.map(\.event.type))")
        #expect(fleet.weights.prefix(weights.count) == weights[...])
        #expect(Set(fleet.weights.dropFirst(weights.count)).isSubset(of: [0]))
        try await fleet.expectOnce()
        try await a.shutDown()
        try await b.shutDown()
    }

    @Test func `after a restore the platform's epochs are exceeded by the next claim`() async throws {
        let fleet = Fleet()
        let name = fleet.name(0)
        try await fleet.apply(0, tag: "1")
        // The platform has been steered under many a lease of which the ledger, put back to an earlier time, knows nothing.
        var route = RouteIntent(
            rollout: name, generation: 0, split: TrafficSplit(canary: 0, stableHash: "old", canaryHash: "old"),
            routing: fleet.router.routing(of: name))
        route.epoch = 40
        _ = try await fleet.router.route(route)
        var scale = ScaleIntent(rollout: name, generation: 0, sets: [])
        scale.epoch = 50
        try await fleet.workloads.scale(scale)
        let a = Fleet.Instance("a", in: fleet)
        try await inService(fleet, 1, [a], times: 1)
        let lease = a.holder.shards.names[a.holder.shards.shard(of: name)]
        let epoch = try #require(try await fleet.leases.list(under: lease).first).epoch
        #expect((51...53).contains(epoch), "one refusal for the pods, and at most one for the route before it")
        #expect(fleet.router.fenced <= 1)
        #expect(fleet.routes(of: 0).dropFirst().allSatisfy { $0.epoch > 40 })
        try await a.shutDown()
    }

    @Test func `one that is cut off from the ledger cannot take away what its successor has given`() async throws {
        let fleet = Fleet()
        try await fleet.apply(0, tag: "1")
        let a = Fleet.Instance("a", in: fleet)
        try await inService(fleet, 1, [a], times: 1)
        try await fleet.apply(0, tag: "2")
        try await fleet.until("50 applied", [a]) { fleet.weights.contains(50) }
        a.store.goDown()
        a.leases.goDown()
        // What the one sees alone is a failing canary, and its standing order is slow to come to the data plane.
        a.router.stop()
        a.metric.say(1)
        try await fleet.until("its order is under way", []) { a.router.waiting.contains { $0.split.canary == 0 } }
        // A busy machine may have kept it from a turn before, and it has come back to its leases since.
        let epoch = try #require(a.router.waiting.map(\.epoch).max())
        let b = Fleet.Instance("b", in: fleet)
        try await fleet.until("taken over", [b]) { b.held == Shards.count }
        let shown = try await eventually { fleet.routes(of: 0).last?.epoch ?? 0 > epoch }
        #expect(shown)
        a.router.goOn()
        let isRefused = try await eventually { fleet.router.fenced > 0 }
        #expect(isRefused)
        try await inService(fleet, 1, [b], times: 2)
        #expect(fleet.routes(of: 0).last?.epoch ?? 0 > epoch)
        #expect(try await !fleet.facts().contains { if case .aborted = $0 { true } else { false } })
        try await fleet.expectOnce()
        await a.die()
        try await b.shutDown()
    }

    @Test func `the standing order holds past the lease while the ledger is away for everybody`() async throws {
        let fleet = Fleet()
        try await fleet.apply(0, tag: "1")
        let two = try await instances(["a", "b"], in: fleet)
        try await inService(fleet, 1, two, times: 1)
        try await fleet.apply(0, tag: "2")
        try await fleet.until("50 applied", two) { fleet.weights.last == 50 }
        for instance in two {
            instance.store.goDown()
            instance.leases.goDown()
            instance.metric.say(1)
        }
        let down = fleet.clock.now()
        // Long past every lease, and no renewal to wait for.
        for _ in 0..<120 {
            if try await settles(rounds: 5, { fleet.weights.last == 0 }) { break }
            fleet.clock.advance(.seconds(1))
        }
        #expect(fleet.weights.last == 0)
        #expect(fleet.clock.now().since(down) > .seconds(3))
        for instance in two {
            instance.store.comeBack()
            instance.leases.comeBack()
        }
        try await fleet.until("told", two) {
            try await fleet.facts().contains { if case .standingOrderExecuted = $0 { true } else { false } }
        }
        try await fleet.until("weight 0 told", two) {
            let applied = try await fleet.facts().compactMap { fact -> Int? in
                if case .weightApplied(let seen) = fact { seen.canary } else { nil }
            }
            return applied.last == 0
        }
        #expect(fleet.weights.last == 0)
        try await fleet.expectOnce()
        for instance in two { try await instance.shutDown() }
    }
}
