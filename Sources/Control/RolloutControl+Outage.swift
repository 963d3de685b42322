import Delivery
import EventSourcing
import Logging

/// What holds while the log cannot be told (design.md §8, standing order).
extension RolloutControl {
    /// Begins a time without the ledger.
    func beginOutage(of name: RolloutName, since: Instant, because error: any Error) {
        guard let rollout = rollouts[name], rollout.outage == nil else { return }
        rollouts[name]?.outage = Outage(since: since, shadow: rollout.state)
        logger.warning(
            "ledger cannot be reached, the standing order holds",
            metadata: [
                "rollout": "\(name)", "error": "\(error)",
                "canary.weight": "\(rollout.state.rollout?.split?.canary ?? 0)",
                "blindness.at": "\(rollouts[name]?.blindnessDue.map(String.init(describing:)) ?? "never")",
            ])
        reconcile(name)
    }

    /// Keeps a report for later and decides on it in memory.
    func hold(_ command: RolloutCommand, _ context: CommandContext, for name: RolloutName) {
        guard var outage = rollouts[name]?.outage else { return }
        outage.hold(command, context)
        decide(command, in: &outage, of: name)
        rollouts[name]?.outage = outage
        reconcile(name)
    }

    private func decide(_ command: RolloutCommand, in outage: inout Outage, of name: RolloutName) {
        let wasEnded = outage.shadow.rollout?.release?.hasEnded ?? true
        let events: [RolloutEvent]
        do {
            events = try RolloutDecider.decide(command, given: outage.shadow)
        } catch {
            logger.error("report refused in memory", metadata: ["rollout": "\(name)", "refusal": "\(error)"])
            return
        }
        for event in events { RolloutDecider.evolve(&outage.shadow, with: event) }
        // The order of one who came before is told by this report itself.
        if case .reportFoundRoute = command.order { return }
        guard !wasEnded, let rollout = outage.shadow.rollout, case .aborted(_, let aborted) = rollout.release?.course,
            rollout.routing.isOutstanding, let because = StandingOrderExecuted.Because(aborted.by)
        else { return }
        outage.order = Outage.Order(
            because: because, decidedAt: command.at, generation: rollout.routing.decided)
        logger.warning(
            "standing order: the canary's traffic is taken away",
            metadata: [
                "rollout": "\(name)", "because": "\(because.rawValue)", "unreachable.from": "\(outage.since)",
                "route.generation": "\(rollout.routing.decided)", "message": "\(aborted.message)",
            ])
    }

    /// Notes that the data plane obeys a route, if that is the standing order's.
    func noteRouted(_ seen: RouteObservation, at now: Instant, for name: RolloutName) {
        guard let order = rollouts[name]?.outage?.order, order.generation == seen.generation else { return }
        rollouts[name]?.outage?.order?.routedZeroAt = now
        rollouts[name]?.outage?.holdOrder(orderContext(now, of: name))
        logger.warning(
            "standing order: the data plane obeys",
            metadata: [
                "rollout": "\(name)", "router": "\(seen.router)", "canary.weight": "\(seen.split.canary)",
                "took": "\(now.since(order.decidedAt))",
            ])
    }

    /// A receipt is kept of it: an order has no number by which a repeat could be told.
    private func orderContext(_ now: Instant, of name: RolloutName) -> CommandContext {
        CommandContext(
            id: ports.mint(), at: now, actor: actor, keepsReceipt: true, fence: tenures[shard(of: name)]?.fence)
    }

    /// Without the ledger, only measuring and taking a canary's traffic away are allowed.
    ///
    /// A release that memory alone would complete is no reason to move traffic: nobody could say why it moved.
    func isAllowedInOutage(_ intent: RolloutIntent, of rollout: ControlledRollout) -> Bool {
        switch intent {
        case .measure: true
        case .route(let route, _):
            route.split.canary == 0 && route.split.stableHash == rollout.state.rollout?.stable?.podTemplateHash
        case .scale, .wake: false
        }
    }

