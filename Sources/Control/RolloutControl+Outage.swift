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
            let wasEnded = rollouts[name]?.state.rollout?.release?.hasEnded
            let handled = try await ports.handler.handle(command, on: name.stream, context: context)
            adopt(name, version: handled.version, state: handled.state)
            reconcile(name)
            if wasEnded == false { tellOfAbort(name, since: at) }
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

    /// Says that a release was aborted, and how long it took from the deciding answer to its commit.
    private func tellOfAbort(_ name: RolloutName, since arrival: Instant) {
        guard let release = rollouts[name]?.state.rollout?.release, case .aborted(_, let aborted) = release.course
        else {
            return
        }
        let took = Double(ports.clock.now().since(arrival).wholeMicroseconds) / 1000
        logger.notice(
            "release aborted",
            metadata: [
                "rollout": "\(name)", "release.id": "\(release.id)", "aborted.by": "\(aborted.by.rawValue)",
                "decision.ms": "\(took)",
            ])
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

    /// When a canary loses its traffic because nobody can write down what it does.
    func blindness(of outage: Outage) -> Instant {
        let seconds = outage.shadow.rollout?.plan.standingOrder.blindnessSeconds ?? 60
        return outage.since + .seconds(seconds)
    }

    /// Carries the standing order out once the ledger was gone for too long with traffic on the canary.
    func checkBlindness(of name: RolloutName) {
        guard let recorded = rollouts[name]?.state, var outage = rollouts[name]?.outage, outage.reason == nil,
            let rollout = recorded.rollout, let release = rollout.release, !release.hasEnded,
            (rollout.split?.canary ?? 0) > 0
        else { return }
        let now = ports.clock.now()
        guard now >= blindness(of: outage) else { return }
        outage.measurements = (outage.shadow.rollout?.release?.runs ?? []).flatMap { run in
            run.measurements.dropFirst(release.runs.first { $0.name == run.name }?.measurements.count ?? 0)
        }
        // The release ends where the log last saw it, not where memory alone has taken it since.
        outage.shadow = recorded
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
            if let outage = rollouts[name]?.outage, let reason = outage.reason, !outage.isOrderTold {
                let at = outage.routedZeroAt ?? ports.clock.now()
                try await tell(.reportStandingOrder(executed(outage, reason)), at: at, name)
                rollouts[name]?.outage?.isOrderTold = true
            }
            while let (command, context) = rollouts[name]?.outage?.held.first {
                try await tell(command, context, name)
                rollouts[name]?.outage?.held.removeFirst()
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

    private func executed(_ outage: Outage, _ reason: StandingOrderExecuted.Because) -> StandingOrderExecuted {
        StandingOrderExecuted(
            unreachableFrom: outage.since, until: ports.clock.now(), because: reason,
            routedZeroAt: outage.routedZeroAt, generation: outage.generation, measurements: outage.measurements)
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
