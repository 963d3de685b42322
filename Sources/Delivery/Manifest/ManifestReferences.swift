internal import EventSourcing

/// Which documents a Rollout names.
struct ManifestReferences {
    private let namespace: String
    private let identities: Set<DocumentIdentity>
    private let templates: [TemplateName]

    init(of rollout: JSONValue) {
        let namespace = DocumentIdentity(rollout).namespace
        let spec = rollout["spec"]
        let canary = spec?["strategy"]?["canary"]
        let blueGreen = spec?["strategy"]?["blueGreen"]
        var identities: Set<DocumentIdentity> = []
        func refer(_ kind: String, _ names: [JSONValue?]) {
            for name in names.compactMap({ $0?.nonEmptyString }) {
                identities.insert(DocumentIdentity(kind: kind, namespace: namespace, name: name))
            }
        }
        refer(
            "Service",
            [
                canary?["canaryService"], canary?["stableService"], canary?["pingPong"]?["pingService"],
                canary?["pingPong"]?["pongService"], blueGreen?["activeService"], blueGreen?["previewService"],
            ])
        let routing = canary?["trafficRouting"]
        refer("Ingress", [routing?["nginx"]?["stableIngress"], routing?["alb"]?["ingress"]])
        refer("Ingress", routing?["nginx"]?["stableIngresses"]?.arrayValue ?? [])
        refer("Ingress", routing?["alb"]?["ingresses"]?.arrayValue ?? [])
        let istio = routing?["istio"]
        refer("VirtualService", [istio?["virtualService"]?["name"]])
        refer("VirtualService", istio?["virtualServices"]?.arrayValue?.map { $0["name"] } ?? [])
        refer("DestinationRule", [istio?["destinationRule"]?["name"]])
        if let workload = spec?["workloadRef"], let kind = workload["kind"]?.stringValue {
            refer(kind, [workload["name"]])
        }
        self.namespace = namespace
        self.identities = identities
        let steps = canary?["steps"]?.arrayValue ?? []
        let analyses =
            [canary?["analysis"], blueGreen?["prePromotionAnalysis"], blueGreen?["postPromotionAnalysis"]]
            + steps.map { $0["analysis"] }
        templates =
            analyses.flatMap { TemplateName.list($0?["templates"]) }
            + steps.flatMap { TemplateName.list($0["experiment"]?["analyses"]) }
    }

    /// What is named, those that templates in `documents` include as well.
    func closure(in documents: [DocumentIdentity: JSONValue]) -> Set<DocumentIdentity> {
        var reachable = identities
        var open = templates
        while let template = open.popLast() {
            let identity = DocumentIdentity(kind: template.kind, namespace: namespace, name: template.name)
            guard reachable.insert(identity).inserted else { continue }
            open += TemplateName.list(documents[identity]?["spec"]?["templates"])
        }
        return reachable
    }
}
