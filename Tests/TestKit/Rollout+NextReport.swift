public import Delivery

extension Rollout {
    /// What a world that does as it is told reports next: sizes accepted, splits applied, pods become available; `nil` once
    /// nothing is outstanding.
    public var nextReport: RolloutOrder? {
        if scaling.isOutstanding { return .reportScaled(generation: scaling.decided) }
        if routing.isOutstanding, let split {
            return .reportRouted(
                RouteObservation(generation: routing.decided, split: split, router: "nginx", detail: "seen"))
        }
        guard let set = sets.first(where: { $0.available != $0.wanted || $0.current != $0.wanted }) else { return nil }
        return .observePods(
            PodsSeen(
                podTemplateHash: set.podTemplateHash, desired: set.wanted, current: set.wanted, ready: set.wanted,
                available: set.wanted))
    }
}
