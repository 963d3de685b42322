import Delivery
import EventSourcing
import FoundationEssentials
import Logging

extension PodSupervisor {
    /// Probes a running pod until the task is cancelled, and keeps its readiness true.
    func probe(_ uid: String) async {
        guard let record = pods[uid]?.record else { return }
        guard let probe = record.spec.readiness else {
            await becomes(uid, ready: true)
            return await tellWhenAvailable(uid)
        }
        let runner = ProbeRunner(
            client: client, probe: probe, pod: record, environment: environment(of: record),
            directory: directory(of: record), log: store.log(of: record))
        let sinceStart = record.startedAt.map { Instant.now.since($0) } ?? .zero
        let delay = Duration.seconds(probe.initialDelaySeconds) - sinceStart
        var passed = 0
        var failed = 0
        do {
            if delay > .zero { try await Task.sleep(for: delay) }
            while let isReady = pods[uid].map({ $0.record.readyAt != nil }) {
                if await runner.passes() {
                    (passed, failed) = (passed + 1, 0)
                } else {
                    (passed, failed) = (0, failed + 1)
                }
                try Task.checkCancellation()
                if !isReady, passed >= probe.successThreshold { await becomes(uid, ready: true) }
                if isReady, failed >= probe.failureThreshold { await becomes(uid, ready: false) }
                // Until it was ready once, it is asked more often: a release should not wait for a period to pass.
                let isStarting =
                    pods[uid]?.record.readyAt == nil && Instant.now.since(record.startedAt ?? .now) < .seconds(10)
                try await pauseAndTell(uid, isStarting ? .milliseconds(200) : .seconds(probe.periodSeconds))
            }
        } catch {
            return  // cancelled: the process ended, or the pod is on its way out
        }
    }

    /// Sets the readiness, announces it to traffic, and tells whoever watches.
    private func becomes(_ uid: String, ready: Bool) async {
        guard let record = pods[uid]?.record, !record.isGoing, (record.readyAt != nil) != ready else { return }
        save(uid) { $0.readyAt = ready ? .now : nil }
        logger.info("pod readiness", metadata: ["pod.name": "\(record.name)", "pod.ready": "\(ready)"])
        await announce(record.rollout)
        tell(record.rollout, record.podTemplateHash)
    }

    /// Waits, and tells in between if the pod becomes available by having been ready for long enough.
    private func pauseAndTell(_ uid: String, _ pause: Duration) async throws {
        guard let left = untilAvailable(uid), left < pause else { return try await Task.sleep(for: pause) }
        try await Task.sleep(for: left)
        if let record = pods[uid]?.record { tell(record.rollout, record.podTemplateHash) }
        try await Task.sleep(for: pause - left)
    }

    private func tellWhenAvailable(_ uid: String) async {
        guard let left = untilAvailable(uid) else { return }
        do { try await Task.sleep(for: left) } catch { return }
        if let record = pods[uid]?.record { tell(record.rollout, record.podTemplateHash) }
    }

    /// `nil` if the pod is not ready or is available already.
    private func untilAvailable(_ uid: String) -> Duration? {
        guard let record = pods[uid]?.record, let readyAt = record.readyAt else { return nil }
        let left = Duration.seconds(record.minReadySeconds) - Instant.now.since(readyAt)
        return left > .zero ? left : nil
    }

    /// Announces the ready pods of `rollout` to traffic, again and again until it is done, newer pods are, or the task is
    /// cancelled.
    func announce(_ rollout: RolloutName) async {
        var isTold = false
        while !Task.isCancelled {
            let generation = (announced[rollout] ?? 0) + 1
            announced[rollout] = generation
            do {
                let standing = try await traffic.announce(
                    NginxEndpoints(generation: generation, sets: readyPods(of: rollout)), of: rollout)
                if standing == generation { return }
                // Announced by us since then: that one knows all that this one did.
                if standing <= announced[rollout] ?? 0 { return }
                announced[rollout] = standing
            } catch {
                if announced[rollout] != generation { return }
                if !isTold {
                    logger.warning(
                        "cannot announce pods yet", metadata: ["rollout.id": "\(rollout)", "error": "\(error)"])
                }
                isTold = true
                await Wait.pause(.milliseconds(200))
                if announced[rollout] != generation { return }
            }
        }
    }

    /// Set, then declared port, to addresses; sorted.
    private func readyPods(of rollout: RolloutName) -> [String: [String: [String]]] {
        var sets: [String: [String: [String]]] = [:]
        for record in all() where record.rollout == rollout && record.readyAt != nil && !record.isGoing {
            for (port, address) in record.addresses {
                sets[record.podTemplateHash, default: [:]][port, default: []].append(address)
            }
        }
        return sets
    }

    // MARK: - Telling

    func observations() -> AsyncStream<PodObservation> {
        let (stream, continuation) = AsyncStream.makeStream(of: PodObservation.self)
        let id = UUID()
        continuation.onTermination = { _ in
            // Nobody awaits this: it only takes the watcher off the list.
            Task { await self.unwatch(id) }
        }
        watchers[id] = continuation
        for entry in wanted.values {
            for hash in entry.sets.keys.sorted() { continuation.yield(observation(entry.rollout, hash)) }
        }
        return stream
    }

    private func unwatch(_ id: UUID) { watchers[id] = nil }

    func tell(_ rollout: RolloutName, _ hash: String) {
        let seen = observation(rollout, hash)
        for watcher in watchers.values { watcher.yield(seen) }
    }

    private func observation(_ rollout: RolloutName, _ hash: String) -> PodObservation {
        let now = Instant.now
        let all = pods.values.map(\.record).filter { $0.rollout == rollout && $0.podTemplateHash == hash }
        let ready = all.filter { $0.readyAt != nil && !$0.isGoing }
        let available = ready.filter { record in
            record.readyAt.map { now.since($0) >= .seconds(record.minReadySeconds) } ?? false
        }
        return PodObservation(
            rollout: rollout, podTemplateHash: hash, desired: wanted[rollout]?.sets[hash]?.replicas ?? 0,
            current: all.count, ready: ready.count, available: available.count, at: now)
    }
}
