public import Delivery
import EventSourcing

/// Splits traffic in a private nginx.
///
/// A request is *begun* when nginx picks a set for it. Those begun after the switch see the new weights; those begun before
/// are counted, and `route` awaits their end: it fails, to be tried again, if some are still under way after `drainTimeout`.
public struct LocalTrafficRouter: TrafficRouter {
    let nginx: NginxServer
    let gate: SiteGate
    let drainTimeout: Duration

    /// Makes nginx obey `intent`: server blocks by a reload if they are new, weights without one.
    ///
    /// - Throws: `.staleGeneration` with the newer one; `.fenced`; `.rejected` for an Ingress that nginx cannot serve;
    ///   `.unavailable` if nginx cannot be reached or requests under older weights do not end.
    public func route(_ intent: RouteIntent) async throws(PlatformFailure) -> RouteObservation {
        let backend = intent.rollout.description
        let wanted = NginxRoute(intent)
        let sites = try Self.sites(of: intent)
        let state: NginxBackendState
        switch try await nginx.put(wanted, of: backend) {
        case .stands(let standing): state = standing
        case .refused(let standing):
            try Self.refuseIfFenced(intent, by: standing.route)
            let generation = standing.route?.generation ?? 0
            throw PlatformFailure(
                .staleGeneration,
                generation == intent.generation
                    ? "route \(generation) of \(intent.rollout) was carried out with another split before"
                    : "route \(intent.generation) of \(intent.rollout) came after \(generation)",
                generation: generation)
        }
        try await gate.serve(sites, of: backend, by: nginx)
        let left = try await nginx.control.drained(backend, before: state.version, timeout: drainTimeout)
        if Task.isCancelled { throw PlatformFailure(.cancelled, "route \(intent.generation) was given up") }
        guard left == 0 else {
            throw PlatformFailure(
                .unavailable, "\(left) requests that began under older weights are under way after \(drainTimeout)")
        }
        guard let seen = try await nginx.control.state()[backend], let route = seen.route else {
            throw PlatformFailure(.unavailable, "nginx forgot the weights of \(backend)")
        }
        try Self.refuseIfFenced(intent, by: route)
        guard route.generation == intent.generation else {
            throw PlatformFailure(
                .staleGeneration,
                "route \(intent.generation) of \(intent.rollout) was overtaken by \(route.generation)",
                generation: route.generation)
        }
        return observation(route, seen)
    }

    private static func refuseIfFenced(_ intent: RouteIntent, by standing: NginxRoute?) throws(PlatformFailure) {
        guard let epoch = standing?.epoch, epoch > intent.epoch else { return }
        throw PlatformFailure(
            .fenced,
            "route \(intent.generation) of \(intent.rollout) is of epoch \(intent.epoch), nginx obeys epoch \(epoch)",
            generation: standing?.generation, epoch: epoch)
    }

    /// The weights that nginx obeys; `nil` if it has none of `rollout`.
    public func observe(_ rollout: RolloutName) async throws(PlatformFailure) -> RouteObservation? {
        guard let state = try await nginx.control.state()[rollout.description], let route = state.route else {
            return nil
        }
        return observation(route, state)
    }

    private func observation(_ route: NginxRoute, _ state: NginxBackendState) -> RouteObservation {
        let pods = state.endpoints
        let falls = state.canaryFallsToStable ? "; the canary has no ready pod, its part goes to the stable set" : ""
        return RouteObservation(
            generation: route.generation, split: route.split, router: "nginx",
            detail: "state \(state.version): \(pods?.pods(of: route.stableHash) ?? 0) stable and "
                + "\(pods?.pods(of: route.canaryHash) ?? 0) canary pods in traffic; no older request under way\(falls)")
    }

    /// The server blocks that an intent's Ingresses ask for.
    static func sites(of intent: RouteIntent) throws(PlatformFailure) -> [NginxSite] {
        let backend = intent.rollout.description
        var sites: [String?: [NginxSite.Path]] = [:]
        for ingress in intent.routing.ingresses {
            for rule in ingress.rules {
                let port = try targetPort(rule.servicePort, of: intent.routing.stableService)
                let path = NginxSite.Path(
                    path: rule.path, isExact: rule.pathType == "Exact", backend: backend, port: port)
                if sites[rule.host]?.contains(path) != true { sites[rule.host, default: []].append(path) }
            }
        }
        guard !sites.isEmpty else {
            throw PlatformFailure(
                .rejected,
                "no Ingress rule leads to Service \(intent.routing.stableService.name): add one to the manifest, named by "
                    + "trafficRouting.nginx.stableIngress")
        }
        let made = sites.map { NginxSite(host: $0.key, paths: $0.value) }
        for site in made { try site.check() }
        return made
    }

    /// The pods' port behind a Service's port, by number or name.
    private static func targetPort(_ port: JSONValue, of service: ServicePlan) throws(PlatformFailure) -> String {
        let wanted = port.intValue.map(String.init) ?? port.stringValue ?? ""
        guard !service.ports.isEmpty else { return wanted }
        guard let found = service.ports.first(where: { String($0.port) == wanted || $0.name == wanted }) else {
            throw PlatformFailure(.rejected, "Service \(service.name) has no port “\(wanted)”, which its Ingress names")
        }
        return found.target.intValue.map(String.init) ?? found.target.stringValue ?? String(found.port)
    }
}

/// Lets one rollout at a time change the server blocks, which all rollouts share.
actor SiteGate {
    private var last: Task<Void, Never>?

    /// Serves `sites` of `backend` beside those of all others.
    ///
    /// - Throws: `.rejected` if a path belongs to another rollout already.
    func serve(_ sites: [NginxSite], of backend: String, by nginx: NginxServer) async throws(PlatformFailure) {
        let earlier = last
        let done = AsyncStream.makeStream(of: Never.self)
        // Awaited by the next caller; ends when this call does.
        last = Task {
            await earlier?.value
            for await _ in done.stream {}
        }
        defer { done.continuation.finish() }
        await earlier?.value
        var all: [String?: [NginxSite.Path]] = [:]
        for site in await nginx.sites { all[site.host] = site.paths.filter { $0.backend != backend } }
        for site in sites {
            for path in site.paths {
                if let other = all[site.host]?.first(where: { $0.path == path.path && $0.isExact == path.isExact }) {
                    throw PlatformFailure(
                        .rejected,
                        "\(site.host ?? "*")\(path.path) leads to \(other.backend) already: give it another host or path"
                    )
                }
            }
            all[site.host, default: []] += site.paths
        }
        try await nginx.serve(all.filter { !$0.value.isEmpty }.map { NginxSite(host: $0.key, paths: $0.value) })
    }
}
