import Delivery
import EventSourcing
import TestKit
import Testing

/// What a rollout makes of reports about the time when the ledger could not be reached.
@Suite struct StandingOrderTests {
    /// A canary with 5 % of the traffic, in its pause.
    private func exposed() throws -> Story {
        var story = try Story.settled(Plans.shop())
        try story.setImage("2")
        try story.obey()
        #expect(story.rollout.split?.canary == 5)
        return story
    }

    private func blindness(_ story: Story, generation: Int) -> RolloutOrder {
        .reportStandingOrder(
            StandingOrderExecuted(
                unreachableFrom: story.now, until: story.now + .seconds(90), because: .blindness,
                routedZeroAt: story.now + .seconds(61), generation: generation))
    }

    @Test
    func `weight 0 after blindness is decided under the generation that was routed, and applied when it was seen`()
        throws
    {
        var story = try exposed()
        let routed = story.rollout.generation + 1
        #expect(
            try story.when(blindness(story, generation: routed)) == [
                "pause-ended", "aborted", "weight-decided", "standing-order-executed",
            ])
        #expect(story.rollout.routing.decided == routed)
        #expect(story.rollout.message.contains("The ledger could not be reached for 90 seconds"))
        story.pass(.seconds(61))
        let split = try #require(story.rollout.split)
        let seen = RouteObservation(generation: routed, split: split, router: "nginx", detail: "seen")
        #expect(try story.when(.reportRouted(seen)).first == "weight-applied")
        #expect(story.spec.events.last?.at == story.now)
        let reasons = story.spec.events.compactMap { event in
            if case .weightDecided(let decided) = event.fact { decided.because } else { nil }
        }
        #expect(reasons.last == .standingOrder)
    }

    @Test func `what is decided after an order is newer than what the order routed`() throws {
        var story = try exposed()
        let routed = story.rollout.generation + 5
        try story.when(blindness(story, generation: routed))
        try story.when(.reportNewerRoute(generation: routed))
        #expect(story.rollout.routing.decided > routed)
        #expect(story.rollout.split?.canary == 0)
    }

    private func found(_ story: Story, canary: Int, generation: Int) throws -> RolloutOrder {
        var split = try #require(story.rollout.split)
        split.canary = canary
        let seen = RouteObservation(generation: generation, split: split, router: "nginx", detail: "seen")
        return .reportFoundRoute(seen, lastHeardOf: story.now - .seconds(30))
    }

    @Test func `weight 0 that the log was not told of ends the release, and is not undone`() throws {
        var story = try exposed()
        let routed = story.rollout.generation + 1
        #expect(
            try story.when(found(story, canary: 0, generation: routed)) == [
                "pause-ended", "aborted", "weight-decided", "standing-order-executed",
            ])
        #expect(story.rollout.routing.decided == routed)
        #expect(story.rollout.split?.canary == 0)
        #expect(story.rollout.message.contains("nginx was found with canary weight 0"))
        try story.obey()
        #expect(try story.when(found(story, canary: 0, generation: routed)) == [])
    }

    @Test func `a found route that the log knows, or that is older, changes nothing`() throws {
        var story = try exposed()
        let decided = story.rollout.routing.decided
        #expect(try story.when(found(story, canary: 5, generation: decided)) == [])
        #expect(try story.when(found(story, canary: 0, generation: decided)) == [])
        #expect(try story.when(found(story, canary: 0, generation: decided - 1)) == [])
    }

    @Test func `any other split ahead of the log is drift, above which the log decides anew`() throws {
        var story = try exposed()
        let routed = story.rollout.generation + 3
        #expect(try story.when(found(story, canary: 50, generation: routed)) == ["weight-decided"])
        #expect(story.rollout.routing.decided > routed)
        #expect(story.rollout.split?.canary == 5)
    }

    @Test func `another split under the latest generation is not taken for the decided one`() throws {
        var story = try exposed()
        story.pass(.seconds(120))
        try story.when(.wake)
        try story.when(.reportScaled(generation: story.rollout.scaling.decided))
        let hash = story.release.podTemplateHash
        if let set = story.rollout.set(hash), set.available < set.wanted {
            try story.when(
                .observePods(
                    PodsSeen(
                        podTemplateHash: hash, desired: set.wanted, current: set.wanted, ready: set.wanted,
                        available: set.wanted)))
        }
        let wanted = try #require(story.rollout.split)
        #expect(wanted.canary == 25)
        let generation = story.rollout.routing.decided
        var other = wanted
        other.canary = 0
        let seen = RouteObservation(generation: generation, split: other, router: "nginx", detail: "seen")
        #expect(try story.when(.reportRouted(seen)) == ["weight-decided"])
        #expect(story.rollout.split == wanted)
        #expect(story.rollout.routing.decided == generation + 1)
        // A router says so by refusing the intent as out of date.
        let again = story.rollout.routing.decided
        #expect(try story.when(.reportNewerRoute(generation: again)) == ["weight-decided"])
        #expect(story.rollout.routing.decided == again + 1)
        try story.obey()
        #expect(try story.when(.reportNewerRoute(generation: story.rollout.routing.decided)) == [])
    }
}
