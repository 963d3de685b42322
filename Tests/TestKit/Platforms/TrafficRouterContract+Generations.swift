internal import Delivery

/// Who may change the data plane, and who comes too late (design.md §5, invariants 7 and 8).
extension TrafficRouterContract {
    static var generations: [TrafficRouterContract] {
        [
            TrafficRouterContract("nothing is observed of a rollout that was never routed") { stage in
                try Demand.same(try await stage.router.observe(SampleTraffic.rollout), nil)
                try await stage.carryOut(SampleTraffic.intent(1, 5, on: stage))
                try Demand.same(try await stage.router.observe(SampleTraffic.other), nil)
            },
            TrafficRouterContract("what was routed is observed, by generation, split and router's name") { stage in
                for (generation, weight) in [(1, 0), (2, 25), (3, 100), (7, 50)] {
                    let intent = SampleTraffic.intent(generation, weight, on: stage)
                    let seen = try await stage.carryOut(intent)
                    try Demand.that(!seen.router.isEmpty && !seen.detail.isEmpty, "an observation names its source")
                    try await stage.stands(intent)
                }
            },
            TrafficRouterContract("a whole other than 100 is kept") { stage in
                let intent = SampleTraffic.intent(1, 333, of: 1000, on: stage)
                try await stage.carryOut(intent)
                try await stage.stands(intent)
            },
            TrafficRouterContract("an intent older than what is in force is refused as stale and changes nothing") {
                stage in
                let newer = SampleTraffic.intent(5, 0, on: stage)
                try await stage.carryOut(newer)
                for generation in [1, 4] {
                    try await stage.refuses(SampleTraffic.intent(generation, 50, on: stage), for: 5)
                }
                try await stage.stands(newer)
                try Demand.same(try await stage.request(to: SampleTraffic.rollout), SampleTraffic.stable)
            },
            TrafficRouterContract("the same intent again succeeds and changes nothing") { stage in
                let intent = SampleTraffic.intent(3, 25, on: stage)
                try await stage.carryOut(intent)
                for _ in 0..<3 { try await stage.carryOut(intent) }
                try await stage.stands(intent)
                try await stage.carryOut(SampleTraffic.intent(4, 30, on: stage))
            },
            TrafficRouterContract("another split under the generation in force is refused as stale and changes nothing")
            {
                stage in
                let first = SampleTraffic.intent(3, 0, on: stage)
                try await stage.carryOut(first)
                try await stage.refuses(SampleTraffic.intent(3, 50, on: stage), for: 3)
                try await stage.stands(first)
            },
            TrafficRouterContract("a weight that somebody else changed is seen, and a newer intent brings ours back") {
                stage in
                try await stage.carryOut(SampleTraffic.intent(3, 0, on: stage))
                try await stage.meddle(SampleTraffic.rollout, canary: 40, generation: 6)
                let seen = try await stage.router.observe(SampleTraffic.rollout)
                try Demand.same(seen?.split.canary, 40)
                try Demand.same(seen?.generation, 6)
                try await stage.refuses(SampleTraffic.intent(5, 0, on: stage), for: 6)
                let ours = SampleTraffic.intent(7, 0, on: stage)
                try await stage.carryOut(ours)
                try await stage.stands(ours)
            },
            TrafficRouterContract("each rollout has weights and generations of its own") { stage in
                let one = SampleTraffic.intent(9, 100, on: stage)
                let two = SampleTraffic.intent(1, 0, for: SampleTraffic.other, on: stage)
                try await stage.carryOut(one)
                try await stage.carryOut(two)
                try await stage.stands(one)
                try await stage.stands(two)
                try Demand.same(try await stage.request(to: SampleTraffic.rollout), SampleTraffic.canary)
                try Demand.same(try await stage.request(to: SampleTraffic.other), SampleTraffic.stable)
            },
            TrafficRouterContract("of intents that come at once, in any order, the newest stands") { stage in
                let intents = (1...12).shuffled().map { SampleTraffic.intent($0, $0 * 5, on: stage) }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for intent in intents {
                        group.addTask {
                            do { try await stage.carryOut(intent) } catch let failure as PlatformFailure {
                                try Demand.same(failure.code, .staleGeneration)
                                try Demand.that((failure.generation ?? 0) > intent.generation, "stale by a newer one")
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                try await stage.stands(SampleTraffic.intent(12, 60, on: stage))
            },
            TrafficRouterContract("an instance that comes later finds what stands, and is as strict about it") {
                stage in
                let before = SampleTraffic.intent(8, 25, on: stage)
                try await stage.carryOut(before)
                let later = try await stage.again()
                try Demand.same(try await later.observe(SampleTraffic.rollout)?.split, before.split)
                do {
                    _ = try await later.route(SampleTraffic.intent(7, 100, on: stage))
                    throw ContractBreach("an older intent was accepted by a later instance")
                } catch let failure as PlatformFailure {
                    try Demand.same(failure.code, .staleGeneration)
                    try Demand.same(failure.generation, 8)
                }
                try Demand.same(try await later.route(before).split, before.split)
                try await stage.stands(before)
            },
        ]
    }
}
