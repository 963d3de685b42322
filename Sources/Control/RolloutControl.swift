public import Delivery
public import EventSourcing
import Foundation
public import Logging
public import ServiceLifecycle

/// The shell around the core: follows the log, keeps the timers, carries out intents, turns outcomes into commands.
///
/// All decisions are the decider's, all intents the controller's; this actor only knows what is under way. A newer route
/// or scale intent of a rollout supersedes the one in flight, so an abort never waits behind a hung call.
public actor RolloutControl: Service {
    /// What the shell acts through.
    public struct Ports: Sendable {
        /// The log.
        public var store: any EventStore
        /// Where commands go.
        public var handler: CommandHandler<RolloutDecider>
        /// Pods.
        public var workloads: any Workloads
        /// Traffic.
        public var router: any TrafficRouter
        /// Measurements, by the provider that each answers for.
        public var sources: [any MetricSource]
        /// Time.
        public var clock: any ControlClock
        /// A new id at each call.
        public var mint: @Sendable () -> Identifier

        /// Gathers the ports.
        public init(
            store: any EventStore, handler: CommandHandler<RolloutDecider>, workloads: any Workloads,
            router: any TrafficRouter, sources: [any MetricSource], clock: any ControlClock,
            mint: @escaping @Sendable () -> Identifier
        ) {
            self.store = store
            self.handler = handler
            self.workloads = workloads
            self.router = router
            self.sources = sources
            self.clock = clock
            self.mint = mint
        }
    }

    let ports: Ports
    let cluster: String
    let leases: LeaseHolder?
    let actor: EventActor
    let logger: Logger
    var rollouts: [RolloutName: ControlledRollout] = [:]
    /// Under which holdings rollouts are controlled, by shard.
    var tenures: [Int: Tenure] = [:]
    /// Effects under way, by serial number.
    var tasks: [Int: Task<Void, Never>] = [:]
    var lastSerial = 0
    /// What was last seen of each set, also of rollouts that are another instance's.
    var pods: [RolloutName: [String: PodObservation]] = [:]
    private var bell: AsyncStream<Void>.Continuation?
    var gainBell: AsyncStream<Void>.Continuation?

    /// Makes a controller of the rollouts of one cluster.
    ///
    /// - Parameters:
    ///   - cluster: The installation of the platform that the ports lead to; rollouts of others are left alone.
    ///   - leases: Say which of the cluster's rollouts are ours; with `nil` all are, and no other instance may run.
    ///   - instance: Names this instance in the actor of each event: `rollbook/<instance>`.
    public init(
        ports: Ports, cluster: String = "default", leases: LeaseHolder? = nil, instance: String, logger: Logger
    ) {
        precondition(leases == nil || leases?.shards.cluster == cluster, "leases of another cluster than \(cluster)")
        self.ports = ports
        self.cluster = cluster
        self.leases = leases
        self.actor = .controller(instance)
        self.logger = logger
    }

    /// Controls what is ours, from where the log says, until the task is cancelled or a shutdown begins.
    public func run() async throws {
        let (rings, bell) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let (gains, gainBell) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.bell = bell
        self.gainBell = gainBell
        await cancelWhenGracefulShutdown {
            let start = await self.findHead()
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.followLog(after: start) }
                group.addTask { await self.followPods() }
                group.addTask { await self.keepTime(rings) }
                group.addTask { await self.watchLedger() }
                group.addTask { await self.watchLeases() }
                group.addTask { await self.takeOverGained(gains) }
                await group.waitForAll()
            }
        }
        await stop()
    }

    /// Cancels what is under way; intents are in the log, so the next start, or another instance, carries on.
    private func stop() async {
        tenures = [:]
        let running = Array(tasks.values)
        for task in running { task.cancel() }
        for task in running { await task.value }
        rollouts = [:]
    }

    /// From where the log is followed; what came before is folded when a rollout is taken over.
    private func findHead() async -> GlobalPosition {
        while !Task.isCancelled {
            do { return try await ports.store.head() } catch {
                logger.warning("the log cannot be followed yet", metadata: ["error": "\(error)"])
                await pause(.seconds(1))
            }
        }
        return .start
    }

    private func reload(_ name: RolloutName) async throws {
        let (version, state) = try await ports.handler.load(name.stream)
        adopt(name, version: version, state: state)
    }

    /// Takes a newer state; an older one changes nothing.
    func adopt(_ name: RolloutName, version: StreamVersion, state: RolloutState) {
        guard isControlled(name) else { return }
        var rollout = rollouts[name] ?? ControlledRollout(name: name)
        guard version >= rollout.version else { return }
        rollout.version = version
        rollout.state = state
        rollouts[name] = rollout
    }

    private func followLog(after start: GlobalPosition) async {
        var place = start
        while !Task.isCancelled {
            do throws(FollowerEnd) {
                for try await batch in ports.store.follow(after: place, batchSize: 500) {
                    for recorded in batch {
                        guard let name = RolloutName(recorded.stream), isControlled(name),
                            recorded.version > rollouts[name]?.version ?? .none
                        else { continue }
                        await catchUp(name, with: recorded)
                    }
                    if Task.isCancelled { return }
                }
                return
            } catch {
                switch error {
                case .cutShort(let found):
                    // What is known may never have been: of the commands, too, that come in here.
                    logger.error(
                        "the log was cut short: every rollout is folded again from what it has, and followed from its end",
                        metadata: ["found": "\(found)"])
                    place = await findHead()
                    await ports.handler.forgetAll()
                    startOver()
                case .archived(let words):
                    // Archives keep the events of rollouts in the log: their streams are whole.
                    logger.error(
                        "the log goes on in an archive: every rollout is folded again, and followed from the log's end",
                        metadata: ["archive": "\(words)"])
                    place = await findHead()
                    takeOverAgain()
                }
            }
        }
    }

    private func catchUp(_ name: RolloutName, with recorded: RecordedEvent) async {
        var rollout = rollouts[name] ?? ControlledRollout(name: name)
        do {
            if recorded.version == rollout.version.next {
                RolloutDecider.evolve(&rollout.state, with: try RolloutDecider.decode(recorded))
                rollout.version = recorded.version
                rollouts[name] = rollout
            } else {
                try await reload(name)
            }
            reconcile(name)
        } catch  where error.concernsOneStream {
            await giveUp(name, because: error)
        } catch {
            logger.error(
                "rollout cannot be controlled",
                metadata: [
                    "rollout": "\(name)", "stream.version": "\(recorded.version)", "error": "\(error)",
                ])
        }
    }

    private func followPods() async {
        for await seen in ports.workloads.observations() {
            pods[seen.rollout, default: [:]][seen.podTemplateHash] = seen
            await submit(.observePods(PodsSeen(seen)), at: seen.at, for: seen.rollout)
            if Task.isCancelled { return }
        }
    }

    // MARK: Time

    /// Rings at the earliest moment at which a rollout wants to be looked at.
    private func keepTime(_ rings: AsyncStream<Void>) async {
        var rings = rings.makeAsyncIterator()
        while !Task.isCancelled {
            let now = ports.clock.now()
            for (name, rollout) in rollouts {
                guard let due = rollout.wakeAt, due <= now else { continue }
                rollouts[name]?.wakeAt = nil
                look(at: name)
            }
            if let next = rollouts.values.compactMap(\.wakeAt).min() {
                await firstOf(next)
            } else if await rings.next() == nil {
                return
            }
        }
    }

    /// Returns at `next`, or when a nearer moment was set.
    private func firstOf(_ next: Instant) async {
        let sleeper = Task { [clock = ports.clock] in
            // Awaited a few lines below; `wakeEarlier` and cancellation end it.
            do { try await clock.sleep(until: next) } catch { return }
        }
        self.sleeper = (next, sleeper)
        await withTaskCancellationHandler {
            await sleeper.value
        } onCancel: {
            sleeper.cancel()
        }
        self.sleeper = nil
    }

    private var sleeper: (until: Instant, task: Task<Void, Never>)?

    /// Has `name` looked at again at `instant`, if that is nearer than what is planned.
    func wake(_ name: RolloutName, at instant: Instant) {
        guard rollouts[name] != nil else { return }
        if let planned = rollouts[name]?.wakeAt, planned <= instant { return }
        rollouts[name]?.wakeAt = instant
        if let sleeper, instant < sleeper.until { sleeper.task.cancel() }
        bell?.yield()
    }

    /// What memory alone can tell is done at once; what the ledger is asked for keeps no other rollout waiting.
    private func look(at name: RolloutName) {
        if rollouts[name]?.outage != nil {
            checkBlindness(of: name)
            reconcile(name)
        } else {
            let now = ports.clock.now()
            begin(.look, 0, for: name) { await self.submit(.wake, at: now, for: name) }
        }
    }

    func pause(_ duration: Duration) async {
        // Cancellation ends the wait early, and the caller's loop looks for it.
        do { try await ports.clock.sleep(until: ports.clock.now() + duration) } catch { return }
    }
}
