public import EventSourcing
public import Logging
public import ServiceLifecycle
import Synchronization

/// Holds this instance's leases: claims and renews them, says at each moment which may be relied on, and gives back what is
/// another instance's share.
///
/// What it says of a lease (``standing(of:)``) is counted from the *sending* of the last renewal that was answered, on the
/// monotonic clock:
///
/// - **certain**: nobody else can have it. Everything may be done.
/// - **doubtful**: it was not renewed in time, and nobody has told us that it is lost. If the ledger is away for all, we are
///   the only one who can do anything; if it is away for us alone, somebody else may be in charge by now. So nothing new is
///   begun but what the standing order wants (measure in memory, take the canary's traffic away), and what is under way
///   ends. That is safe in both cases: an append names the epoch of our holding and is refused once somebody has claimed
///   the lease; a route or scale intent names it as well, and a successor gives the data plane its own epoch the moment it
///   takes over, before anything else: from then on the data plane refuses ours. What we got in before that, the
///   successor's first intent puts right. If nobody has claimed it, the next renewal makes it certain again.
/// - **none**: not ours. What was done under it is cancelled at once.
public final class LeaseHolder: Service, Sendable {
    /// How far a lease may be relied on.
    public enum Standing: Sendable, Hashable {
        /// It is not ours.
        case none
        /// It is ours.
        case certain(Fence)
        /// It was ours, and may be somebody else's by now.
        case doubtful(Fence)
    }

    struct Held {
        var fence: Fence
        /// Until when nobody else can have it, on the clock's uptime.
        var certainUntil: Duration
        /// It is given back at the next turn, and not relied on any more.
        var isLeaving = false
    }

    struct State {
        var held: [String: Held] = [:]
        /// Whether this instance takes its share of the rollouts.
        var sharesRollouts: Bool
        /// Until when others are left to try at a lease, on the clock's uptime.
        var declined: [String: Duration] = [:]
        /// Epochs that a platform knows of leases, and that a claim has to exceed.
        var floors: [String: Int64] = [:]
        /// Waits for the next turn.
        var sleeper: Task<Void, Never>?
        /// Whether the next turn is wanted at once.
        var isTurnWanted = false
        var instances: Set<String> = []
        /// For how many turns the instances have been the same.
        var settledTurns = 0
        var failures = 0
        var lastListener = 0
        var listeners: [Int: AsyncStream<Void>.Continuation] = [:]
    }

    /// How the rollouts are shared.
    public let shards: Shards
    /// What the leases say of who holds them: unique among those that live at the same time.
    public let holder: String
    let leases: any Leases
    /// The leases that one instance has and the others wait for.
    public let singles: [String]
    let timing: LeaseTiming
    let clock: any ControlClock
    let logger: Logger
    let state: Mutex<State>

    /// Makes a holder that holds nothing yet.
    ///
    /// - Parameters:
    ///   - holder: Unique among those that live at the same time; a successor with the same name takes over at once.
    ///   - shards: Whose leases it shares with the other instances.
    ///   - singles: Leases that one instance has and the others wait for, such as `sealer`.
    ///   - sharesRollouts: Whether it takes its share of the rollouts at once, or not before ``shareRollouts()``.
    public init(
        leases: any Leases, holder: String, shards: Shards, singles: [String] = [], sharesRollouts: Bool = true,
        timing: LeaseTiming = LeaseTiming(), clock: any ControlClock, logger: Logger
    ) {
        state = Mutex(State(sharesRollouts: sharesRollouts))
        self.leases = leases
        self.holder = holder
        self.shards = shards
        self.singles = singles
        self.timing = timing
        self.clock = clock
        self.logger = logger
    }

    /// How far the lease `name` may be relied on now.
    public func standing(of name: String) -> Standing {
        let now = clock.uptime()
        return state.withLock { state in
            guard let held = state.held[name], !held.isLeaving else { return .none }
            return held.certainUntil > now ? .certain(held.fence) : .doubtful(held.fence)
        }
    }

    /// The leases that may be relied on now, sorted by name.
    public var certain: [String] {
        let now = clock.uptime()
        return state.withLock { state in
            state.held.filter { !$0.value.isLeaving && $0.value.certainUntil > now }.keys.sorted()
        }
    }

    /// Takes this instance's share of the rollouts from now on.
    public func shareRollouts() {
        let sleeper = state.withLock { state in
            state.sharesRollouts = true
            state.isTurnWanted = true
            return state.sleeper
        }
        sleeper?.cancel()
    }

