public import Delivery

/// Runs pods as supervised processes of this machine.
public struct LocalWorkloads: Workloads {
    let supervisor: PodSupervisor

    /// Makes each named set want so many processes; the state files say so before this returns.
    ///
    /// - Throws: `.staleGeneration`; `.rejected` naming the field of the pod template that a process cannot be made from.
    public func scale(_ intent: ScaleIntent) async throws(PlatformFailure) { try await supervisor.scale(intent) }

    /// Every set as it is, then each change.
    public func observations() -> AsyncStream<PodObservation> {
        let supervisor = supervisor
        return AsyncStream { continuation in
            // Awaited by nobody: it ends with the consumer, or when the platform rests.
            let task = Task {
                for await seen in await supervisor.observations() { continuation.yield(seen) }
                continuation.finish()
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }
}
