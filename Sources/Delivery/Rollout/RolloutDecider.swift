public import EventSourcing

/// Decides what a rollout does: every rule of the canary strategy, with no clock, no I/O and no randomness.
///
/// An order first records what it says itself; then ``RolloutRules`` add what follows from it, one rule at a time, until
/// none has anything to add. All of it stands in one append.
public enum RolloutDecider: StreamDecider {
    /// The version of these rules, which each release records; it grows when a rule is changed on purpose.
    public static let version = 1

    /// No manifest was accepted yet.
    public static let initial = RolloutState.absent

    /// The events that `command` leads to; `[]` for a repeat that changes nothing.
    public static func decide(
        _ command: RolloutCommand, given state: RolloutState
    ) throws(RolloutRefusal) -> [RolloutEvent] {
        var decision = RolloutDecision(state: state, at: command.at)
        switch (command.order, state) {
        case (.apply(let bundle, let source, let warnings, let newRelease), _):
            try decision.adopt(bundle, source: source, warnings: warnings, as: newRelease, trigger: nil)
        case (.observePods, .absent), (.reportScaled, .absent), (.reportScaleFailure, .absent),
            (.reportRouted, .absent), (.reportRouteFailure, .absent), (.reportNewerRoute, .absent),
            (.reportMeasurement, .absent), (.wake, .absent),
            (.reportStandingOrder, .absent), (.reportFoundRoute, .absent):
            return []
        case (.setImages, .absent), (.undo, .absent), (.retry, .absent), (.promote, .absent), (.abort, .absent),
            (.pause, .absent), (.resume, .absent):
            throw .unknownRollout
        case (.setImages(let images, let newRelease), .present(let rollout)):
            try decision.setImages(images, in: rollout, as: newRelease)
        case (.undo(let revision, let newRelease), .present(let rollout)):
            try decision.undo(to: revision, in: rollout, as: newRelease)
        case (.retry(let newRelease), .present(let rollout)):
            try decision.retry(rollout, as: newRelease)
        case (.promote(let full, let reason), .present(let rollout)):
            try decision.promote(rollout, full: full, reason: reason)
        case (.abort(let reason), .present(let rollout)):
            try decision.abort(rollout, reason: reason)
        case (.pause(let reason), .present(let rollout)):
            decision.pause(rollout, reason: reason)
        case (.resume(let reason), .present(let rollout)):
            try decision.resume(rollout, reason: reason)
        case (.observePods(let seen), .present(let rollout)):
            decision.observe(seen, in: rollout)
        case (.reportScaled(let generation), .present(let rollout)):
            guard generation > rollout.scaling.applied, generation <= rollout.scaling.decided else { return [] }
            decision.record(.scaleApplied(ScaleApplied(generation: generation)))
        case (.reportScaleFailure(let generation, let platform, let error), .present(let rollout)):
            guard let rejected = decision.rejection(of: generation, by: platform, error, in: rollout.scaling) else {
                return []
            }
            decision.record(.scaleRejected(rejected))
        case (.reportRouted(let seen), .present(let rollout)):
            decision.observe(seen, in: rollout)
        case (.reportRouteFailure(let generation, let router, let error), .present(let rollout)):
            guard let rejected = decision.rejection(of: generation, by: router, error, in: rollout.routing) else {
                return []
            }
            decision.record(.weightRejected(rejected))
        case (.reportNewerRoute(let generation), .present(let rollout)):
            decision.overtake(generation, in: rollout)
        case (.reportMeasurement(let report), .present(let rollout)):
            decision.record(report, in: rollout)
        case (.reportStandingOrder(let executed), .present(let rollout)):
            decision.report(executed, in: rollout)
        case (.reportFoundRoute(let seen, let lastHeardOf), .present(let rollout)):
            decision.find(seen, lastHeardOf: lastHeardOf, in: rollout)
        case (.wake, .present):
            break
        }
        decision.advance()
        return decision.events
    }

    /// Folds one event.
    public static func evolve(_ state: inout RolloutState, with event: RolloutEvent) {
        state.evolve(with: event)
    }

    /// Never: a rollout lives on after each release.
    public static func isTerminal(_ state: RolloutState) -> Bool { false }

    /// The release that is under way, or the last one.
    public static func correlation(of state: RolloutState) -> Identifier? { state.rollout?.release?.id }
}

/// A decision in the making: the events so far, and the state that they lead to.
struct RolloutDecision {
    private(set) var state: RolloutState
    private(set) var events: [RolloutEvent] = []
    let at: Instant

    init(state: RolloutState, at: Instant) {
        self.state = state
        self.at = at
    }

    mutating func record(_ fact: RolloutFact) {
        let event = RolloutEvent(at: at, fact)
        events.append(event)
        state.evolve(with: event)
    }

    /// Adds what follows, rule by rule, until nothing does.
    mutating func advance() {
        for _ in 0..<1000 {
            concludeRuns()
            guard case .present(let rollout) = state else { return }
            let facts = RolloutRules.next(rollout, at: at)
            if facts.isEmpty { return }
            for fact in facts { record(fact) }
        }
        preconditionFailure("the rules of a rollout do not come to rest: \(state)")
    }
}
