import Delivery
import EventSourcing

/// Ids for tests.
struct Minter {
    let clock: ManualClock
    @Sendable func mint() -> Identifier {
        var random = SystemRandomNumberGenerator()
        return Identifier(at: clock.now(), random: (random.next(), random.next()))
    }
}

/// A small manifest.
enum Shop {
    static let steps: [JSONValue] = [
        ["setWeight": 50], ["analysis": ["templates": [["templateName": "errors"]]]],
    ]

    static func bundle(tag: String, steps: [JSONValue] = steps, name: String = "shop") -> ManifestBundle {
        let template: JSONValue = [
            "metadata": ["labels": ["app": "shop"]],
            "spec": [
                "containers": [["name": "app", "image": .string("shop:\(tag)"), "ports": [["containerPort": 80]]]]
            ],
        ]
        let rollout: JSONValue = [
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": ["name": .string(name)],
            "spec": [
                "replicas": 2, "selector": ["matchLabels": ["app": "shop"]], "template": template,
                "strategy": [
                    "canary": [
                        "canaryService": "shop-canary", "stableService": "shop-stable",
                        "trafficRouting": ["nginx": ["stableIngress": "shop"]],
                        "steps": .array(steps),
                    ]
                ],
            ],
        ]
        return ManifestBundle(
            rollout: rollout, related: [service("shop-canary"), service("shop-stable"), ingress, errors])
    }

    private static func service(_ name: String) -> JSONValue {
        [
            "apiVersion": "v1", "kind": "Service", "metadata": ["name": .string(name)],
            "spec": ["selector": ["app": "shop"], "ports": [["port": 80, "targetPort": 80]]],
        ]
    }

    private static let ingress: JSONValue = [
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
    ]

    private static let errors: JSONValue = [
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": ["name": "errors"],
        "spec": [
            "metrics": [
                [
                    "name": "error-rate", "interval": "2s", "count": 5, "failureLimit": 2,
                    "successCondition": "result[0] <= 0.01",
                    "provider": ["prometheus": ["address": "http://p:9090", "query": "errors"]],
                ]
            ]
        ],
    ]
}
