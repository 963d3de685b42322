import EventSourcing

/// What the shell reports of the world outside.
extension RolloutDecision {
    /// Records a change of readiness; what is known already changes nothing.
    mutating func observe(_ seen: PodsSeen, in rollout: Rollout) {
        guard let set = rollout.set(seen.podTemplateHash),
            (set.current, set.ready, set.available) != (seen.current, seen.ready, seen.available)
        else { return }
        record(
            .podsObserved(
                PodsObserved(
                    podTemplateHash: seen.podTemplateHash, role: rollout.role(of: seen.podTemplateHash),
                    desired: seen.desired, current: seen.current, ready: seen.ready, available: seen.available)))
    }

    /// Records that the data plane obeys the latest split; a report of an older one changes nothing.
    ///
    /// Another split under the latest generation is drift: two who could not see each other gave it out twice.
    mutating func observe(_ seen: RouteObservation, in rollout: Rollout) {
        guard rollout.routing.isOutstanding, seen.generation == rollout.routing.decided else { return }
        guard seen.split == rollout.split else { return overtake(seen.generation, in: rollout) }
        let took = at.since(rollout.routing.decidedAt ?? at)
        record(
            .weightApplied(
                WeightApplied(
                    canary: seen.split.canary, stable: seen.split.stable, max: seen.split.max,
                    generation: seen.generation, router: seen.router, observed: seen.detail, took: took.iso8601)))
    }

    /// Decides the present split anew, above a generation that the log does not know, or knows with another split.
    ///
    /// A data plane is ahead of the log when a standing order was carried out by an instance that did not live to say so.
    mutating func overtake(_ generation: Int, in rollout: Rollout) {
        guard let split = rollout.split else { return }
        let decided = rollout.routing.decided
        guard generation > decided || (generation == decided && rollout.routing.isOutstanding) else { return }
        record(
            .weightDecided(
                WeightDecided(
                    canary: split.canary, stable: split.stable, max: split.max, canaryHash: split.canaryHash,
                    stableHash: split.stableHash, generation: max(generation, rollout.generation) + 1,
                    because: .drift)))
    }

    /// The rejection of the latest intent with the time of the next attempt: 1 s, doubling, at most 30 s.
    func rejection(
        of generation: Int, by platform: String, _ error: String, in progress: IntentProgress
    ) -> IntentRejected? {
        guard progress.isOutstanding, generation == progress.decided else { return nil }
        let attempt = progress.attempts + 1
        let delay = min(30, 1 << min(attempt - 1, 5))
        return IntentRejected(
            generation: generation, by: platform, error: error, attempt: attempt, retryAt: at + .seconds(delay))
    }

    /// Records what was done without the ledger, and stops the release if it is still under way.
    ///
    /// The abort and its split stand before the order: so the split gets the generation under which it was routed, and the
    /// report that the data plane obeyed it is one of this split.
    mutating func report(_ executed: StandingOrderExecuted, in rollout: Rollout) {
        if let release = rollout.release, !release.hasEnded, executed.because == .blindness {
            let seconds = executed.until.since(executed.unreachableFrom).components.seconds
            abort(
                release, by: .standingOrder, reason: nil, evidence: [],
                cause: "The ledger could not be reached for \(seconds) seconds")
            advance()
        }
        record(.standingOrderExecuted(executed))
    }

    /// Takes what the data plane does for what the log was not told, if it is ahead of the log.
    ///
    /// Without the ledger nothing but weight 0 is ever routed. So whoever routed it had a reason to take the canary's
    /// traffic away and did not live to say which: the release stops, rather than that the canary gets its traffic back.
    mutating func find(_ seen: RouteObservation, lastHeardOf: Instant, in rollout: Rollout) {
        let decided = rollout.routing.decided
        guard seen.generation > decided || (seen.generation == decided && rollout.routing.isOutstanding),
            let split = rollout.split, seen.split != split
        else { return }
        guard let release = rollout.release, !release.hasEnded, split.canary > 0, seen.split.canary == 0,
            seen.split.stableHash == rollout.stable?.podTemplateHash
        else { return overtake(seen.generation, in: rollout) }
        abort(
            release, by: .standingOrder, reason: nil, evidence: [],
            cause: "\(seen.router) was found with canary weight 0, routed while the ledger could not be reached")
        advance()
        record(
            .standingOrderExecuted(
                StandingOrderExecuted(
                    unreachableFrom: lastHeardOf, until: at, because: .foundInDataPlane, routedZeroAt: at,
                    generation: seen.generation)))
    }
}
