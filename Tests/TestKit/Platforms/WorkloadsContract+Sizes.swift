internal import Delivery

/// Sets grow, shrink and go.
extension WorkloadsContract {
    static var sizes: [WorkloadsContract] {
        [
            WorkloadsContract("a set grows to its size and is observed to be ready, then available") { stage in
                try await stage.watched { pods in
                    try await stage.workloads.scale(stage.intent(1, ["aaa": 2]))
                    try await pods.comes("aaa") { $0.isWhole(2) }
                    for seen in pods.all("aaa") {
                        try Demand.that(
                            seen.available <= seen.ready && seen.ready <= seen.current,
                            "available ≤ ready ≤ current: \(seen)")
                        try Demand.same(seen.desired, 2)
                    }
                }
            },
            WorkloadsContract("observations begin with what is, for whoever comes whenever") { stage in
                try await stage.watched { first in
                    try await stage.workloads.scale(stage.intent(1, ["aaa": 1]))
                    try await first.comes("aaa") { $0.isWhole(1) }
                    try await stage.watched { second in
                        try await second.comes("aaa") { $0.isWhole(1) }
                        try await stage.workloads.scale(stage.intent(2, ["aaa": 0]))
                        try await first.comes("aaa") { $0.isWhole(0) }
                        try await second.comes("aaa") { $0.isWhole(0) }
                    }
                }
            },
            WorkloadsContract("a set scaled to 0 is observed until no pod of it is left") { stage in
                try await stage.watched { pods in
                    try await stage.workloads.scale(stage.intent(1, ["aaa": 2]))
                    try await pods.comes("aaa") { $0.isWhole(2) }
                    try await stage.workloads.scale(stage.intent(2, ["aaa": 0]))
                    try await pods.comes("aaa") { $0.isWhole(0) }
                    try await stage.workloads.scale(stage.intent(3, ["aaa": 1]))
                    try await pods.comes("aaa") { $0.isWhole(1) }
                }
            },
            WorkloadsContract("a set that shrinks keeps as many ready pods as it is to have") { stage in
                try await stage.watched { pods in
                    try await stage.workloads.scale(stage.intent(1, ["aaa": 3]))
                    try await pods.comes("aaa") { $0.isWhole(3) }
                    let before = pods.all("aaa").count
                    try await stage.workloads.scale(stage.intent(2, ["aaa": 1]))
                    try await pods.comes("aaa") { $0.isWhole(1) }
                    for seen in pods.all("aaa").dropFirst(before) {
                        try Demand.that(seen.ready >= 1, "no pod was ready in between: \(seen)")
                    }
                }
            },
            WorkloadsContract("a set that an intent does not name is left alone") { stage in
                try await stage.watched { pods in
                    try await stage.workloads.scale(stage.intent(1, ["aaa": 2]))
                    try await pods.comes("aaa") { $0.isWhole(2) }
                    try await stage.workloads.scale(stage.intent(2, ["bbb": 1]))
                    try await pods.comes("bbb") { $0.isWhole(1) }
                    try await stage.workloads.scale(stage.intent(3, ["bbb": 0]))
                    try await pods.comes("bbb") { $0.isWhole(0) }
                    let whole = pods.all("aaa").drop { !$0.isWhole(2) }
                    try Demand.that(whole.allSatisfy { $0.isWhole(2) }, "set aaa was touched: \(whole)")
                }
            },
            WorkloadsContract("each rollout has sets and generations of its own, and nothing is seen of unknown ones") {
                stage in
                try await stage.watched { pods in
                    try await stage.workloads.scale(stage.intent(9, ["aaa": 1]))
                    try await pods.comes("aaa") { $0.isWhole(1) }
                    try Demand.that(pods.all("aaa", of: SamplePods.other).isEmpty, "an unknown rollout was observed")
                    try await stage.workloads.scale(stage.intent(1, ["aaa": 2], for: SamplePods.other))
                    try await pods.comes("aaa", of: SamplePods.other) { $0.isWhole(2) }
                    try await stage.workloads.scale(stage.intent(2, ["aaa": 0], for: SamplePods.other))
                    try await pods.comes("aaa", of: SamplePods.other) { $0.isWhole(0) }
                    try Demand.same(pods.all("aaa").last?.isWhole(1), true)
                }
            },
        ]
    }
}
