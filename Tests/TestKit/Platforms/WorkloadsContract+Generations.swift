internal import Delivery

/// Who may change the sizes, and who comes too late (design.md §5, invariants 7 and 8).
extension WorkloadsContract {
    static var generations: [WorkloadsContract] {
        [
            WorkloadsContract("an intent older than what is in force is refused as stale and changes nothing") {
                stage in
                try await stage.watched { pods in
                    try await stage.workloads.scale(stage.intent(5, ["aaa": 1]))
                    try await pods.comes("aaa") { $0.isWhole(1) }
                    let before = pods.all("aaa").count
                    for sizes in [["aaa": 0], ["aaa": 3], ["bbb": 1]] {
                        let refusal = try await stage.refuses(stage.intent(4, sizes), .staleGeneration)
                        try Demand.same(refusal.generation, 5)
                        try Demand.that(!refusal.canRetry, "a stale intent must not be tried again")
                    }
                    try await stage.workloads.scale(stage.intent(6, ["ccc": 1]))
                    try await pods.comes("ccc") { $0.isWhole(1) }
                    let since = pods.all("aaa").dropFirst(before)
                    try Demand.that(since.allSatisfy { $0.isWhole(1) }, "set aaa was touched: \(since)")
                    try Demand.that(pods.all("bbb").isEmpty, "set bbb was made")
                }
            },
            WorkloadsContract("the same intent again succeeds and changes nothing, also with pods still on their way") {
                stage in
                try await stage.watched { pods in
                    for _ in 0..<4 { try await stage.workloads.scale(stage.intent(1, ["aaa": 2])) }
                    try await pods.comes("aaa") { $0.isWhole(2) }
                    for _ in 0..<4 { try await stage.workloads.scale(stage.intent(1, ["aaa": 2])) }
                    try await stage.workloads.scale(stage.intent(2, ["bbb": 1]))
                    try await pods.comes("bbb") { $0.isWhole(1) }
                    try Demand.that(pods.all("aaa").allSatisfy { $0.current <= 2 }, "pods beyond the wanted size")
                    try Demand.same(pods.all("aaa").last?.isWhole(2), true)
                }
            },
            WorkloadsContract("a newer intent takes over from one whose pods are not ready yet") { stage in
                try await stage.watched { pods in
                    try await stage.workloads.scale(stage.intent(1, ["aaa": 2], .neverReady))
                    try await stage.workloads.scale(stage.intent(2, ["aaa": 0], .neverReady))
                    try await pods.comes("aaa") { $0.isWhole(0) }
                    try await stage.workloads.scale(stage.intent(3, ["aaa": 3]))
                    try await stage.workloads.scale(stage.intent(4, ["aaa": 1]))
                    try await pods.comes("aaa") { $0.isWhole(1) }
                }
            },
            WorkloadsContract(
                "an intent cancelled in flight is carried out whole or not at all, and the next one stands"
            ) {
                stage in
                try await stage.watched { pods in
                    for round in 0..<5 {
                        let intent = stage.intent(round * 2 + 1, ["aaa": 2, "bbb": 1])
                        // Awaited below.
                        let task = Task { try await stage.workloads.scale(intent) }
                        task.cancel()
                        do { try await task.value } catch let failure as PlatformFailure {
                            try Demand.same(failure.code, .cancelled)
                        }
                        try await stage.workloads.scale(stage.intent(round * 2 + 2, ["aaa": 1, "bbb": 0]))
                        try await pods.comes("aaa") { $0.isWhole(1) }
                        try await pods.comes("bbb") { $0.isWhole(0) }
                    }
                }
            },
            WorkloadsContract("a template that cannot be run is rejected, and the intent changes nothing") { stage in
                try await stage.watched { pods in
                    try await stage.workloads.scale(stage.intent(1, ["aaa": 1]))
                    try await pods.comes("aaa") { $0.isWhole(1) }
                    let refusal = try await stage.refuses(stage.intent(3, ["bbb": 1], .unusable), .rejected)
                    try Demand.that(!refusal.detail.isEmpty && !refusal.canRetry, "a rejection says why: \(refusal)")
                    try await stage.workloads.scale(stage.intent(2, ["aaa": 2]))
                    try await pods.comes("aaa") { $0.isWhole(2) }
                    try Demand.that(pods.all("bbb").isEmpty, "set bbb was made")
                }
            },
            WorkloadsContract("an instance that comes later finds pods, sizes and generations, and goes on with them") {
                stage in
                try await stage.watched { pods in
                    try await stage.workloads.scale(stage.intent(4, ["aaa": 2]))
                    try await pods.comes("aaa") { $0.isWhole(2) }
                }
                let later = try await stage.again()
                try await stage.watched(later) { pods in
                    try await pods.comes("aaa") { $0.isWhole(2) }
                    let refusal = try await stage.refuses(stage.intent(3, ["aaa": 0]), .staleGeneration, by: later)
                    try Demand.same(refusal.generation, 4)
                    try await later.scale(stage.intent(4, ["aaa": 2]))
                    try await later.scale(stage.intent(5, ["aaa": 1]))
                    try await pods.comes("aaa") { $0.isWhole(1) }
                }
            },
        ]
    }

    static var epochs: [WorkloadsContract] {
        [
            WorkloadsContract("a newer epoch is obeyed at any generation, and the one before it at none") { stage in
                try await stage.watched { pods in
                    try await stage.workloads.scale(stage.intent(5, ["aaa": 1], epoch: 1))
                    try await pods.comes("aaa") { $0.isWhole(1) }
                    try await stage.workloads.scale(stage.intent(3, ["aaa": 2], epoch: 2))
                    try await pods.comes("aaa") { $0.isWhole(2) }
                    for (generation, epoch) in [(3, 1), (6, 1), (9, 0)] as [(Int, Int64)] {
                        let late = stage.intent(generation, ["aaa": 0, "bbb": 1], epoch: epoch)
                        let refusal = try await stage.refuses(late, .fenced)
                        try Demand.that(!refusal.canRetry, "a fenced intent must not be tried again")
                        try Demand.same(refusal.epoch, 2)
                    }
                    _ = try await stage.refuses(stage.intent(2, ["aaa": 0], epoch: 2), .staleGeneration)
                    try await stage.workloads.scale(stage.intent(1, ["ccc": 1], epoch: 3))
                    try await pods.comes("ccc") { $0.isWhole(1) }
                    try Demand.same(pods.all("aaa").last?.isWhole(2), true)
                    try Demand.that(pods.all("bbb").isEmpty, "set bbb was made")
                    try await stage.workloads.scale(stage.intent(1, ["bbb": 1], for: SamplePods.other, epoch: 1))
                    try await pods.comes("bbb", of: SamplePods.other) { $0.isWhole(1) }
                }
            },
            WorkloadsContract("an instance that comes later fences off whom the one before it did") { stage in
                try await stage.watched { pods in
                    try await stage.workloads.scale(stage.intent(4, ["aaa": 1], epoch: 2))
                    try await pods.comes("aaa") { $0.isWhole(1) }
                }
                let later = try await stage.again()
                try await stage.watched(later) { pods in
                    try await pods.comes("aaa") { $0.isWhole(1) }
                    _ = try await stage.refuses(stage.intent(9, ["aaa": 0], epoch: 1), .fenced, by: later)
                    try await later.scale(stage.intent(4, ["aaa": 1], epoch: 3))
                    try await later.scale(stage.intent(5, ["aaa": 2], epoch: 3))
                    try await pods.comes("aaa") { $0.isWhole(2) }
                }
            },
        ]
    }
}