    /// Gives a single lease back and leaves it to others for a while: what it is for cannot be done here.
    public func decline(_ name: String, for duration: Duration) {
        let sleeper = state.withLock { state in
            state.held[name]?.isLeaving = true
            state.declined[name] = clock.uptime() + duration
            state.isTurnWanted = true
            return state.sleeper
        }
        nudge()
        sleeper?.cancel()
    }

    /// Says when some standing may have changed, and once at the beginning; without end.
    ///
    /// Several changes may be said at once. Ends when the consuming task is cancelled.
    public func changes() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let key = state.withLock { state in
            state.lastListener += 1
            state.listeners[state.lastListener] = continuation
            return state.lastListener
        }
        continuation.onTermination = { [weak self] _ in self?.state.withLock { $0.listeners[key] = nil } }
        continuation.yield()
        return stream
    }

    /// Takes note that somebody else has a lease: an append or the data plane has refused this holding.
    ///
    /// - Parameter epoch: The epoch that the data plane knows. The ledger may have been restored to a time before it, and
    ///   then nobody else has the lease: the next claim exceeds it.
    public func lost(_ fence: Fence, to epoch: Int64? = nil) {
        let wasHeld = state.withLock { state in
            if let epoch { state.floors[fence.lease] = max(state.floors[fence.lease] ?? 0, epoch) }
            guard state.held[fence.lease]?.fence == fence else { return false }
            state.held[fence.lease] = nil
            return true
        }
        if wasHeld { tellOfLoss([fence.lease]) }
    }

    /// Keeps the leases until the task is cancelled or a shutdown begins; in a shutdown they are given back.
    ///
    /// Whoever relies on them has to have ended by then: in a service group, stand before them in the list.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.keep() }
                group.addTask { await self.watch() }
                await group.waitForAll()
            }
        }
        // A task that is cancelled ends as a program that dies: what it relied on may still be going on.
        if Task.isShuttingDownGracefully { await releaseAll() }
    }

    /// Takes turns, one at a time.
    private func keep() async {
        while !Task.isCancelled {
            await rest(await turn())
        }
    }

    /// Waits for `duration`, or until a turn is wanted.
    private func rest(_ duration: Duration) async {
        // Awaited a few lines below; cancellation ends it.
        let sleeper = Task { [clock] in
            do { try await clock.sleep(until: clock.now() + duration) } catch { return }
        }
        let isWanted = state.withLock { state in
            defer { state.isTurnWanted = false }
            state.sleeper = sleeper
            return state.isTurnWanted
        }
        if isWanted { sleeper.cancel() }
        await withTaskCancellationHandler {
            await sleeper.value
        } onCancel: {
            sleeper.cancel()
        }
    }

    /// Says when certainty ends, at that moment.
    private func watch() async {
        while !Task.isCancelled {
            let now = clock.uptime()
            let (ends, wasCertain) = state.withLock { state in
                let ends = state.held.values.map(\.certainUntil).filter { $0 > now }.min()
                return (ends, state.held.count { $0.value.certainUntil > now })
            }
            let wait = min(ends.map { $0 - now } ?? timing.renewal, timing.renewal)
            do { try await clock.sleep(until: clock.now() + wait) } catch { return }
            let later = clock.uptime()
            let isCertain = state.withLock { state in state.held.count { $0.value.certainUntil > later } }
            if isCertain < wasCertain { nudge() }
        }
    }

    private func releaseAll() async {
        let fences = state.withLock { state in
            defer { state.held = [:] }
            return state.held.values.map(\.fence)
        }
        nudge()
        guard !fences.isEmpty else { return }
        let leases = leases
        let holder = holder
        let answered = await answer(by: clock.now() + timing.renewal, of: clock) { () async -> Bool in
            do {
                try await leases.release(fences, by: holder)
                return true
            } catch { return false }
        }
        logger.info(
            "leases given back", metadata: ["leases": "\(fences.count)", "answered": "\(answered ?? false)"])
    }

    func nudge() {
        for listener in state.withLock({ Array($0.listeners.values) }) { listener.yield() }
    }

    func tellOfLoss(_ names: [String]) {
        logger.warning("leases lost to another instance", metadata: ["leases": "\(names.sorted())"])
        nudge()
    }
}
