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

    static var epochs: [TrafficRouterContract] {
        [
            TrafficRouterContract("a newer epoch is obeyed at any generation, and the one before it at none") { stage in
                try await stage.carryOut(SampleTraffic.intent(5, 50, epoch: 1, on: stage))
                let taken = SampleTraffic.intent(3, 0, epoch: 2, on: stage)
                try await stage.carryOut(taken)
                for (generation, epoch) in [(3, 1), (6, 1), (9, 0)] as [(Int, Int64)] {
                    try await stage.fences(SampleTraffic.intent(generation, 50, epoch: epoch, on: stage))
                }
                try await stage.stands(taken)
                try Demand.same(try await stage.request(to: SampleTraffic.rollout), SampleTraffic.stable)
                try await stage.refuses(SampleTraffic.intent(2, 50, epoch: 2, on: stage), for: 3)
                try await stage.carryOut(SampleTraffic.intent(4, 50, epoch: 2, on: stage))
            },
            TrafficRouterContract("the intent in force, under a newer epoch, fences its earlier sender off") { stage in
                try await stage.carryOut(SampleTraffic.intent(5, 50, epoch: 1, on: stage))
                let taken = SampleTraffic.intent(5, 50, epoch: 2, on: stage)
                try await stage.carryOut(taken)
                try await stage.carryOut(taken)
                try await stage.fences(SampleTraffic.intent(5, 50, epoch: 1, on: stage))
                try await stage.fences(SampleTraffic.intent(6, 0, epoch: 1, on: stage))
                try await stage.stands(taken)
            },
            TrafficRouterContract("each rollout has an epoch of its own") { stage in
                try await stage.carryOut(SampleTraffic.intent(1, 0, epoch: 9, on: stage))
                let other = SampleTraffic.intent(1, 50, epoch: 1, for: SampleTraffic.other, on: stage)
                try await stage.carryOut(other)
                try await stage.stands(other)
            },
            TrafficRouterContract("an instance that comes later fences off whom the one before it did") { stage in
                let before = SampleTraffic.intent(8, 0, epoch: 3, on: stage)
                try await stage.carryOut(before)
                let later = try await stage.again()
                try await stage.fences(SampleTraffic.intent(9, 50, epoch: 2, on: stage), by: later)
                try await stage.fences(SampleTraffic.intent(9, 50, on: stage), by: later)
                try await stage.stands(before)
                try Demand.same(try await later.route(before).split, before.split)
            },
            TrafficRouterContract("one whose epoch ends while it waits is told so, and not that it is obeyed") {
                stage in
                try await stage.carryOut(SampleTraffic.intent(1, 50, epoch: 1, on: stage))
                let held = try await stage.hold(at: SampleTraffic.canary, of: SampleTraffic.rollout)
                let late = Attempt(SampleTraffic.intent(2, 20, epoch: 1, on: stage), on: stage)
                try await Demand.comes("the late intent is under way") {
                    try await stage.router.observe(SampleTraffic.rollout)?.generation == 2
                }
                let newer = SampleTraffic.intent(1, 0, epoch: 2, on: stage)
                let taken = Attempt(newer, on: stage)
                try await Demand.comes("the successor's intent is in force") {
                    try await stage.router.observe(SampleTraffic.rollout)?.generation == 1
                }
                await held.letGo()
                try Demand.same(try await taken.value().split, newer.split)
                do {
                    let seen = try await late.value()
                    throw ContractBreach("fenced off, but answered \(seen)")
                } catch let failure as PlatformFailure {
                    try Demand.same(failure.code, .fenced)
                }
            },
        ]
    }
}
