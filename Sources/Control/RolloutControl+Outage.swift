import Delivery
import EventSourcing
import Logging

/// Telling the log, and what holds while it cannot be told (design.md §8, standing order).
extension RolloutControl {
    /// Turns an outcome into a command; if the ledger cannot take it, memory goes on alone.
    func submit(_ order: RolloutOrder, at: Instant, for name: RolloutName) async {
        let command = RolloutCommand(at: at, order)
        let context = CommandContext(id: ports.mint(), at: at, actor: actor)
        if rollouts[name]?.outage != nil {
            hold(command, context, for: name)
            return
        }
        do {
            let handled = try await ports.handler.handle(command, on: name.stream, context: context)
            adopt(name, version: handled.version, state: handled.state)
            reconcile(name)
        } catch {
            switch error {
            case .store(.unavailable), .store(.outcomeUnknown), .contended:
                logger.warning(
                    "ledger cannot be reached", metadata: ["rollout": "\(name)", "error": "\(error)"])
                beginOutage(of: name)
                hold(command, context, for: name)
            case .refused, .unreadable, .store:
                logger.error("report not taken", metadata: ["rollout": "\(name)", "error": "\(error)"])
            }
        }
    }

    private func beginOutage(of name: RolloutName) {
        guard let rollout = rollouts[name], rollout.outage == nil else { return }
        rollouts[name]?.outage = Outage(since: ports.clock.now(), shadow: rollout.state)
        reconcile(name)
    }

    /// Keeps a report for later and decides on it in memory.
    private func hold(_ command: RolloutCommand, _ context: CommandContext, for name: RolloutName) {
        guard var outage = rollouts[name]?.outage else { return }
        outage.held.append((command, context))
        decide(command, in: &outage)
        rollouts[name]?.outage = outage
        reconcile(name)
    }

    private func decide(_ command: RolloutCommand, in outage: inout Outage) {
        let wasEnded = outage.shadow.rollout?.release?.hasEnded ?? true
        let events: [RolloutEvent]
        do {
            events = try RolloutDecider.decide(command, given: outage.shadow)
        } catch {
            logger.error("report refused in memory", metadata: ["refusal": "\(error)"])
            return
        }
        for event in events { RolloutDecider.evolve(&outage.shadow, with: event) }
        guard !wasEnded, let rollout = outage.shadow.rollout, case .aborted(_, let aborted) = rollout.release?.course
        else { return }
        outage.reason = aborted.by == .standingOrder ? .blindness : .failingVerdict
        outage.generation = rollout.routing.decided
    }

    /// Without the ledger, only measuring and taking a canary's traffic away are allowed.
    func isAllowedInOutage(_ intent: RolloutIntent) -> Bool {
        switch intent {
        case .measure: true
        case .route(let route, _): route.split.canary == 0
        case .scale, .wake: false
        }
    }

    /// When a canary loses its traffic because nobody can write down what it does.
    func blindness(of outage: Outage) -> Instant {
        let seconds = outage.shadow.rollout?.plan.standingOrder.blindnessSeconds ?? 60
        return outage.since + .seconds(seconds)
    }

    /// Carries the standing order out once the ledger was gone for too long with traffic on the canary.
    func checkBlindness(of name: RolloutName) {
        guard var outage = rollouts[name]?.outage, outage.reason == nil, let rollout = outage.shadow.rollout,
            rollout.release?.hasEnded == false, (rollout.split?.canary ?? 0) > 0
        else { return }
        let now = ports.clock.now()
        guard now >= blindness(of: outage) else { return }
        let executed = StandingOrderExecuted(
            unreachableFrom: outage.since, until: now, because: .blindness, routedZeroAt: nil, generation: 0)
        decide(RolloutCommand(at: now, .reportStandingOrder(executed)), in: &outage)
        rollouts[name]?.outage = outage
    }

    /// Tries, once a second, to tell the log what memory knows.
    func flushOutages() async {
        while !Task.isCancelled {
            for name in rollouts.keys.sorted() where rollouts[name]?.outage != nil { await flush(name) }
            await pause(seconds: 1)
        }
    }

    /// Tells the log, in order and with the true times; the first thing that it cannot take ends the attempt.
    private func flush(_ name: RolloutName) async {
        do {
            await ports.handler.forget(name.stream)
            if let outage = rollouts[name]?.outage, outage.reason == .failingVerdict {
                try await tell(.reportStandingOrder(executed(outage)), at: outage.routedZeroAt ?? outage.since, name)
                rollouts[name]?.outage?.reason = nil
            }
            while let (command, context) = rollouts[name]?.outage?.held.first {
                try await tell(command, context, name)
                rollouts[name]?.outage?.held.removeFirst()
            }
            if let outage = rollouts[name]?.outage, outage.reason == .blindness {
                try await tell(.reportStandingOrder(executed(outage)), at: ports.clock.now(), name)
            }
            if rollouts[name]?.outage?.held.isEmpty == true {
                let (version, state) = try await ports.handler.load(name.stream)
                rollouts[name]?.outage = nil
                adopt(name, version: version, state: state)
                logger.info("ledger told what happened without it", metadata: ["rollout": "\(name)"])
                reconcile(name)
            }
        } catch {
            logger.debug("ledger still out of reach", metadata: ["rollout": "\(name)", "error": "\(error)"])
        }
    }

    private func executed(_ outage: Outage) -> StandingOrderExecuted {
        StandingOrderExecuted(
            unreachableFrom: outage.since, until: ports.clock.now(), because: outage.reason ?? .blindness,
            routedZeroAt: outage.routedZeroAt, generation: outage.generation)
    }

    private func tell(_ order: RolloutOrder, at: Instant, _ name: RolloutName) async throws {
        try await tell(
            RolloutCommand(at: at, order), CommandContext(id: ports.mint(), at: at, actor: actor), name)
    }

    private func tell(_ command: RolloutCommand, _ context: CommandContext, _ name: RolloutName) async throws {
        do {
            let handled = try await ports.handler.handle(command, on: name.stream, context: context)
            adopt(name, version: handled.version, state: handled.state)
        } catch .refused(let refusal) {
            logger.error("report refused", metadata: ["rollout": "\(name)", "refusal": "\(refusal)"])
        }
    }
}
