import Delivery
import EventSourcing
import Logging

/// Controlling no more than what is ours, and all of that.
extension RolloutControl {
    /// One time of controlling a shard's rollouts.
    struct Tenure {
        /// What each append and each intent names; `nil` if there are no leases.
        let fence: Fence?
        /// Tells it from an earlier one.
        let serial: Int
        /// Whether its rollouts have been folded and carried on with.
        var isTakenOver = false
        /// Whether something was left undone because the lease was in doubt.
        var isDoubtful = false
    }

    /// The shard of a rollout; without leases there is one.
    func shard(of name: RolloutName) -> Int { leases?.shards.shard(of: name) ?? 0 }

    /// Whether a rollout is ours to control.
    func isControlled(_ name: RolloutName) -> Bool { name.cluster == cluster && tenures[shard(of: name)] != nil }

    /// Whether nobody else can control a shard now; if not, what is left undone is looked at again once that is known.
    func isCertain(_ shard: Int) -> Bool {
        guard let leases, let fence = tenures[shard]?.fence else { return tenures[shard] != nil }
        if leases.standing(of: fence.lease) == .certain(fence) { return true }
        tenures[shard]?.isDoubtful = true
        return false
    }

    /// Follows what the leases say, until the task is cancelled.
    func watchLeases() async {
        guard let leases else { return begin(tenure: nil, of: 0) }
        let names = leases.shards.names
        for await _ in leases.changes() {
            for (shard, name) in names.enumerated() { settle(shard, leases.standing(of: name)) }
        }
    }

    private func settle(_ shard: Int, _ standing: LeaseHolder.Standing) {
        let known = tenures[shard]
        switch standing {
        case .certain(let fence) where known?.fence == fence:
            guard known?.isDoubtful == true else { return }
            tenures[shard]?.isDoubtful = false
            for name in names(in: shard) { reconcile(name) }
        case .certain(let fence):
            drop(shard)
            begin(tenure: fence, of: shard)
        case .doubtful(let fence) where known?.fence == fence:
            tenures[shard]?.isDoubtful = true
            for name in names(in: shard) { endDoubtful(name) }
        case .doubtful, .none:
            drop(shard)
        }
    }

    private func names(in shard: Int) -> [RolloutName] { rollouts.keys.filter { self.shard(of: $0) == shard } }

    private func begin(tenure fence: Fence?, of shard: Int) {
        lastSerial += 1
        tenures[shard] = Tenure(fence: fence, serial: lastSerial)
        gainBell?.yield()
    }

    /// Folds all that is ours once more; a taking over that is under way counts for nothing.
    func takeOverAgain() {
        for (shard, tenure) in tenures {
            lastSerial += 1
            tenures[shard] = Tenure(fence: tenure.fence, serial: lastSerial, isDoubtful: tenure.isDoubtful)
        }
        gainBell?.yield()
    }

    /// Forgets all that is known, cancels what is under way, and folds all that is ours once more.
    ///
    /// The data plane may obey later generations than the log has by now: that of a greater epoch it takes, whatever its
    /// number, so the leases are claimed anew.
    func startOver() {
        for (shard, tenure) in tenures {
            drop(shard, because: "the log was cut short")
            if let fence = tenure.fence {
                leases?.lost(fence, to: fence.epoch)
            } else {
                begin(tenure: nil, of: shard)
            }
        }
    }

    /// Ends what only a holder beyond doubt may go on with.
    private func endDoubtful(_ name: RolloutName) {
        for running in rollouts[name]?.effects.values.filter({ !$0.isOfStandingOrder }) ?? [] {
            tasks[running.serial]?.cancel()
        }
    }

    /// Lets go of a shard: what is under way for its rollouts is cancelled, what is known of them is forgotten.
    private func drop(
        _ shard: Int, because why: String = "another instance took over while the ledger could not be reached from here"
    ) {
        guard tenures.removeValue(forKey: shard) != nil else { return }
        for name in names(in: shard) {
            guard let outage = letGo(name)?.outage else { continue }
            // Whoever goes on decides from what the log has, and brings the data plane to obey that.
            logger.error(
                "\(why): what was seen is not told",
                metadata: [
                    "rollout": "\(name)", "unreachable.from": "\(outage.since)", "reports": "\(outage.held.count)",
                    "standing.order": "\(outage.order?.because.rawValue ?? "not needed")",
                    "routed.zero": "\(outage.order?.routedZeroAt.map(String.init(describing:)) ?? "no")",
                ])
        }
    }

