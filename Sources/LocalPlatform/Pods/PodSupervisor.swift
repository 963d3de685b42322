import Delivery
import EventSourcing
import FoundationEssentials
import Glibc
import Logging
import Transfer

/// Runs pods as processes: starts, probes, restarts, drains and ends them; finds them again after a crash of ours.
///
/// Pods outlive this actor: `rest` leaves them running, `start` of a later one takes them up.
actor PodSupervisor {
    private let executor = QueueExecutor(label: "rollbook.pods")
    /// Runs on a queue of its own, since files and processes are handled with calls that block.
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// A pod and the task that looks after it, which `rest` awaits.
    struct Pod {
        var record: PodRecord
        var care: Task<Void, Never>?
    }

    let store: PodStore
    let settings: PodSettings
    let traffic: any PodTraffic
    let logger: Logger
    let client = TransferClient()
    var pods: [String: Pod] = [:]
    var wanted: [RolloutName: WantedRollout] = [:]
    var announced: [RolloutName: Int] = [:]
    var watchers: [UUID: AsyncStream<PodObservation>.Continuation] = [:]
    private var isResting = false
    private var isLoaded = false

    init(directory: String, settings: PodSettings, traffic: any PodTraffic, logger: Logger) {
        store = PodStore(directory: directory)
        self.settings = settings
        self.traffic = traffic
        self.logger = logger
    }

    /// Takes up what an earlier run left, and makes it what is wanted.
    ///
    /// - Throws: `.unavailable` if the state files cannot be read, or traffic cannot be asked.
    func start() async throws(PlatformFailure) {
        try load()
        for rollout in Set(pods.values.map(\.record.rollout)).union(wanted.keys) {
            announced[rollout] = try await traffic.generation(of: rollout)
        }
        takeUp()
        for uid in pods.keys.sorted() {
            if pods[uid]?.record.process?.isAlive == false {
                pods[uid]?.record.process = nil
                pods[uid]?.record.readyAt = nil
            }
            look(after: uid)
        }
        for rollout in wanted.keys { try reconcile(rollout) }
        for rollout in announced.keys { await announce(rollout) }
    }

    /// Reads what an earlier run left; nobody looks after it yet.
    private func load() throws(PlatformFailure) {
        do {
            try store.prepare()
            for rollout in try store.allRollouts() { wanted[rollout.rollout] = rollout }
            for record in try store.allPods() { pods[record.uid] = Pod(record: record) }
        } catch { throw PlatformFailure(.unavailable, "pods: \(error)") }
        isLoaded = true
    }

    /// Ends the looking after; the pods go on.
    ///
    /// Returns when nothing of ours runs any more.
    func rest() async {
        isResting = true
        let tasks = pods.values.compactMap(\.care)
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
        for uid in pods.keys { pods[uid]?.care = nil }
        for watcher in watchers.values { watcher.finish() }
        watchers = [:]
    }

    /// Ends every pod, each within its grace, also after `rest` and without `start`; no set wants a pod then.
    ///
    /// Returns when all are gone.
    func endAll() async throws(PlatformFailure) {
        isResting = false
        if !isLoaded {
            // Another program than the one that started the pods, `rollbook down` say: none is known here yet.
            try load()
            takeUp()
        }
        for rollout in wanted.keys.sorted() {
            guard var entry = wanted[rollout] else { continue }
            for hash in entry.sets.keys { entry.sets[hash]?.replicas = 0 }
            try keep(entry)
            try reconcile(rollout)
        }
        for (uid, pod) in pods where !pod.record.isGoing || pod.care == nil { retire(uid) }
        for task in pods.values.compactMap(\.care) { await task.value }
    }

    /// Makes the named sets want so many pods.
    func scale(_ intent: ScaleIntent) async throws(PlatformFailure) {
        var entry = wanted[intent.rollout] ?? .init(rollout: intent.rollout, generation: 0, sets: [:])
        guard intent.epoch >= entry.epoch ?? 0 else {
            throw PlatformFailure(
                .fenced,
                "scale \(intent.generation) of \(intent.rollout) is of epoch \(intent.epoch), after \(entry.epoch ?? 0)",
                generation: entry.generation, epoch: entry.epoch)
        }
        guard intent.generation >= entry.generation || intent.epoch > entry.epoch ?? 0 else {
            throw PlatformFailure(
                .staleGeneration,
                "scale \(intent.generation) of \(intent.rollout) came after \(entry.generation)",
                generation: entry.generation)
        }
        for set in intent.sets where set.replicas > 0 { _ = try PodSpec(template: set.template) }
        entry.generation = intent.generation
        entry.epoch = intent.epoch > 0 ? intent.epoch : nil
        for set in intent.sets { entry.sets[set.podTemplateHash] = set }
        try keep(entry)
        if announced[intent.rollout] == nil {
            let standing = try await traffic.generation(of: intent.rollout)
            announced[intent.rollout] = max(announced[intent.rollout] ?? 0, standing)
        }
        try reconcile(intent.rollout)
        for set in intent.sets { tell(intent.rollout, set.podTemplateHash) }
    }

    /// Every pod, sorted by name.
    func all() -> [PodRecord] { pods.values.map(\.record).sorted { $0.name < $1.name } }

    private func keep(_ entry: WantedRollout) throws(PlatformFailure) {
        do { try store.save(entry) } catch { throw PlatformFailure(.unavailable, "pods: \(error)") }
        wanted[entry.rollout] = entry
    }

    /// Starts what is missing and retires what is too much: those not ready first, then the youngest.
    private func reconcile(_ rollout: RolloutName) throws(PlatformFailure) {
        guard !isResting, let entry = wanted[rollout] else { return }
        for set in entry.sets.values {
            let present = pods.values.map(\.record).filter {
                $0.rollout == rollout && $0.podTemplateHash == set.podTemplateHash && !$0.isGoing
            }
            if present.count < set.replicas {
                for _ in present.count..<set.replicas { try create(set, of: rollout) }
            }
            let leaving = present.sorted {
                ($0.readyAt == nil ? 0 : 1, -($0.startedAt?.microseconds ?? .max)) < (
                    $1.readyAt == nil ? 0 : 1, -($1.startedAt?.microseconds ?? .max)
                )
            }
            for record in leaving.prefix(max(0, present.count - set.replicas)) { retire(record.uid) }
        }
    }

    private func create(_ set: WantedSet, of rollout: RolloutName) throws(PlatformFailure) {
        let spec = try PodSpec(template: set.template)
        let uid = UUID().uuidString.lowercased()
        let record = PodRecord(
            uid: uid, name: "\(rollout.name)-\(set.podTemplateHash)-\(uid.prefix(5))", rollout: rollout,
            podTemplateHash: set.podTemplateHash, revision: set.revision, minReadySeconds: set.minReadySeconds,
            spec: spec, ports: [:])
        do { try store.save(record) } catch { throw PlatformFailure(.unavailable, "pods: \(error)") }
        pods[uid] = Pod(record: record)
        look(after: uid)
    }

    /// Finds processes by the mark in their environment: pods whose number was not recorded, and strays of ours.
    private func takeUp() {
        for pid in ProcessTable.all() where getsid(pid) == pid {
            var marks: [Substring: Substring] = [:]
            for variable in ProcessTable.environment(of: pid) where variable.hasPrefix("ROLLBOOK_POD") {
                let parts = variable.split(separator: "=", maxSplits: 1)
                if parts.count == 2 { marks[parts[0]] = parts[1] }
            }
            guard let uid = marks["ROLLBOOK_POD_UID"], marks["ROLLBOOK_PODS"].map(String.init) == store.directory,
                let identity = ProcessIdentity(of: pid)
            else { continue }
            if pods[String(uid)] == nil {
                logger.warning("ending a pod that nobody wants", metadata: ["process.pid": "\(pid)"])
                kill(-pid, SIGKILL)
                identity.send(SIGKILL)
            } else if pods[String(uid)]?.record.process?.isAlive != true {
                pods[String(uid)]?.record.process = identity
                pods[String(uid)]?.record.readyAt = nil
            }
        }
    }

    private func look(after uid: String) {
        guard !isResting else { return }
        let isGoing = pods[uid]?.record.isGoing ?? true
        // Awaited by `rest`, `endAll`, or the retirement that follows.
        pods[uid]?.care = Task { if isGoing { await self.seeOff(uid) } else { await self.run(uid) } }
    }

    /// Begins to take a pod out: from now on it counts as going.
    private func retire(_ uid: String) {
        guard !isResting else { return }
        save(uid) { $0.isGoing = true }
        let earlier = pods[uid]?.care
        earlier?.cancel()
        // Awaited by `rest` or `endAll`.
        pods[uid]?.care = Task {
            await earlier?.value
            await self.seeOff(uid)
        }
    }

    /// Changes a pod's record and its file.
    ///
    /// A file that cannot be written is told of and made up for by the next change.
    func save(_ uid: String, _ change: (inout PodRecord) -> Void) {
        guard var record = pods[uid]?.record else { return }
        change(&record)
        pods[uid]?.record = record
        do { try store.save(record) } catch {
            logger.error("cannot save a pod", metadata: ["pod.name": "\(record.name)", "error": "\(error)"])
        }
    }

    /// Forgets a pod that has ended.
    func forget(_ uid: String) {
        guard let pod = pods.removeValue(forKey: uid) else { return }
        do { try store.remove(pod.record) } catch {
            logger.error("cannot remove a pod", metadata: ["pod.name": "\(pod.record.name)", "error": "\(error)"])
        }
        tell(pod.record.rollout, pod.record.podTemplateHash)
    }
}
