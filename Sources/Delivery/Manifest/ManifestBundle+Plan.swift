internal import EventSourcing

/// What a release under this manifest is to do.
extension ManifestBundle {
    /// The plan with defaults filled in, durations and percentages worked out, and templates merged.
    ///
    /// - Throws: Every error of `ManifestLint`, templates that are not in the bundle included; or, if there is none, what
    ///   this version does not carry out yet.
    public func plan() throws(ManifestProblems) -> ReleasePlan {
        let document = ManifestDocument(rollout)
        let errors = ManifestLint.check(
            document, beside: related, strict: false, missingTemplates: .error
        ).filter { $0.severity == .error }
        if !errors.isEmpty { throw ManifestProblems(errors) }
        let templateErrors = related.flatMap {
            ManifestLint.check(ManifestDocument($0), beside: related, strict: false, missingTemplates: .error)
        }.filter { $0.severity == .error }
        if !templateErrors.isEmpty { throw ManifestProblems(templateErrors) }
        let refused = NotCarriedOut.problems(in: document, severity: .error)
        if !refused.isEmpty { throw ManifestProblems(refused) }
        return try PlanBuilder(bundle: self).plan()
    }
}

/// Works out a plan of a Rollout that lint has passed.
private struct PlanBuilder {
    let bundle: ManifestBundle
    let shelf: TemplateShelf

    init(bundle: ManifestBundle) {
        self.bundle = bundle
        shelf = TemplateShelf(bundle.related, namespace: bundle.namespace)
    }

    var spec: JSONValue { bundle.rollout["spec"] ?? .object([:]) }
    var canary: JSONValue { spec["strategy"]?["canary"] ?? .object([:]) }
    static let canaryPath = FieldPath("spec", "strategy", "canary")

    func plan() throws(ManifestProblems) -> ReleasePlan {
        let replicas = spec["replicas"]?.intValue ?? 1
        let (maxSurge, maxUnavailable) = limits(replicas)
        let routing = routing
        var background: BackgroundAnalysis?
        if let analysis = canary.given("analysis"), !TemplateName.list(analysis["templates"]).isEmpty {
            background = BackgroundAnalysis(
                analysis: try self.analysis(analysis, at: Self.canaryPath / "analysis"),
                startingStep: analysis["startingStep"]?.intValue ?? 0)
        }
        return ReleasePlan(
            replicas: replicas, minReadySeconds: spec["minReadySeconds"]?.intValue ?? 0,
            progressDeadlineSeconds: spec["progressDeadlineSeconds"]?.intValue ?? 600,
            progressDeadlineAbort: spec["progressDeadlineAbort"]?.boolValue ?? false,
            revisionHistoryLimit: spec["revisionHistoryLimit"]?.intValue ?? 10,
            paused: spec["paused"]?.boolValue ?? false, steps: try steps(), routing: routing, background: background,
            maxSurge: maxSurge, maxUnavailable: maxUnavailable,
            scaleDownDelaySeconds: routing == nil ? 0 : canary["scaleDownDelaySeconds"]?.intValue ?? 30,
            abortScaleDownDelaySeconds: abortDelay(isRouted: routing != nil))
    }

    /// 30 s with a router, 0 there meaning never; without one the canary goes at once.
    ///
    /// - Source: Argo Rollouts, utils/defaults `GetAbortScaleDownDelaySecondsOrDefault`.
    private func abortDelay(isRouted: Bool) -> Int? {
        guard isRouted else { return 0 }
        let delay = canary["abortScaleDownDelaySeconds"]?.intValue ?? 30
        return delay == 0 ? nil : delay
    }

    /// - Source: Argo Rollouts, utils/replicaset `resolveFenceposts`.
    private func limits(_ replicas: Int) -> (surge: Int, unavailable: Int) {
        let surge = Self.pods(canary.given("maxSurge") ?? "25%", of: replicas, roundedUp: true)
        var unavailable = Self.pods(canary.given("maxUnavailable") ?? "25%", of: replicas, roundedUp: false)
        if surge == 0, unavailable == 0 { unavailable = 1 }
        return (surge, min(unavailable, replicas))
    }

    /// A whole number is pods; any text is a percentage, with or without `%`.
    private static func pods(_ value: JSONValue, of replicas: Int, roundedUp: Bool) -> Int {
        if let pods = value.intValue { return pods }
        let percent = Percentage.parse(value.stringValue ?? "") ?? 0
        return (replicas * percent + (roundedUp ? 99 : 0)) / 100
    }

