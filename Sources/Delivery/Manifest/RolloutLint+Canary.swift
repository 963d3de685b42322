internal import EventSourcing

/// The canary strategy: services, routers, scaling.
extension RolloutLint {
    private static let routers = ["istio", "nginx", "alb", "smi", "ambassador", "appMesh", "traefik", "apisix"]

    var routing: JSONValue? { findings[Self.canary / "trafficRouting"] }

    func routes(through routers: String...) -> Bool { routers.contains { routing?.given($0) != nil } }

    /// The whole that weights are a part of.
    var maxWeight: Int { routing?["maxTrafficWeight"]?.intValue ?? 100 }

    mutating func checkCanary() {
        checkSurge()
        checkCanaryServices()
        checkScaling()
        checkRouting()
        checkAntiAffinity(Self.canary)
        for index in (findings[Self.canary / "steps"]?.arrayValue ?? []).indices {
            checkStep(Self.canary / "steps" / index)
        }
        let services = ["canaryService", "stableService", "pingPong.pingService", "pingPong.pongService"]
        for service in services {
            checkService(service.split(separator: ".").reduce(Self.canary) { $0 / String($1) })
        }
        checkIngresses()
        if findings[Self.canary / "analysis"] != nil { checkBackground() }
    }

    private mutating func checkSurge() {
        for key in ["maxSurge", "maxUnavailable"] {
            let path = Self.canary / key
            if let pods = findings[path]?.intValue, pods < 0 {
                findings.error(path, "must be greater than or equal to 0", fix: "write 0 or more")
            }
            if let text = findings[path]?.stringValue, Percentage.parse(text) == nil {
                findings.error(
                    path, "a number of pods or a percentage is wanted, at most \(Int32.max)", fix: "write 1 or 25%")
            }
        }
        func isZero(_ value: JSONValue?) -> Bool {
            value?.intValue == 0 || value?.stringValue.map { Percentage.parse($0) == 0 } ?? false
        }
        if isZero(findings[Self.canary / "maxSurge"]), isZero(findings[Self.canary / "maxUnavailable"]) {
            findings.error(
                Self.canary / "maxSurge", "MaxSurge and MaxUnavailable both can not be zero",
                fix: "raise one of the two, such as maxSurge: 1")
        }
    }

    private mutating func checkCanaryServices() {
        let canaryService = findings[Self.canary / "canaryService"]?.stringValue ?? ""
        let stableService = findings[Self.canary / "stableService"]?.stringValue ?? ""
        if !canaryService.isEmpty, canaryService == stableService {
            findings.error(
                Self.canary / "stableService",
                "This rollout uses the same service for the stable and canary services, but two different services are "
                    + "required.", fix: "name two different Services")
        }
        let hasPingPong = findings[Self.canary / "pingPong"] != nil
        let istio = routing?.given("istio")
        let needsBoth =
            routes(through: "smi", "apisix", "ambassador", "nginx", "appMesh", "traefik")
            || (routes(through: "alb") && !hasPingPong)
            || (istio != nil && istio?.given("destinationRule") == nil && !hasPingPong)
        guard needsBoth else { return }
        for (key, name) in [("canaryService", canaryService), ("stableService", stableService)] where name.isEmpty {
            findings.error(
                Self.canary / key, "Canary service and Stable service must to be set to use Traffic Routing",
                fix: "name the Service, such as \(key): \(findings.document.name)-\(key.prefix(6))")
        }
    }

    private mutating func checkScaling() {
        let delay = Self.canary / "scaleDownDelaySeconds"
        let dynamic = Self.canary / "dynamicStableScale"
        for key in ["scaleDownDelaySeconds", "abortScaleDownDelaySeconds", "scaleDownDelayRevisionLimit"] {
            if let number = findings[Self.canary / key]?.intValue, number < 0 {
                findings.error(Self.canary / key, "must be greater than or equal to 0", fix: "write 0 or more")
            }
        }
        if routing == nil, findings[delay] != nil {
            findings.error(
                delay, "Canary scaleDownDelaySeconds can only be used with traffic routing",
                fix: "remove it, or add trafficRouting")
        }
        guard findings[dynamic]?.boolValue == true else { return }
        if routing == nil {
            findings.error(
                dynamic, "Canary dynamicStableScale can only be used with traffic routing",
                fix: "remove it, or add trafficRouting")
        } else if findings[delay] != nil {
            findings.error(
                dynamic, "Canary dynamicStableScale cannot be used with scaleDownDelaySeconds",
                fix: "remove one of the two")
        }
    }