    /// Carries the standing order out once the ledger was gone for too long with traffic on the canary.
    func checkBlindness(of name: RolloutName) {
        let now = ports.clock.now()
        guard let controlled = rollouts[name], let due = controlled.blindnessDue, now >= due,
            var outage = controlled.outage, let release = controlled.state.rollout?.release
        else { return }
        let measurements = (outage.shadow.rollout?.release?.runs ?? []).flatMap { run in
            run.measurements.dropFirst(release.runs.first { $0.name == run.name }?.measurements.count ?? 0)
        }
        // The release ends where the log last saw it, not where memory alone has taken it since.
        outage.shadow = controlled.state
        let executed = StandingOrderExecuted(
            unreachableFrom: outage.since, until: now, because: .blindness, routedZeroAt: nil, generation: 0)
        decide(RolloutCommand(at: now, .reportStandingOrder(executed)), in: &outage, of: name)
        outage.order?.measurements = measurements
        outage.holdOrder(orderContext(now, of: name))
        rollouts[name]?.outage = outage
    }

    /// Notices outages, and tries to tell the log what memory knows; until the task is cancelled.
    func watchLedger() async {
        while !Task.isCancelled {
            let outages = rollouts.keys.sorted().filter { rollouts[$0]?.outage != nil }
            for name in outages {
                // Each may wait for a silent ledger until its patience is over: a shutdown waits for one alone.
                if Task.isCancelled { return }
                await flush(name)
            }
            if Task.isCancelled { return }
            await lookAtLedger()
            // More often while there is something to tell: whoever waits for the ledger waits for this too.
            await pause(outages.isEmpty ? .seconds(1) : .milliseconds(250))
        }
    }

    /// Notices an outage that no report runs into: in a long pause a canary has traffic, and nobody has anything to say.
    private func lookAtLedger() async {
        let exposed = rollouts.values.filter { $0.outage == nil && $0.isExposed }
        guard !exposed.isEmpty else { return }
        let asked = ports.clock.now()
        do { try await askHead() } catch {
            for rollout in exposed { beginOutage(of: rollout.name, since: asked, because: error) }
        }
    }

    /// Tells the log, in order and with the true times; the first thing that it cannot take ends the attempt.
    private func flush(_ name: RolloutName) async {
        await ports.handler.forget(name.stream)
        do {
            var loaded: (version: StreamVersion, state: RolloutState)
            repeat {
                try await tellHeld(name)
                loaded = try await load(name)
            } while rollouts[name]?.outage?.held.isEmpty == false
            guard let outage = rollouts[name]?.outage else { return }
            rollouts[name]?.outage = nil
            adopt(name, version: loaded.version, state: loaded.state)
            logger.notice(
                "ledger told what happened without it",
                metadata: [
                    "rollout": "\(name)", "unreachable.from": "\(outage.since)",
                    "unreachable.for": "\(ports.clock.now().since(outage.since))",
                    "standing.order": "\(outage.order?.because.rawValue ?? "not needed")",
                ])
            reconcile(name)
        } catch  where error.concernsOneStream {
            await giveUp(name, because: error)
        } catch {
            logger.debug("ledger still out of reach", metadata: ["rollout": "\(name)", "error": "\(error)"])
        }
    }

    private func tellHeld(_ name: RolloutName) async throws {
        while let outage = rollouts[name]?.outage {
            guard let telling = outage.held.first else {
                // An order that the data plane does not obey yet is told all the same, after what led to it.
                guard let order = outage.order, !order.isInLine else { return }
                rollouts[name]?.outage?.holdOrder(orderContext(ports.clock.now(), of: name))
                continue
            }
            if let command = outage.command(for: telling, now: ports.clock.now()) {
                try await tell(command, telling.context, name)
            }
            rollouts[name]?.outage?.told(telling)
        }
    }
}

extension ControlledRollout {
    /// Whether a release under way gives its canary traffic, as far as the log says.
    var isExposed: Bool {
        guard let rollout = state.rollout, let release = rollout.release else { return false }
        return !release.hasEnded && (rollout.split?.canary ?? 0) > 0
    }

    /// When the canary loses its traffic because nobody can write down what it does; `nil` if that will not be.
    var blindnessDue: Instant? {
        guard let outage, outage.order == nil, outage.shadow.rollout?.release?.hasEnded == false, isExposed else {
            return nil
        }
        return outage.since + .seconds(outage.shadow.rollout?.plan.standingOrder.blindnessSeconds ?? 60)
    }
}

extension StandingOrderExecuted.Because {
    /// What an abort without the ledger comes from; `nil` for one that is no standing order.
    init?(_ by: Aborted.By) {
        switch by {
        case .analysis: self = .failingVerdict
        case .standingOrder: self = .blindness
        default: return nil
        }
    }
}
