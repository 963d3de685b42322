import Delivery

/// Where ready pods are announced; nginx, and a double in tests.
protocol PodTraffic: Sendable {
    /// The generation of the pods that are announced for `rollout`; 0 if none are.
    func generation(of rollout: RolloutName) async throws(PlatformFailure) -> Int

    /// Announces exactly the pods in `endpoints`; returns when no request that begins later goes to another pod.
    ///
    /// - Returns: The generation that stands then; above that of `endpoints` if a newer one did before.
    func announce(_ endpoints: NginxEndpoints, of rollout: RolloutName) async throws(PlatformFailure) -> Int

    /// Waits until no request is under way at `endpoint`, `timeout` at most; returns how many are.
    func idle(_ endpoint: String, timeout: Duration) async throws(PlatformFailure) -> Int
}

extension NginxServer: PodTraffic {
    func generation(of rollout: RolloutName) async throws(PlatformFailure) -> Int {
        try await control.state()[rollout.description]?.endpoints?.generation ?? 0
    }

    func announce(_ endpoints: NginxEndpoints, of rollout: RolloutName) async throws(PlatformFailure) -> Int {
        switch try await put(endpoints, of: rollout.description) {
        case .stands: endpoints.generation
        case .refused(let state): max(state.endpoints?.generation ?? 0, endpoints.generation + 1)
        }
    }

    func idle(_ endpoint: String, timeout: Duration) async throws(PlatformFailure) -> Int {
        try await control.idle(endpoint, timeout: timeout)
    }
}
