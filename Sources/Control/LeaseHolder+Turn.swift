import EventSourcing
import Logging
import Synchronization

/// One turn: give back, renew, look around, claim.
extension LeaseHolder {
    /// How many turns the instances must have been the same before leases are given away.
    private static let settledAfter = 3

    /// The lease by which the others know of this instance.
    private var presence: String { shards.presencePrefix + holder }

    /// Takes a turn, and answers how long to wait before the next.
    func turn() async -> Duration {
        do throws(EventStoreFailure) {
            try await giveBack()
            try await renew()
            let next = try await claim()
            state.withLock { $0.failures = 0 }
            return next
        } catch {
            let failures = state.withLock { state in
                state.failures += 1
                return state.failures
            }
            logger.log(
                level: failures == 1 ? .warning : .debug, "leases not renewed, trying again",
                metadata: ["error": "\(error)"])
            return timing.renewal / 4
        }
    }

    private func giveBack() async throws(EventStoreFailure) {
        let leaving = state.withLock { $0.held.values.filter(\.isLeaving).map(\.fence) }
        guard !leaving.isEmpty else { return }
        let leases = leases
        let holder = holder
        _ = try await patiently { () async throws(EventStoreFailure) -> Bool in
            try await leases.release(leaving, by: holder)
            return true
        }
        state.withLock { state in
            for fence in leaving where state.held[fence.lease]?.fence == fence { state.held[fence.lease] = nil }
        }
    }

    private func renew() async throws(EventStoreFailure) {
        let held = state.withLock { $0.held.values.map(\.fence) }.sorted { $0.lease < $1.lease }
        guard !held.isEmpty else { return }
        let sentAt = clock.uptime()
        let leases = leases
        let (holder, lasting) = (holder, timing.lasting)
        let kept = Set(
            try await patiently { () async throws(EventStoreFailure) -> [Fence] in
                try await leases.renew(held, for: holder, lasting: lasting)
            })
        let (isCertainAgain, lost) = state.withLock { state in
            var isCertainAgain = false
            var lost: [String] = []
            for fence in held where state.held[fence.lease]?.fence == fence {
                if kept.contains(fence) {
                    isCertainAgain = isCertainAgain || state.held[fence.lease]?.certainUntil ?? .zero <= sentAt
                    state.held[fence.lease]?.certainUntil = sentAt + timing.lasting - timing.margin
                } else {
                    state.held[fence.lease] = nil
                    lost.append(fence.lease)
                }
            }
            return (isCertainAgain, lost)
        }
        if !lost.isEmpty { tellOfLoss(lost) } else if isCertainAgain { nudge() }
    }

    /// Claims what is free and ours by share, marks what is too much, and answers when to look again.
    private func claim() async throws(EventStoreFailure) -> Duration {
        let now = clock.uptime()
        let (sharesRollouts, unheld) = state.withLock { state in
            let singles = singles.filter { state.held[$0] == nil && state.declined[$0] ?? .zero <= now }
            return (state.sharesRollouts, singles)
        }
        try await claim(unheld, atMost: unheld.count)
        return sharesRollouts ? try await claimShare() : timing.renewal
    }

    /// Claims and marks what balances the shards among the instances, and answers when to look again.
    private func claimShare() async throws(EventStoreFailure) -> Duration {
        let listed = try await list(shards.prefix)
        let others = try await list(shards.presencePrefix).filter { $0.isHeld && $0.holder != holder }
        let balance = state.withLock { state in
            let instances = Set(others.map(\.holder)).union([holder])
            state.settledTurns = state.instances == instances ? state.settledTurns + 1 : 0
            state.instances = instances
            let balance = LeaseBalance(
                names: shards.names, listed: listed, holder: holder, held: Set(state.held.keys),
                instances: instances.count, isSettled: state.settledTurns >= Self.settledAfter)
            for name in balance.surplus { state.held[name]?.isLeaving = true }
            return balance
        }
        if !balance.surplus.isEmpty {
            logger.info("leases leave for another instance", metadata: ["leases": "\(balance.surplus.count)"])
            nudge()
        }
        if state.withLock({ $0.held[presence] == nil }) { try await claim([presence], atMost: 1) }
        try await claim(balance.free, atMost: balance.room)
        // What others hold may run out sooner than a turn from now.
        let soonest = (listed + others).filter { $0.isHeld && $0.holder != holder }.map(\.remaining).min()
        let next = soonest.map { $0 + .milliseconds(20) } ?? timing.renewal
        return min(timing.renewal, max(next, timing.renewal / 10))
    }

    private func claim(_ names: [String], atMost limit: Int) async throws(EventStoreFailure) {
        guard !names.isEmpty, limit > 0 else { return }
        let sentAt = clock.uptime()
        let leases = leases
        let (holder, lasting) = (holder, timing.lasting)
        let floors = state.withLock { $0.floors }
        let taken = try await patiently { () async throws(EventStoreFailure) -> [Fence] in
            try await leases.claim(names, above: floors, for: holder, lasting: lasting, atMost: limit)
        }
        guard !taken.isEmpty else { return }
        state.withLock { state in
            for fence in taken {
                if fence.epoch > state.floors[fence.lease] ?? 0 { state.floors[fence.lease] = nil }
                state.held[fence.lease] = Held(
                    fence: fence, certainUntil: sentAt + timing.lasting - timing.margin)
            }
        }
        logger.info(
            "leases claimed",
            metadata: ["leases": "\(taken.count)", "first": "\(taken[0].lease)", "epoch": "\(taken[0].epoch)"])
        nudge()
    }

    private func list(_ prefix: String) async throws(EventStoreFailure) -> [Lease] {
        let leases = leases
        return try await patiently { () async throws(EventStoreFailure) -> [Lease] in
            try await leases.list(under: prefix)
        }
    }

    /// Waits for an answer, but no longer than leaves time for another attempt while the leases last.
    private func patiently<Value: Sendable>(
        _ work: @escaping @Sendable () async throws(EventStoreFailure) -> Value
    ) async throws(EventStoreFailure) -> Value {
        let result = await answer(by: clock.now() + timing.renewal, of: clock) {
            () async -> Result<Value, EventStoreFailure> in
            do throws(EventStoreFailure) { return .success(try await work()) } catch { return .failure(error) }
        }
        guard let result else { throw .unavailable("no answer within \(timing.renewal)") }
        return try result.get()
    }
}
