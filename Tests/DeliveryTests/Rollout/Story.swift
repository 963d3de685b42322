import Analysis
import Conditions
import Delivery
import EventSourcing
import TestKit

/// A rollout told as a story: orders and reports at moments, through the decider alone.
struct Story {
    var spec = DeciderSpec(RolloutDecider.self)
    var now = Instant("2026-11-24T09:00:00Z")!
    var releases = 0

    var rollout: Rollout { spec.state.rollout! }
    var release: Release { rollout.release! }
    var phase: RolloutPhase { rollout.phase }

    /// The names of the facts, without prefix and version.
    static func names(_ events: [RolloutEvent]) -> [String] {
        events.map { String($0.fact.wireName.dropFirst("rollout.".count).dropLast(".v1".count)) }
    }

    var weightsDecided: [Int] {
        spec.events.compactMap { if case .weightDecided(let decided) = $0.fact { decided.canary } else { nil } }
    }

    mutating func newRelease() -> Identifier {
        releases += 1
        return Identifier(at: now, random: (0, UInt64(releases)))
    }

    @discardableResult
    mutating func when(_ order: RolloutOrder) throws -> [String] {
        Self.names(try spec.when(RolloutCommand(at: now, order)))
    }

    @discardableResult
    mutating func apply(_ bundle: ManifestBundle) throws -> [String] {
        let id = newRelease()
        return try when(.apply(bundle, source: ManifestSource(kind: .cli), warnings: [], newRelease: id))
    }

    @discardableResult
    mutating func setImage(_ tag: String) throws -> [String] {
        let id = newRelease()
        return try when(.setImages(["app": "registry.example.com/shop:\(tag)"], newRelease: id))
    }

    mutating func pass(_ duration: Duration) { now = now + duration }

    /// The world obeys: sizes accepted, pods become available, splits applied, until nothing is outstanding.
    mutating func obey() throws {
        for _ in 0..<100 {
            guard let report = rollout.nextReport else { return }
            try when(report)
        }
    }

    /// A measurement of the only metric of the latest run.
    @discardableResult
    mutating func measure(_ value: Double) throws -> [String] { try measure(.value(.vector([value]))) }

    @discardableResult
    mutating func measure(_ outcome: MeasurementOutcome) throws -> [String] {
        guard let run = release.runs.last, let metric = run.metrics.first else { return [] }
        return try when(
            .reportMeasurement(
                MeasurementReport(
                    run: run.name, metric: metric.plan.name, number: run.taken(metric.plan.name) + 1, outcome: outcome,
                    startedAt: now, finishedAt: now,
                    source: MeasurementSource(provider: "prometheus", address: "http://p", queryDigest: "sha256:0"))))
    }

    /// A rollout whose first revision is in service.
    static func settled(_ bundle: ManifestBundle) throws -> Story {
        var story = Story()
        try story.apply(bundle)
        try story.obey()
        return story
    }
}

/// Manifests of the stories.
enum Plans {
    static let guideSteps: [JSONValue] = [
        ["setWeight": 5], ["pause": ["duration": "2m"]], ["setWeight": 25],
        [
            "analysis": [
                "templates": [["templateName": "errors"]], "args": [["name": "service", "value": "shop-canary"]],
            ]
        ],
        ["setWeight": 50], ["pause": [:]], ["setWeight": 100],
    ]

    static func shop(
        tag: String = "1", replicas: Int = 4, steps: [JSONValue] = guideSteps, background: JSONValue? = nil,
        deadlineAbort: Bool = false, metric: [String: JSONValue] = [:]
    ) -> ManifestBundle {
        var canary: [String: JSONValue] = [
            "canaryService": "shop-canary", "stableService": "shop-stable",
            "trafficRouting": ["nginx": ["stableIngress": "shop"]], "steps": .array(steps),
        ]
        if let background { canary["analysis"] = background }
        let rollout: JSONValue = [
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": ["name": "shop"],
            "spec": [
                "replicas": .int(Int64(replicas)), "selector": ["matchLabels": ["app": "shop"]],
                "progressDeadlineSeconds": 60, "progressDeadlineAbort": .bool(deadlineAbort),
                "template": [
                    "metadata": ["labels": ["app": "shop"]],
                    "spec": [
                        "containers": [
                            [
                                "name": "app", "image": .string("registry.example.com/shop:\(tag)"),
                                "ports": [["containerPort": 8080]],
                            ]
                        ]
                    ],
                ], "strategy": ["canary": .object(canary)],
            ],
        ]
        return ManifestBundle(rollout: rollout, related: related(metric))
    }

    private static func related(_ metric: [String: JSONValue]) -> [JSONValue] {
        func service(_ name: String) -> JSONValue {
            [
                "apiVersion": "v1", "kind": "Service", "metadata": ["name": .string(name)],
                "spec": ["selector": ["app": "shop"], "ports": [["port": 80, "targetPort": 8080]]],
            ]
        }
        let base: [String: JSONValue] = [
            "name": "error-rate", "interval": "30s", "count": 5, "successCondition": "result[0] <= 0.01",
            "failureLimit": 2,
            "provider": ["prometheus": ["address": "http://p:9090", "query": "errors{service=\"{{args.service}}\"}"]],
        ]
        return [
            service("shop-canary"), service("shop-stable"),
            [
                "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": ["name": "shop"],
                "spec": [
                    "rules": [
                        [
                            "host": "shop.example.com",
                            "http": [
                                "paths": [
                                    [
                                        "path": "/", "pathType": "Prefix",
                                        "backend": ["service": ["name": "shop-stable", "port": ["number": 80]]],
                                    ]
                                ]
                            ],
                        ]
                    ]
                ],
            ],
            [
                "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": ["name": "errors"],
                "spec": [
                    "args": [["name": "service"]], "metrics": [.object(base.merging(metric) { $1 })],
                ],
            ],
        ]
    }
}