    /// Lets go of one rollout: what is under way for it is cancelled, what is known of it is forgotten.
    @discardableResult
    private func letGo(_ name: RolloutName) -> ControlledRollout? {
        let rollout = rollouts.removeValue(forKey: name)
        for running in (rollout?.effects ?? [:]).values { tasks[running.serial]?.cancel() }
        return rollout
    }

    /// Lets go of a rollout that nothing more is known of: nobody may act on what was known before.
    ///
    /// The next event of its stream, or what is seen of its pods, has it folded anew.
    func giveUp(_ name: RolloutName, because error: any Error) async {
        logger.error(
            "rollout cannot be controlled",
            metadata: [
                "rollout": "\(name)", "stream.version": "\(rollouts[name]?.version ?? .none)", "error": "\(error)",
                "reports.untold": "\(rollouts[name]?.outage?.held.count ?? 0)",
            ])
        letGo(name)
        await ports.handler.forget(name.stream)
    }

    /// Somebody else holds the lease of a rollout: the ledger or the data plane has said so, which names the epoch it obeys.
    func yieldToSuccessor(
        _ name: RolloutName, of tenure: Tenure? = nil, over epoch: Int64? = nil, because error: any Error
    ) {
        let shard = shard(of: name)
        guard let present = tenures[shard], tenure == nil || tenure?.serial == present.serial else { return }
        logger.warning(
            "lease lost, another instance controls the rollout",
            metadata: ["rollout": "\(name)", "lease": "\(present.fence?.lease ?? "none")", "error": "\(error)"])
        drop(shard)
        if let fence = present.fence { leases?.lost(fence, to: epoch) }
    }

    /// Folds the rollouts of each shard that became ours and carries on from their recorded intents.
    ///
    /// A read model may lag, the streams do not.
    func takeOverGained(_ gains: AsyncStream<Void>) async {
        for await _ in gains {
            while !Task.isCancelled {
                let gained = tenures.filter { !$0.value.isTakenOver }
                if gained.isEmpty { break }
                do {
                    let count = try await takeOver(gained)
                    logger.info(
                        "rollouts taken over", metadata: ["shards": "\(gained.count)", "rollouts": "\(count)"])
                    for (shard, tenure) in gained where tenures[shard]?.serial == tenure.serial {
                        let isCertain = isCertain(shard)
                        tenures[shard]?.isTakenOver = isCertain
                    }
                    // One that is in doubt already has not shown the data plane its epoch: it is taken over again.
                    if gained.keys.contains(where: { tenures[$0]?.isTakenOver == false }) {
                        await pause(.milliseconds(250))
                    }
                } catch is CancellationError {
                    return
                } catch {
                    logger.warning("rollouts not taken over yet", metadata: ["error": "\(error)"])
                    await pause(.milliseconds(250))
                }
            }
        }
    }

    private func takeOver(_ gained: [Int: Tenure]) async throws -> Int {
        var count = 0
        for stream in try await ports.store.streams(in: RolloutName.category) {
            try Task.checkCancellation()
            guard let name = RolloutName(stream), name.cluster == cluster, let tenure = gained[shard(of: name)],
                tenures[shard(of: name)]?.serial == tenure.serial
            else { continue }
            do {
                let (version, state) = try await load(name)
                adopt(name, version: version, state: state)
            } catch  where error.concernsOneStream {
                await giveUp(name, because: error)
                continue
            }
            guard let rollout = rollouts[name] else { continue }
            count += 1
            // First of all, and whatever they say: from here on the data plane obeys nobody who came before.
            for intent in RolloutController.resync(.init(name: name, state: rollout.state)) {
                perform(intent, for: name)
            }
            for seen in pods[name, default: [:]].values {
                await submit(.observePods(PodsSeen(seen)), at: seen.at, for: name)
            }
            reconcile(name)
        }
        return count
    }
}

extension Error {
    /// Whether trying again cannot help, and other streams may be well.
    var concernsOneStream: Bool {
        switch self {
        case is UnreadableEvent: true
        case let failure as CommandHandler<RolloutDecider>.Failure:
            switch failure {
            case .unreadable, .store(.damaged), .store(.archived): true
            case .refused, .contended, .store: false
            }
        default: false
        }
    }
}
