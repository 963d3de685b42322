internal import Analysis
internal import Conditions
public import Delivery
public import EventSourcing

/// A rollout that many things happen to, told by the decider alone: releases that complete, are stopped by their
/// analysis, by a person, are tried again, give way; measurements good, bad, failed and odd.
public struct EventfulRollout {
    /// Its name.
    public static let name = RolloutName(namespace: "default", name: "shop")!

    private var state = RolloutState.absent
    private var events: [RolloutEvent] = []
    private var now = Instant("2026-11-24T09:00:00Z")!
    private var releases: UInt64 = 0

    private init() {}

    /// The events of so many releases, in order.
    public static func told(releases: Int) throws -> [RolloutEvent] {
        var told = EventfulRollout()
        try told.order(
            .apply(bundle, source: ManifestSource(kind: .cli), warnings: ["none"], newRelease: told.newRelease()))
        try told.obey()
        for number in 2...releases { try told.release(number) }
        return told.events
    }

    /// As they are given to a store, with ids of their own.
    public static func appended(_ events: [RolloutEvent]) -> [NewEvent] {
        events.enumerated().map { index, event in
            let coded = RolloutDecider.encode(event)
            return NewEvent(
                id: Identifier(at: event.at, random: (1, UInt64(index))), type: coded.type,
                occurredAt: coded.occurredAt,
                actor: .controller("test"), causation: nil, correlation: Identifier(at: event.at, random: (2, 0)),
                data: coded.data)
        }
    }

    /// As they are read from a log that has nothing else, an event each second.
    public static func recorded(_ events: [RolloutEvent]) -> [RecordedEvent] {
        appended(events).enumerated().map { index, event in
            RecordedEvent(
                position: GlobalPosition(Int64(index + 1)), epoch: 1, stream: name.stream,
                version: StreamVersion(Int64(index + 1)),
                recordedAt: Instant("2026-11-25T09:00:00Z")! + .seconds(index), event: event)
        }
    }

    private mutating func release(_ number: Int) throws {
        try order(.setImages(["app": "shop:\(number)"], newRelease: newRelease()))
        if number.isMultiple(of: 7) { return }  // gives way to the next before anything was done
        try obey()
        for measured in 0..<4 where state.rollout?.release?.hasEnded == false {
            now = now + .seconds(31)
            try order(.wake)
            switch (number % 4, measured) {
            case (0, _): try measure(.value(.vector([0.5])))
            case (1, 1): try measure(.error("connection refused: \"p\"\n\u{1F600}"))
            case (2, 0): try measure(.value(.vector([.nan, .infinity])))
            case (3, 2): try measure(.value(.string("é")))
            default: try measure(.value(.vector([0.001 * Double(measured)])))
            }
            try obey()
        }
        if number.isMultiple(of: 5), state.rollout?.release?.hasEnded == false {
            try order(.abort(reason: "it's \"odd\""))
            try obey()
        }
        if case .aborted = state.rollout?.release?.course {
            try order(.retry(newRelease: newRelease()))
            try obey()
            now = now + .seconds(31)
            try order(.wake)
            try measure(.value(.vector([0])))
        } else if state.rollout?.release?.progress?.pause != nil {
            try order(.promote(full: number.isMultiple(of: 3), reason: nil))
        }
        try obey()
        now = now + .seconds(40)
        try order(.wake)
        try obey()
    }

    private mutating func newRelease() -> Identifier {
        releases += 1
        return Identifier(at: now, random: (0, releases))
    }

    private mutating func order(_ order: RolloutOrder) throws {
        now = now + .milliseconds(700)
        for event in try RolloutDecider.decide(RolloutCommand(at: now, order), given: state) {
            RolloutDecider.evolve(&state, with: event)
            events.append(event)
        }
    }

    /// The world does what it is told until nothing is outstanding.
    private mutating func obey() throws {
        while let report = state.rollout?.nextReport { try order(report) }
    }

    /// The same answer to every metric of the runs that are under way.
    private mutating func measure(_ outcome: MeasurementOutcome) throws {
        for run in state.rollout?.release?.runs ?? [] where run.conclusion == nil {
            for metric in run.metrics.map(\.plan.name) {
                try order(
                    .reportMeasurement(
                        MeasurementReport(
                            run: run.name, metric: metric, number: run.taken(metric) + 1, outcome: outcome,
                            startedAt: now, finishedAt: now + .milliseconds(11),
                            source: MeasurementSource(
                                provider: "prometheus", address: "http://prometheus:9090", queryDigest: "sha256:0"))))
            }
        }
    }

    private static var bundle: ManifestBundle {
        let container: JSONValue = ["name": "app", "image": "shop:1", "ports": [["containerPort": 8080]]]
        let canary: JSONValue = [
            "canaryService": "shop-canary", "stableService": "shop-stable",
            "trafficRouting": ["nginx": ["stableIngress": "shop"]],
            "analysis": ["templates": [["templateName": "background"]], "startingStep": 1],
            "steps": [
                ["setWeight": 5], ["analysis": ["templates": [["templateName": "errors"]]]], ["setWeight": 50],
                ["pause": [:]],
            ],
        ]
        let rollout: JSONValue = [
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": ["name": "shop"],
            "spec": [
                "replicas": 2, "revisionHistoryLimit": 4, "selector": ["matchLabels": ["app": "shop"]],
                "template": ["metadata": ["labels": ["app": "shop"]], "spec": ["containers": [container]]],
                "strategy": ["canary": canary],
            ],
        ]
        return ManifestBundle(
            rollout: rollout,
            related: [
                service("shop-canary"), service("shop-stable"), ingress, template("errors", count: 3),
                template("background", count: nil),
            ])
    }

    private static func service(_ name: String) -> JSONValue {
        [
            "apiVersion": "v1", "kind": "Service", "metadata": ["name": .string(name)],
            "spec": ["selector": ["app": "shop"], "ports": [["port": 80, "targetPort": 8080]]],
        ]
    }

    private static var ingress: JSONValue {
        let path: JSONValue = [
            "path": "/", "pathType": "Prefix", "backend": ["service": ["name": "shop-stable", "port": ["number": 80]]],
        ]
        return [
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": ["name": "shop"],
            "spec": ["rules": [["host": "shop.example.com", "http": ["paths": [path]]]]],
        ]
    }

    private static func template(_ name: String, count: Int64?) -> JSONValue {
        var metric: [String: JSONValue] = [
            "name": .string(name), "interval": "30s", "successCondition": "result[0] <= 0.01", "failureLimit": 1,
            "provider": ["prometheus": ["address": "http://prometheus:9090", "query": "errors"]],
        ]
        if let count { metric["count"] = .int(count) }
        return [
            "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": ["name": .string(name)],
            "spec": ["metrics": [.object(metric)]],
        ]
    }
}
