import Delivery
import Glibc
import Logging

extension PodSupervisor {
    /// Takes a pod out: out of traffic, drained, SIGTERM, and SIGKILL after its grace; then forgets it.
    ///
    /// Gives up when the task is cancelled; the record says that the pod is going, so a later run goes on with this.
    func seeOff(_ uid: String) async {
        guard let record = pods[uid]?.record else { return }
        tell(record.rollout, record.podTemplateHash)
        guard let process = record.process, let handle = ProcessHandle(process) else { return forget(uid) }
        defer { handle.close() }
        await leaveTraffic(record)
        if Task.isCancelled { return }
        handle.send(SIGTERM)
        if await !ended(handle, within: .seconds(record.spec.graceSeconds)) {
            if Task.isCancelled { return }
            logger.warning("pod outlived its grace", metadata: ["pod.name": "\(record.name)"])
            kill(-process.pid, SIGKILL)
            handle.send(SIGKILL)
            if await !ended(handle, within: .seconds(60)) { return }
        }
        forget(uid)
    }

    /// Returns when no request goes to the pod any more, or `drainTimeout` has passed.
    private func leaveTraffic(_ record: PodRecord) async {
        let timeout = settings.drainTimeout
        // Traffic that cannot be reached must not keep a pod alive for ever, and carries nothing to it either.
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await self.announce(record.rollout)
                for address in Set(record.addresses.values) {
                    do {
                        let left = try await self.traffic.idle(address, timeout: timeout)
                        if left > 0 {
                            self.logger.warning(
                                "requests are still under way at a pod that goes",
                                metadata: ["pod.name": "\(record.name)", "requests": "\(left)"])
                        }
                    } catch {
                        self.logger.warning(
                            "cannot see whether a pod is idle",
                            metadata: ["pod.name": "\(record.name)", "error": "\(error)"])
                    }
                }
            }
            group.addTask { do { try await Task.sleep(for: timeout) } catch { return } }
            await group.next()
            group.cancelAll()
        }
    }

    private func ended(_ handle: ProcessHandle, within patience: Duration) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                _ = await handle.ended(withGroup: true)
                return !Task.isCancelled
            }
            group.addTask {
                do { try await Task.sleep(for: patience) } catch { return false }
                return false
            }
            defer { group.cancelAll() }
            return await group.next() ?? false
        }
    }
}