    private func steps() throws(ManifestProblems) -> [PlanStep] {
        var steps: [PlanStep] = []
        for (index, step) in (canary["steps"]?.arrayValue ?? []).enumerated() {
            if let weight = step["setWeight"]?.intValue {
                steps.append(.setWeight(weight))
            } else if let pause = step.given("pause") {
                steps.append(.pause(seconds: Self.seconds(pause.given("duration"))))
            } else if let analysis = step.given("analysis") {
                steps.append(.analysis(try self.analysis(analysis, at: Self.canaryPath / "steps" / index / "analysis")))
            }
        }
        return steps
    }

    private static func seconds(_ duration: JSONValue?) -> Int? {
        duration?.intValue ?? duration?.stringValue.flatMap(GoDuration.pauseSeconds)
    }

    private func analysis(_ analysis: JSONValue, at path: FieldPath) throws(ManifestProblems) -> AnalysisPlan {
        let merge: TemplateMerge
        do throws(TemplateProblem) {
            merge = try TemplateMerge(of: analysis, from: shelf)
        } catch {
            throw ManifestProblems([
                ManifestProblem(field: (path / "templates").description, message: error.message, fix: error.fix)
            ])
        }
        let refused = NotCarriedOut.problems(in: merge, at: path, severity: .error)
        if !refused.isEmpty { throw ManifestProblems(refused) }
        return AnalysisPlan(
            templates: merge.templates.map {
                TemplateReference(
                    name: $0.name.name, clusterScope: $0.name.clusterScope, digest: ManifestBundle.digest(of: $0.value))
            },
            arguments: merge.arguments, metrics: merge.metrics, dryRun: merge.dryRun)
    }

    private var routing: RoutingPlan? {
        guard let routing = canary.given("trafficRouting"), let nginx = routing.given("nginx"),
            let canaryService = canary["canaryService"]?.nonEmptyString,
            let stableService = canary["stableService"]?.nonEmptyString
        else { return nil }
        let names = ([nginx["stableIngress"]] + (nginx["stableIngresses"]?.arrayValue ?? []))
            .compactMap { $0?.nonEmptyString }
        return RoutingPlan(
            canaryService: service(canaryService), stableService: service(stableService),
            maxWeight: routing["maxTrafficWeight"]?.intValue ?? 100, router: "nginx", routerSettings: nginx,
            ingresses: names.map { ingress($0, stableService: stableService) })
    }

    private func document(_ kind: String, _ name: String) -> JSONValue? {
        let identity = DocumentIdentity(kind: kind, namespace: bundle.namespace, name: name)
        return bundle.related.first { DocumentIdentity($0) == identity }
    }

    private func service(_ name: String) -> ServicePlan {
        let ports = document("Service", name)?["spec"]?["ports"]?.arrayValue ?? []
        return ServicePlan(
            name: name,
            ports: ports.compactMap { port in
                port["port"]?.intValue.map {
                    ServicePlan.Port(
                        name: port["name"]?.stringValue, port: $0, target: port.given("targetPort") ?? .int(Int64($0)))
                }
            })
    }

    private func ingress(_ name: String, stableService: String) -> IngressPlan {
        let spec = document("Ingress", name)?["spec"]
        var rules: [IngressPlan.Rule] = []
        func add(_ backend: JSONValue?, host: String?, path: String, pathType: String) {
            guard let service = backend?["service"], service["name"]?.stringValue == stableService else { return }
            let port = service["port"]
            rules.append(
                IngressPlan.Rule(
                    host: host, path: path, pathType: pathType,
                    servicePort: port?.given("number") ?? port?.given("name") ?? .null))
        }
        for rule in spec?["rules"]?.arrayValue ?? [] {
            for path in rule["http"]?["paths"]?.arrayValue ?? [] {
                add(
                    path["backend"], host: rule["host"]?.nonEmptyString, path: path["path"]?.nonEmptyString ?? "/",
                    pathType: path["pathType"]?.stringValue ?? "ImplementationSpecific")
            }
        }
        add(spec?["defaultBackend"], host: nil, path: "/", pathType: "Prefix")
        return IngressPlan(name: name, rules: rules)
    }
}

/// Percentages as `maxSurge` has them.
enum Percentage {
    /// The number before `%`, which may be missing; `nil` if there is none, or it is not one from 0 to `Int32.max`.
    static func parse(_ text: String) -> Int? {
        let digits = text.hasSuffix("%") ? text.dropLast() : text[...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return Int32(digits).map(Int.init)
    }
}
