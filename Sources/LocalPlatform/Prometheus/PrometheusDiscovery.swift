public import Delivery
public import Logging

/// Tells Prometheus which pods are behind which Service, as a cluster's service discovery would.
///
/// Which Service points to which set is learned from the route intents that go through ``DiscoveredRouter``; which pods
/// are ready, from nginx. It looks once a second: Prometheus itself takes changes up about every 5 s.
public actor PrometheusDiscovery {
    private let nginx: NginxServer
    private let prometheus: PrometheusServer
    private let logger: Logger
    private var services: [RolloutName: (stable: String, canary: String)] = [:]

    /// Joins the two.
    public init(nginx: NginxServer, prometheus: PrometheusServer, logger: Logger) {
        self.nginx = nginx
        self.prometheus = prometheus
        self.logger = logger
    }

    /// Keeps the targets true until the task is cancelled.
    public func run() async {
        while !Task.isCancelled {
            if !services.isEmpty {
                do { try await prometheus.scrape(targets(try await nginx.control.state())) } catch {
                    logger.debug("scrape targets not renewed", metadata: ["error": "\(error)"])
                }
            }
            await Wait.pause(.seconds(1))
        }
    }

    func learn(_ intent: RouteIntent) {
        services[intent.rollout] = (intent.routing.stableService.name, intent.routing.canaryService.name)
    }

    private func targets(_ state: [String: NginxBackendState]) -> [PrometheusTarget] {
        services.flatMap { rollout, names -> [PrometheusTarget] in
            guard let backend = state[rollout.description], let route = backend.route else { return [] }
            return (backend.endpoints?.sets ?? [:]).flatMap { hash, ports -> [PrometheusTarget] in
                let service: String
                if hash == route.stableHash {
                    service = names.stable
                } else if hash == route.canaryHash {
                    service = names.canary
                } else {
                    return []
                }
                return Set(ports.values.joined()).map {
                    PrometheusTarget(address: $0, service: service, rollout: rollout, podTemplateHash: hash)
                }
            }
        }
    }
}

/// A router whose intents the discovery learns from.
public struct DiscoveredRouter: TrafficRouter {
    private let router: any TrafficRouter
    private let discovery: PrometheusDiscovery

    /// Decorates `router`.
    public init(_ router: any TrafficRouter, for discovery: PrometheusDiscovery) {
        self.router = router
        self.discovery = discovery
    }

    /// Routes, and lets the discovery know the Services.
    public func route(_ intent: RouteIntent) async throws(PlatformFailure) -> RouteObservation {
        await discovery.learn(intent)
        return try await router.route(intent)
    }

    /// What the router sees.
    public func observe(_ rollout: RolloutName) async throws(PlatformFailure) -> RouteObservation? {
        try await router.observe(rollout)
    }
}
