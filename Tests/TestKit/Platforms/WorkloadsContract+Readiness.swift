internal import Delivery
internal import EventSourcing

/// What is seen of pods that are not as they should be.
extension WorkloadsContract {
    static var readiness: [WorkloadsContract] {
        [
            WorkloadsContract("pods whose probe never passes are there, and never ready") { stage in
                try await stage.watched { pods in
                    try await stage.workloads.scale(stage.intent(1, ["bbb": 2], .neverReady))
                    try await stage.workloads.scale(stage.intent(2, ["aaa": 1]))
                    try await pods.comes("aaa") { $0.isWhole(1) }
                    try await pods.comes("bbb") { $0.desired == 2 && $0.current == 2 }
                    try Demand.that(
                        pods.all("bbb").allSatisfy { $0.ready == 0 && $0.available == 0 }, "a pod became ready")
                    try await stage.workloads.scale(stage.intent(3, ["bbb": 0], .neverReady))
                    try await pods.comes("bbb") { $0.isWhole(0) }
                }
            },
            WorkloadsContract("a ready pod that ends is seen to be missing, and another run of it to come") { stage in
                try await stage.watched { pods in
                    try await stage.workloads.scale(stage.intent(1, ["aaa": 2]))
                    try await pods.comes("aaa") { $0.isWhole(2) }
                    let before = pods.all("aaa").count
                    try await stage.crash(in: "aaa", of: SamplePods.rollout)
                    try await Demand.comes("the loss is observed") {
                        pods.all("aaa").dropFirst(before).contains { $0.ready < 2 && $0.desired == 2 }
                    }
                    try await pods.comes("aaa") { $0.isWhole(2) }
                }
            },
            WorkloadsContract("a pod counts as available once it was ready for minReadySeconds, and not before") {
                stage in
                try await stage.watched { pods in
                    try await stage.workloads.scale(stage.intent(1, ["aaa": 1], minReadySeconds: 1))
                    try await pods.comes("aaa") { $0.isWhole(1) }
                    let seen = pods.all("aaa")
                    let ready = seen.first { $0.ready == 1 }
                    let available = seen.first { $0.available == 1 }
                    try Demand.same(ready?.available, 0)
                    guard let ready, let available else { throw ContractBreach("not observed") }
                    try Demand.that(
                        available.at.since(ready.at) >= .milliseconds(900),
                        "available too early: \(ready), \(available)")
                }
            },
            WorkloadsContract("whoever stops watching ends his observations, and nobody else's") { stage in
                try await stage.watched { pods in
                    try await stage.watched { _ in try await stage.workloads.scale(stage.intent(1, ["aaa": 1])) }
                    try await pods.comes("aaa") { $0.isWhole(1) }
                }
            },
        ]
    }
}
