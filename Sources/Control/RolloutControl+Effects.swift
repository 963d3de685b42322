import Analysis
import Delivery
import EventSourcing
import Logging

/// Carrying out intents.
extension RolloutControl {
    /// Starts every outstanding intent that is not under way already, and ends those that a newer one supersedes.
    func reconcile(_ name: RolloutName) {
        guard let rollout = rollouts[name] else { return }
        rollouts[name]?.wakeAt = nil
        for intent in RolloutController.react(to: .init(name: name, state: rollout.effective)) {
            perform(intent, for: name)
        }
        show(name)
        if let due = rollouts[name]?.blindnessDue { wake(name, at: due) }
    }

    /// Has the route that stands carried out again, until the data plane of a rollout that was taken over obeys.
    ///
    /// One that is outstanding is carried out anyway.
    private func show(_ name: RolloutName) {
        guard let rollout = rollouts[name], !rollout.isDataPlaneKnown, rollout.outage == nil,
            rollout.effects[.route] == nil, rollout.state.rollout?.routing.isOutstanding == false
        else { return }
        for intent in RolloutController.resync(.init(name: name, state: rollout.state)) {
            if case .route(let route, _) = intent {
                perform(.route(route, notBefore: rollout.showAgainAt), for: name)
            }
        }
    }

    /// Carries one intent out, or plans to; what is not allowed now is left to a later look.
    func perform(_ intent: RolloutIntent, for name: RolloutName) {
        guard let rollout = rollouts[name], let tenure = tenures[shard(of: name)] else { return }
        let isOfStandingOrder = isAllowedInOutage(intent, of: rollout)
        if !isOfStandingOrder, rollout.outage != nil || !isCertain(shard(of: name)) { return }
        let epoch = tenure.fence?.epoch ?? 0
        let now = ports.clock.now()
        switch intent {
        case .route(var route, let notBefore):
            if let notBefore, notBefore > now { return wake(name, at: notBefore) }
            route.epoch = epoch
            begin(.route, route.generation, isOfStandingOrder, for: name) { [route] in await self.carryOut(route) }
        case .scale(var scale, let notBefore):
            if let notBefore, notBefore > now { return wake(name, at: notBefore) }
            scale.epoch = epoch
            begin(.scale, scale.generation, isOfStandingOrder, for: name) { [scale] in await self.carryOut(scale) }
        case .measure(let query, let number, let due):
            if due > now { return wake(name, at: due) }
            begin(.measure(run: query.run, metric: query.metric), number, isOfStandingOrder, for: name) {
                await self.carryOut(query, number: number)
            }
        case .wake(let instant):
            wake(name, at: instant)
        }
    }

    func begin(
        _ effect: ControlledRollout.Effect, _ generation: Int, _ isOfStandingOrder: Bool = false,
        for name: RolloutName, _ work: @escaping @Sendable () async -> Void
    ) {
        if let running = rollouts[name]?.effects[effect] {
            if running.generation >= generation { return }
            tasks[running.serial]?.cancel()
        }
        lastSerial += 1
        let serial = lastSerial
        // Kept until it ends, and awaited by `stop`; its own last act is to report.
        tasks[serial] = Task {
            await work()
            self.ended(effect, serial, of: name)
        }
        rollouts[name]?.effects[effect] = ControlledRollout.RunningEffect(
            generation: generation, serial: serial, isOfStandingOrder: isOfStandingOrder)
    }

    private func ended(_ effect: ControlledRollout.Effect, _ serial: Int, of name: RolloutName) {
        tasks[serial] = nil
        guard rollouts[name]?.effects[effect]?.serial == serial else { return }
        rollouts[name]?.effects[effect] = nil
        reconcile(name)
    }

    private func carryOut(_ route: RouteIntent) async {
        do {
            if try await finds(route.rollout) { return }
            let seen = try await ports.router.route(route)
            let now = ports.clock.now()
            rollouts[route.rollout]?.isDataPlaneKnown = true
            noteRouted(seen, at: now, for: route.rollout)
            await submit(.reportRouted(seen), at: now, for: route.rollout)
        } catch {
            if error.code == .cancelled || Task.isCancelled { return }
            if error.code == .fenced { return yieldToSuccessor(route.rollout, over: error.epoch, because: error) }
            rollouts[route.rollout]?.showAgainAt = ports.clock.now() + .seconds(1)
            let order: RolloutOrder
            if error.code == .staleGeneration, let newer = error.generation {
                order = .reportNewerRoute(generation: newer)
            } else {
                order = .reportRouteFailure(
                    generation: route.generation, router: route.routing.router, error: error.detail)
            }
            await submit(order, at: ports.clock.now(), for: route.rollout)
        }
    }

    /// Looks, before the first route of a rollout that was taken over, whether a standing order was carried out that the
    /// log does not know of; if so, the log is told, and what it decides then is routed instead.
    private func finds(_ name: RolloutName) async throws(PlatformFailure) -> Bool {
        guard let rollout = rollouts[name], !rollout.isDataPlaneKnown else { return false }
        let seen = try await ports.router.observe(name)
        if Task.isCancelled { throw PlatformFailure(.cancelled, "the look at the data plane was given up") }
        guard let seen, seen.generation >= rollout.state.rollout?.routing.decided ?? 0,
            seen.split != rollout.state.rollout?.split
        else { return false }
        logger.warning(
            "the data plane is ahead of the ledger",
            metadata: [
                "rollout": "\(name)", "router": "\(seen.router)", "route.generation": "\(seen.generation)",
                "canary.weight": "\(seen.split.canary)",
                "ledger.canary.weight": "\(rollout.state.rollout?.split?.canary ?? 0)",
            ])
        let now = ports.clock.now()
        let lastHeardOf = await lastHeardOf(name) ?? now
        await submit(.reportFoundRoute(seen, lastHeardOf: lastHeardOf), at: now, for: name)
        // What the log decides nothing about is overwritten, as far as the router lets it.
        return rollouts[name]?.effective.rollout?.routing.decided != rollout.effective.rollout?.routing.decided
    }

    private func carryOut(_ scale: ScaleIntent) async {
        do {
            try await ports.workloads.scale(scale)
            await submit(.reportScaled(generation: scale.generation), at: ports.clock.now(), for: scale.rollout)
        } catch {
            if error.code == .cancelled || Task.isCancelled { return }
            if error.code == .fenced { return yieldToSuccessor(scale.rollout, over: error.epoch, because: error) }
            await submit(
                .reportScaleFailure(generation: scale.generation, by: "workloads", error: error.detail),
                at: ports.clock.now(), for: scale.rollout)
        }
    }

    private func carryOut(_ query: MetricQuery, number: Int) async {
        let startedAt = ports.clock.now()
        let answer = await ask(query)
        if Task.isCancelled { return }
        let finishedAt = ports.clock.now()
        let report = MeasurementReport(
            run: query.run, metric: query.metric, number: number, outcome: answer.outcome, startedAt: startedAt,
            finishedAt: finishedAt, source: answer.source)
        await submit(.reportMeasurement(report), at: finishedAt, for: query.rollout)
    }

    private func ask(_ query: MetricQuery) async -> MetricAnswer {
        let providers = Set(query.provider.objectValue?.keys.map { $0 } ?? [])
        if let source = ports.sources.first(where: { !$0.providers.isDisjoint(with: providers) }) {
            return await source.measure(query)
        }
        let names = providers.sorted().joined(separator: ", ")
        return MetricAnswer(
            outcome: .error("no metric source answers for provider \(names)"),
            source: MeasurementSource(provider: names, address: "", queryDigest: ""))
    }
}
