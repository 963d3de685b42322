import Analysis
public import EventSourcing

/// What the shell is to carry out for a rollout.
public enum RolloutIntent: Sendable, Equatable {
    /// Bring the data plane to obey; not before `notBefore` if an attempt failed.
    case route(RouteIntent, notBefore: Instant?)
    /// Bring the platform to accept the sizes; not before `notBefore` if an attempt failed.
    case scale(ScaleIntent, notBefore: Instant?)
    /// Ask for measurement `number` of the query's metric at `due`, or at once if that is past.
    case measure(MetricQuery, number: Int, due: Instant)
    /// Send `.wake` at the instant.
    case wake(Instant)
}

/// Answers what is outstanding for a rollout: level-triggered, so that a restart is a fold and one call.
public enum RolloutController: ProcessManager {
    /// A rollout by name and state.
    public struct State: Sendable, Equatable {
        /// The rollout's name.
        public var name: RolloutName
        /// The fold of its stream.
        public var state: RolloutState

        /// Makes a state.
        public init(name: RolloutName, state: RolloutState) {
            self.name = name
            self.state = state
        }
    }

    /// Every intent that is outstanding; at most one of each kind, one `measure` for each metric, one `wake`.
    public static func react(to state: State) -> [RolloutIntent] {
        guard let rollout = state.state.rollout else { return [] }
        var intents: [RolloutIntent] = []
        if rollout.routing.isOutstanding, let route = rollout.routeIntent(of: state.name) {
            intents.append(.route(route, notBefore: rollout.routing.retryAt))
        }
        if rollout.scaling.isOutstanding {
            intents.append(.scale(rollout.scaleIntent(of: state.name), notBefore: rollout.scaling.retryAt))
        }
        intents += measurements(of: rollout, named: state.name)
        if let next = rollout.nextWake { intents.append(.wake(next)) }
        return intents
    }

    /// The intents that a platform is given again when a controller takes a rollout over, though they were carried out:
    /// repeating one changes nothing, and a platform that lost them gets them back.
    public static func resync(_ state: State) -> [RolloutIntent] {
        guard let rollout = state.state.rollout, rollout.scaling.decided > 0 else { return [] }
        var intents: [RolloutIntent] = [.scale(rollout.scaleIntent(of: state.name), notBefore: nil)]
        if let route = rollout.routeIntent(of: state.name) { intents.append(.route(route, notBefore: nil)) }
        return intents
    }

    private static func measurements(of rollout: Rollout, named name: RolloutName) -> [RolloutIntent] {
        guard let release = rollout.release else { return [] }
        return release.runs.flatMap { run in
            run.metrics.compactMap { metric in
                guard let due = run.nextDue(of: metric.plan.name) else { return nil }
                let query = MetricQuery(
                    rollout: name, run: run.name, metric: metric.plan.name, provider: metric.provider)
                return .measure(query, number: run.taken(metric.plan.name) + 1, due: due)
            }
        }
    }
}

extension Rollout {
    /// The latest split as an intent; `nil` before the first.
    func routeIntent(of name: RolloutName) -> RouteIntent? {
        guard let split, let routing = plan.routing else { return nil }
        return RouteIntent(rollout: name, generation: self.routing.decided, split: split, routing: routing)
    }

    /// The latest sizes as an intent.
    func scaleIntent(of name: RolloutName) -> ScaleIntent {
        ScaleIntent(
            rollout: name, generation: scaling.decided,
            sets: sets.compactMap { set in
                revision(of: set.podTemplateHash).map { revision in
                    WantedSet(
                        podTemplateHash: set.podTemplateHash, revision: revision.number, replicas: set.wanted,
                        template: revision.template, minReadySeconds: plan.minReadySeconds)
                }
            })
    }

    /// When time alone may change something next.
    var nextWake: Instant? {
        var candidates = sets.compactMap { set in
            set.wanted > 0 && !routing.isOutstanding && !isNeeded(set.podTemplateHash) ? set.retireAt : nil
        }
        if let release {
            if let until = release.progress?.pause?.until, heldSince == nil { candidates.append(until) }
            if let deadline = deadline(of: release) { candidates.append(deadline) }
        }
        return candidates.min()
    }
}
