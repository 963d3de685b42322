import Analysis
import Delivery
import EventSourcing
import Testing

struct ManifestPlanTests {
    private func plan(_ canary: String, spec: String = "", then: String = "") throws -> ReleasePlan {
        try Fixtures.bundle(yaml: Fixtures.rollout(canary: canary, then: then, spec: spec)).plan()
    }

    @Test func `the plan of payments-api has everything`() throws {
        let plan = try Fixtures.bundle("payments-api.yaml").plan()
        #expect(plan.replicas == 6)
        #expect(plan.revisionHistoryLimit == 5)
        #expect(plan.progressDeadlineSeconds == 600)
        #expect(plan.maxSurge == 2)
        #expect(plan.maxUnavailable == 1)
        #expect(plan.scaleDownDelaySeconds == 30)
        #expect(plan.abortScaleDownDelaySeconds == 30)
        #expect(plan.steps.count == 7)
        #expect(plan.steps[0] == .setWeight(5))
        #expect(plan.steps[1] == .pause(seconds: 120))
        #expect(plan.steps[5] == .pause(seconds: 300))
        guard case .analysis(let analysis) = plan.steps[3] else {
            Issue.record("step 3 is \(plan.steps[3])")
            return
        }
        #expect(analysis.templates.map(\.name) == ["success-rate"])
        #expect(analysis.templates[0].digest.hasPrefix("sha256:"))
        #expect(analysis.arguments == [ArgumentPlan(name: "service-name", value: .literal("payments-api-canary"))])
        let routing = try #require(plan.routing)
        #expect(routing.router == "nginx")
        #expect(routing.maxWeight == 100)
        #expect(
            routing.canaryService
                == ServicePlan(name: "payments-api-canary", ports: [ServicePlan.Port(port: 80, target: 8080)]))
        #expect(
            routing.ingresses == [
                IngressPlan(
                    name: "payments-api",
                    rules: [
                        IngressPlan.Rule(
                            host: "payments.example.com", path: "/", pathType: "Prefix", servicePort: 80)
                    ])
            ])
        #expect(plan.background == nil)
        let resolved = try AnalysisResolution.resolve(
            analysis, latestHash: "a", stableHash: "b", rollout: Fixtures.bundle("payments-api.yaml").rollout)
        #expect(resolved.metrics.count == 1)
        #expect(resolved.metrics[0].plan.interval == .seconds(30))
        #expect(resolved.metrics[0].plan.failureLimit == 2)
        let query = resolved.metrics[0].provider["prometheus"]?["query"]?.stringValue ?? ""
        #expect(query.contains("service=\"payments-api-canary\","))
        #expect(!query.contains("{{"))
    }

    @Test func `a canary without anything has Argo's defaults`() throws {
        let plan = try plan("")
        #expect(plan == ReleasePlan(replicas: 1, maxSurge: 1, scaleDownDelaySeconds: 0, abortScaleDownDelaySeconds: 0))
    }

    @Test func `surge is rounded up, unavailable down, and never are both nothing`() throws {
        let table: [(Int, String, Int, Int)] = [
            (10, "", 3, 2), (3, "", 1, 0), (1, "", 1, 0), (0, "", 0, 0),
            (10, "maxSurge: \"5\"", 1, 2), (10, "maxSurge: 5", 5, 2), (10, "maxSurge: 0\nmaxUnavailable: 1%", 0, 1),
            (2, "maxUnavailable: 9", 1, 2), (10, "maxSurge: 150%", 15, 2),
        ]
        for (replicas, canary, surge, unavailable) in table {
            let plan = try plan(canary, spec: "replicas: \(replicas)")
            #expect(plan.maxSurge == surge, "\(replicas) \(canary)")
            #expect(plan.maxUnavailable == unavailable, "\(replicas) \(canary)")
        }
    }

    @Test func `pauses are seconds, durations, or without end`() throws {
        let table: [(String, Int?)] = [
            ("{}", nil), ("{duration: 10}", 10), ("{duration: \"10\"}", 10), ("{duration: 1h30m}", 5400),
            ("{duration: 500ms}", 0), ("{duration: 1m30s}", 90), ("{duration: 0}", 0),
            ("{duration: 1.5h}", 5400),
        ]
        for (pause, seconds) in table {
            #expect(try plan("steps:\n  - pause: \(pause)").steps == [.pause(seconds: seconds)], "\(pause)")
        }
    }

    @Test func `an abort delay of 0 with a router means never`() throws {
        let routed = "canaryService: c\nstableService: s\ntrafficRouting: {nginx: {stableIngress: i}}\n"
        #expect(try plan(routed + "abortScaleDownDelaySeconds: 0").abortScaleDownDelaySeconds == nil)
        #expect(try plan(routed + "abortScaleDownDelaySeconds: 7").abortScaleDownDelaySeconds == 7)
        #expect(try plan(routed).routing?.ingresses == [IngressPlan(name: "i", rules: [])])
        #expect(try plan(routed).routing?.canaryService.ports.isEmpty == true)
    }

    @Test func `a background analysis keeps its arguments open until it runs`() throws {
        let bundle = try Fixtures.bundle("canary-background-analysis.yaml")
        let background = try #require(try bundle.plan().background)
        #expect(background.startingStep == 2)
        #expect(
            background.analysis.arguments.map(\.value) == [
                .literal("shop-canary"), .latestHash, .field("metadata.labels['region']"),
            ])
        let resolved = try AnalysisResolution.resolve(
            background.analysis, latestHash: "new", stableHash: "old", rollout: bundle.rollout)
        #expect(resolved.arguments == ["service": "shop-canary", "hash": "new", "region": ""])
    }

    @Test(arguments: [
        ("blue-green.yaml", "spec.strategy.blueGreen"), ("workload-ref.yaml", "spec.workloadRef"),
        ("canary-dynamic-stable-scale.yaml", "spec.strategy.canary.dynamicStableScale"),
        ("canary-experiment-step.yaml", "spec.strategy.canary.trafficRouting.istio"),
        ("canary-istio-header-mirror.yaml", "spec.strategy.canary.trafficRouting.istio"),
    ])
    func `what is not carried out yet is refused, not passed over`(file: String, field: String) throws {
        let thrown = #expect(throws: ManifestProblems.self) { try Fixtures.bundle(file).plan() }
        let problem = try #require(thrown?.problems.first)
        #expect(problem.field == field)
        #expect(problem.message.hasSuffix("not carried out by this version yet"))
        #expect(problem.severity == .error)
    }

    @Test(arguments: [
        "canary-background-analysis.yaml", "canary-by-replicas.yaml", "canary-no-steps.yaml", "payments-api.yaml",
    ])
    func `these are carried out`(file: String) throws {
        let plan = try Fixtures.bundle(file).plan()
        #expect(try CanonicalJSON.read(ReleasePlan.self, from: CanonicalJSON.text(plan)) == plan)
    }

    @Test func `other providers than Prometheus are refused`() throws {
        let template = Fixtures.template(
            "t", "metrics: [{name: a, provider: {web: {url: \"http://x\", jsonPath: \"{$}\"}}}]")
        let thrown = #expect(throws: ManifestProblems.self) {
            try plan("steps:\n  - analysis: {templates: [{templateName: t}]}", then: template)
        }
        #expect(thrown?.problems.first?.message.contains("the provider web is not carried out") == true)
    }
}