    private mutating func checkRouting() {
        checkPingPong()
        guard let routing else { return }
        let path = Self.canary / "trafficRouting"
        if !routes(through: "plugins"), !Self.routers.contains(where: { routing.given($0) != nil }) {
            findings.error(path, "no traffic router is named", fix: "write nginx, istio or another router below it")
        }
        let maximum = path / "maxTrafficWeight"
        if let weight = findings[maximum]?.intValue {
            if !routes(through: "nginx", "plugins") {
                findings.error(
                    maximum, "Canary maxTrafficWeight in traffic routing only supported in Nginx and Plugins",
                    fix: "remove it")
            } else if weight < 1 {
                findings.error(maximum, "must be greater than 0", fix: "write 100 or 1000")
            }
        }
        eitherOr(path / "nginx", "stableIngress", "stableIngresses", "StableIngress", "StableIngresses")
        eitherOr(path / "alb", "ingress", "ingresses", "Ingress", "Ingresses")
        if let istio = routing.given("istio"),
            (istio.given("virtualService") == nil) == (istio.given("virtualServices") == nil)
        {
            findings.error(
                path / "istio", "either VirtualService or VirtualServices must be configured",
                fix: "write one of the two")
        }
        if let ambassador = routing.given("ambassador"), ambassador["mappings"]?.arrayValue?.isEmpty ?? true {
            findings.error(path / "ambassador" / "mappings", "must provide at least one mapping", fix: "list a mapping")
        }
        if let appMesh = routing.given("appMesh"), appMesh.given("virtualService") == nil {
            findings.error(
                path / "appMesh" / "virtualService", "must provide virtual-service", fix: "name the virtual service")
        }
    }

    private mutating func eitherOr(_ path: FieldPath, _ one: String, _ many: String, _ first: String, _ second: String)
    {
        guard let router = findings[path] else { return }
        let hasOne = router[one]?.nonEmptyString != nil
        let hasMany = !(router[many]?.arrayValue ?? []).isEmpty
        guard hasOne == hasMany else { return }
        findings.error(
            path,
            "Either \(first) or \(second) must be configured. "
                + (hasOne ? "Both are configured." : "Neither are configured."),
            fix: hasOne ? "remove one of the two" : "name the Ingress that leads to the stable Service in \(one)")
    }

    private mutating func checkPingPong() {
        let path = Self.canary / "pingPong"
        guard let pair = findings[path] else { return }
        if routing != nil, !routes(through: "alb", "istio", "plugins") {
            findings.error(
                path, "Ping-pong feature works with the ALB, Istio, and plugin-based traffic routers only",
                fix: "remove pingPong")
        }
        for key in ["pingService", "pongService"] where pair[key]?.nonEmptyString == nil {
            findings.error(
                path / key, "Ping service and Pong service must to be set to use Ping-Pong feature",
                fix: "name the Service")
        }
        if let ping = pair["pingService"]?.nonEmptyString, ping == pair["pongService"]?.stringValue {
            findings.error(
                path / "pingService",
                "This rollout uses the same service for the ping and pong services, but two different services are "
                    + "required.", fix: "name two different Services")
        }
        if let alb = routing?.given("alb"), alb["rootService"]?.nonEmptyString == nil {
            findings.error(
                Self.canary / "trafficRouting" / "alb" / "rootService",
                "Root service field is required for the configuration with ALB and ping-pong feature enabled",
                fix: "name the root Service")
        }
    }

    /// - Source: Argo Rollouts, utils/ingress `HasRuleWithService`; validation_references.go `ValidateIngress`.
    private mutating func checkIngresses() {
        let nginx = Self.canary / "trafficRouting" / "nginx"
        var places = [nginx / "stableIngress"]
        places += (findings[nginx / "stableIngresses"]?.arrayValue ?? []).indices.map { nginx / "stableIngresses" / $0 }
        guard let stable = findings[Self.canary / "stableService"]?.nonEmptyString else { return }
        for place in places {
            guard let name = findings[place]?.nonEmptyString, let ingress = other("Ingress", name) else { continue }
            let paths = (ingress["spec"]?["rules"]?.arrayValue ?? []).flatMap { $0["http"]?["paths"]?.arrayValue ?? [] }
            let backends = paths.map { $0["backend"] } + [ingress["spec"]?["defaultBackend"]]
            if !backends.contains(where: { $0?["service"]?["name"]?.stringValue == stable }) {
                findings.error(
                    place, "ingress `\(name)` has no rules using service \(stable) backend",
                    fix: "let a path of the Ingress lead to \(stable)")
            }
        }
    }
}
