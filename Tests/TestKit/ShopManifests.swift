/// The manifests of a small shop.
public enum ShopManifests {
    /// An analysis of five measurements, of which two may fail.
    public static let template = """
        apiVersion: argoproj.io/v1alpha1
        kind: AnalysisTemplate
        metadata: { name: success-rate }
        spec:
          metrics:
            - name: error-rate
              interval: 30s
              count: 5
              successCondition: result[0] <= 0.01
              failureLimit: 2
              provider:
                prometheus: { address: "http://prometheus:9090", query: up }
        """

    /// What the rollout names.
    public static let services = """
        apiVersion: v1
        kind: Service
        metadata: { name: shop-stable }
        spec: { selector: { app: shop }, ports: [{ port: 80, targetPort: 8080 }] }
        ---
        apiVersion: v1
        kind: Service
        metadata: { name: shop-canary }
        spec: { selector: { app: shop }, ports: [{ port: 80, targetPort: 8080 }] }
        ---
        apiVersion: networking.k8s.io/v1
        kind: Ingress
        metadata: { name: shop, annotations: { kubernetes.io/ingress.class: nginx } }
        spec:
          rules:
            - http:
                paths:
                  - { path: /, pathType: Prefix, backend: { service: { name: shop-stable, port: { number: 80 } } } }
        """

    /// A canary with a pause and an analysis.
    public static func rollout(image: String, replicas: String = "4") -> String {
        """
        apiVersion: argoproj.io/v1alpha1
        kind: Rollout
        metadata: { name: shop }
        spec:
          replicas: \(replicas)
          selector: { matchLabels: { app: shop } }
          template:
            metadata: { labels: { app: shop } }
            spec:
              containers:
                - { name: app, image: "shop:\(image)", ports: [{ containerPort: 8080 }] }
          strategy:
            canary:
              canaryService: shop-canary
              stableService: shop-stable
              trafficRouting: { nginx: { stableIngress: shop } }
              steps:
                - setWeight: 5
                - pause: {}
                - setWeight: 25
                - analysis: { templates: [{ templateName: success-rate }] }
        """
    }

    /// All of it in one text.
    public static func everything(image: String) -> String {
        [rollout(image: image), services, template].joined(separator: "\n---\n")
    }
}
