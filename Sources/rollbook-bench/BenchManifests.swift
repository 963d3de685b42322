import Delivery
import EventSourcing

/// The manifests of the rollout that the tale is about: seven steps, an analysis of its own and one in the background.
enum BenchManifests {
    static var shop: ManifestBundle {
        let steps: JSONValue = [
            ["setWeight": 5], ["pause": ["duration": "2m"]], ["setWeight": 25],
            [
                "analysis": [
                    "templates": [["templateName": "errors"]], "args": [["name": "service", "value": "shop-canary"]],
                ]
            ],
            ["setWeight": 50], ["pause": [:]], ["setWeight": 100],
        ]
        let background: JSONValue = [
            "templates": [["templateName": "background"]], "startingStep": 1,
            "args": [["name": "service", "value": "shop-canary"]],
        ]
        let container: JSONValue = [
            "name": "app", "image": "registry.example.com/shop:1.1.0", "ports": [["containerPort": 8080]],
        ]
        let rollout: JSONValue = [
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": ["name": "shop"],
            "spec": [
                "replicas": 4, "selector": ["matchLabels": ["app": "shop"]],
                "template": ["metadata": ["labels": ["app": "shop"]], "spec": ["containers": [container]]],
                "strategy": [
                    "canary": [
                        "canaryService": "shop-canary", "stableService": "shop-stable",
                        "trafficRouting": ["nginx": ["stableIngress": "shop"]], "analysis": background, "steps": steps,
                    ]
                ],
            ],
        ]
        let related = [
            service("shop-canary"), service("shop-stable"), ingress, template("errors", "error-rate", count: 5),
            template("background", "background-rate", count: nil),
        ]
        return ManifestBundle(rollout: rollout, related: related)
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

    private static func template(_ name: String, _ metric: String, count: Int64?) -> JSONValue {
        let errors = #"sum(rate(http_requests_total{service="{{args.service}}",code=~"5.."}[5m]))"#
        let all = #"sum(rate(http_requests_total{service="{{args.service}}"}[5m]))"#
        var fields: [String: JSONValue] = [
            "name": .string(metric), "interval": "30s", "successCondition": "result[0] <= 0.01", "failureLimit": 2,
            "provider": [
                "prometheus": [
                    "address": "http://prometheus.monitoring:9090", "query": .string("\(errors) / \(all)"),
                ]
            ],
        ]
        if let count { fields["count"] = .int(count) }
        return [
            "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": ["name": .string(name)],
            "spec": ["args": [["name": "service"]], "metrics": [.object(fields)]],
        ]
    }
}
