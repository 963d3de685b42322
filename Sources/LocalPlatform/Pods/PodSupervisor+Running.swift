import Delivery
import EventSourcing
import Glibc
import Logging

extension PodSupervisor {
    /// Keeps a pod running until the task is cancelled: starts it or takes it up, probes it, starts it again after an end.
    func run(_ uid: String) async {
        while !Task.isCancelled, let record = pods[uid]?.record {
            if let handle = takenUp(record) ?? started(uid) {
                let code = await whileRunning(uid, handle)
                handle.close()
                if Task.isCancelled { return }
                logger.warning(
                    "pod ended",
                    metadata: [
                        "pod.name": "\(record.name)", "process.exit_code": "\(code.map(String.init) ?? "unknown")",
                    ])
            }
            let ran = pods[uid]?.record.startedAt.map { Instant.now.since($0) } ?? .zero
            save(uid) {
                $0.process = nil
                $0.readyAt = nil
                $0.crashes = ran >= settings.steadyAfter ? 1 : $0.crashes + 1
            }
            tell(record.rollout, record.podTemplateHash)
            await announce(record.rollout)
            let wait = settings.backOff(after: pods[uid]?.record.crashes ?? 1)
            do { try await Task.sleep(for: wait) } catch { return }
        }
    }

    /// The process of an earlier run, if it still runs.
    private func takenUp(_ record: PodRecord) -> ProcessHandle? { record.process.flatMap { ProcessHandle($0) } }

    /// Starts the process of a pod.
    ///
    /// - Returns: `nil` if that failed, which counts as a crash.
    private func started(_ uid: String) -> ProcessHandle? {
        guard let record = pods[uid]?.record else { return nil }
        do {
            let ports = try ownPorts(of: record)
            // Before the start, so that the process is looked for by its mark if we end here.
            save(uid) {
                $0.ports = ports
                $0.process = nil
                $0.readyAt = nil
                $0.startedAt = .now
            }
            guard let record = pods[uid]?.record else { return nil }
            let log = store.log(of: record)
            try DurableFile.rotate(log, above: settings.logLimit)
            let environment = environment(of: record)
            let identity = try ProcessLaunch(
                command: record.spec.command.map { expanded($0, with: environment) }, environment: environment,
                directory: directory(of: record), log: log
            ).start()
            save(uid) { $0.process = identity }
            logger.info(
                "started pod", metadata: ["pod.name": "\(record.name)", "process.pid": "\(identity.pid)"])
            if let handle = ProcessHandle(identity) { return handle }
            // It ended before it could be held: take its remains.
            var status: Int32 = 0
            waitpid(identity.pid, &status, WNOHANG)
            return nil
        } catch {
            logger.error("pod did not start", metadata: ["pod.name": "\(record.name)", "error": "\(error)"])
            return nil
        }
    }

    private func whileRunning(_ uid: String, _ handle: ProcessHandle) async -> Int32? {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.probe(uid) }
            let code = await handle.ended(withGroup: true)
            group.cancelAll()
            return code
        }
    }

    /// The ports that it has, as far as they are free, else others.
    private func ownPorts(of record: PodRecord) throws(PlatformFailure) -> [Int: Int] {
        var taken = Set(pods.values.filter { $0.record.uid != record.uid }.flatMap { $0.record.ports.values })
        var ports: [Int: Int] = [:]
        for port in record.spec.ports {
            let own: Int
            if let earlier = record.ports[port.number], LoopbackPort.isFree(earlier) {
                own = earlier
            } else {
                own = try LoopbackPort.free(in: settings.ports, without: taken)
            }
            taken.insert(own)
            ports[port.number] = own
        }
        return ports
    }

    func directory(of record: PodRecord) -> String {
        if let directory = record.spec.workingDirectory, directory.hasPrefix("/") { return directory }
        if let directory = settings.workingDirectory { return directory }
        return ProcessTable.directory(of: getpid()) ?? "/"
    }

    /// What the process is given: a little of ours, what every pod gets, and what the template says, each able to refer to
    /// what stands before it.
    func environment(of record: PodRecord) -> [String: String] {
        var variables: [String: String] = [:]
        for name in ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH"] {
            if let value = getenv(name) { variables[name] = String(cString: value) }
        }
        variables["ROLLBOOK_IMAGE"] = record.spec.image
        variables["ROLLBOOK_IMAGE_TAG"] = record.spec.imageTag
        variables["ROLLBOOK_POD_TEMPLATE_HASH"] = record.podTemplateHash
        variables["ROLLBOOK_POD_NAME"] = record.name
        if let first = record.spec.ports.first, let port = record.ports[first.number] { variables["PORT"] = "\(port)" }
        for port in record.spec.ports {
            if let own = record.ports[port.number] { variables["PORT_\(port.number)"] = "\(own)" }
        }
        for variable in record.spec.environment {
            variables[variable.name] = expanded(variable.value, with: variables)
        }
        variables["ROLLBOOK_POD_UID"] = record.uid
        variables["ROLLBOOK_PODS"] = store.directory
        return variables
    }
}

extension Instant {
    /// The time by the clock of the machine.
    static var now: Instant {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Instant(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }
}
