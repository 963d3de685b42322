import Delivery
import EventSourcing
import Testing

struct ManifestBundleTests {
    private func kinds(_ bundle: ManifestBundle) -> [String] {
        bundle.documents.map { "\($0["kind"]?.stringValue ?? "")/\($0["metadata"]?["name"]?.stringValue ?? "")" }
    }

    @Test func `a bundle holds what the Rollout refers to, in one order`() throws {
        let documents = try Fixtures.documents("payments-api.yaml").map(\.value)
        let bundle = ManifestBundle.bundles(in: documents.reversed())[0]
        #expect(
            kinds(bundle) == [
                "AnalysisTemplate/success-rate", "Ingress/payments-api", "Rollout/payments-api",
                "Service/payments-api-canary", "Service/payments-api-stable",
            ])
        #expect(bundle == ManifestBundle.bundles(in: documents)[0])
        #expect(bundle.name == "payments-api")
        #expect(bundle.namespace == "default")
        let foreign: JSONValue = [
            "kind": "Service", "metadata": ["name": "payments-api-canary", "namespace": "other"],
        ]
        #expect(bundle.merging([foreign]) == bundle)
    }

    @Test func `a bundle can be written and read`() throws {
        let bundle = try Fixtures.bundle("payments-api.yaml")
        let text = CanonicalJSON.text(bundle)
        #expect(try CanonicalJSON.read(ManifestBundle.self, from: text) == bundle)
        #expect(throws: DecodingError.self) {
            try CanonicalJSON.read(ManifestBundle.self, from: #"{"documents":[{"kind":"Service"}]}"#)
        }
    }

    @Test func `unknown fields are kept and given back`() throws {
        let yaml = Fixtures.rollout(canary: "futureField: {a: [1, {b: null}]}", spec: "anything: 1.25")
        let bundle = try Fixtures.bundle(yaml: yaml)
        let back = try CanonicalJSON.read(ManifestBundle.self, from: CanonicalJSON.text(bundle))
        #expect(back.rollout["spec"]?["strategy"]?["canary"]?["futureField"] == ["a": [1, ["b": nil]]])
        #expect(back.rollout["spec"]?["anything"] == .double(1.25))
        #expect(back.settingImages(["app": "shop:2"]).rollout["spec"]?["anything"] == .double(1.25))
    }

    @Test func `hashes stay what they are`() throws {
        let bundle = try Fixtures.bundle("payments-api.yaml")
        #expect(bundle.podTemplateHash == "5d855f589b")
        #expect(bundle.digest == "sha256:2df2ed49a705230623dea2c7efe37cbf4b70b1baf3b7b6c9348c37f5343018f3")
        #expect(
            bundle.settingImages(["app": "registry.example.com/payments-api:1.5.0"]).podTemplateHash == "7c9d669445")
    }

    @Test func `format, key order and nulls do not alter the hash`() throws {
        let one = try Fixtures.bundle(yaml: Fixtures.rollout(canary: ""))
        let other = try Fixtures.bundle(
            yaml: """
                {"spec": {"strategy": {"canary": {}}, "template": {"spec": {"containers": [{"image": "shop:1", "name":
                "app"}]}, "metadata": {"creationTimestamp": null, "labels": {"app": "shop"}}},
                "selector": {"matchLabels": {"app": "shop"}}},
                "metadata": {"name": "shop", "labels": {"region": "north"}}, "kind": "Rollout",
                "apiVersion": "argoproj.io/v1alpha1"}
                """)
        #expect(one.podTemplateHash == other.podTemplateHash)
        #expect(one.podTemplateHash.utf8.allSatisfy { "bcdfghjklmnpqrstvwxz2456789".utf8.contains($0) })
        let third = try Fixtures.bundle(yaml: Fixtures.rollout(canary: "", spec: "# a comment\nreplicas: 7"))
        #expect(third.podTemplateHash == one.podTemplateHash)
        #expect(third.digest != one.digest)
    }

    @Test func `images are set by container name, or all at once`() throws {
        let bundle = try Fixtures.bundle("payments-api.yaml")
        #expect(bundle.images == ["app": "registry.example.com/payments-api:1.4.0"])
        let next = bundle.settingImages(["app": "registry.example.com/payments-api:1.5.0"])
        #expect(next.images == ["app": "registry.example.com/payments-api:1.5.0"])
        #expect(next.changes(from: bundle) == ["template"])
        #expect(next.podTemplate["spec"]?["containers"]?[0]?["readinessProbe"] != nil)
        #expect(bundle.settingImages(["*": "x:1"]).images == ["app": "x:1"])
        #expect(bundle.settingImages(["*": "x:1", "app": "y:1"]).images == ["app": "y:1"])
        #expect(bundle.settingImages(["other": "x:1"]) == bundle)
        #expect(bundle.problem(inImages: ["app": "x:1", "*": "y:1"]) == nil)
        #expect(bundle.problem(inImages: ["apq": "x:1"])?.fix == "did you mean app?")
        #expect(bundle.problem(inImages: ["sidecar": "x:1"])?.fix == "name one of app, or * for all")
        #expect(bundle.problem(inImages: ["app": ""]) != nil)
    }

    @Test func `an earlier template can be put back`() throws {
        let bundle = try Fixtures.bundle("payments-api.yaml")
        let next = bundle.settingImages(["*": "x:1"])
        #expect(next.replacingTemplate(bundle.podTemplate) == bundle)
        #expect(next.replacingTemplate(bundle.podTemplate).digest == bundle.digest)
    }

    @Test func `documents of one identity replace each other`() throws {
        let bundle = try Fixtures.bundle("payments-api.yaml")
        let service: JSONValue = [
            "apiVersion": "v1", "kind": "Service", "metadata": ["name": "payments-api-canary", "namespace": "default"],
            "spec": ["ports": [["port": 81]]],
        ]
        let merged = bundle.merging([service])
        #expect(merged.documents.count == 5)
        #expect(merged.documents[3] == service)
        #expect(merged.changes(from: bundle) == ["services"])
        let template = bundle.documents[0].objectValue?.merging(["extra": 1]) { $1 }
        #expect(bundle.merging([.object(template ?? [:])]).changes(from: bundle) == ["templates"])
        #expect(bundle.merging([["kind": "Service", "metadata": ["name": "unrelated"]]]) == bundle)
    }

    @Test func `changes are named`() throws {
        func bundle(_ canary: String, _ spec: String = "") throws -> ManifestBundle {
            try Fixtures.bundle(yaml: Fixtures.rollout(canary: canary, spec: spec))
        }
        let base = try bundle("steps: [{setWeight: 5}]")
        #expect(base.changes(from: base).isEmpty)
        #expect(base.changes(from: nil) == ["template", "strategy", "steps", "metadata"])
        #expect(try bundle("steps: [{setWeight: 6}]").changes(from: base) == ["steps"])
        #expect(try bundle("steps: [{setWeight: 5}]\nmaxSurge: 1").changes(from: base) == ["strategy"])
        #expect(try bundle("steps: [{setWeight: 5}]", "replicas: 4").changes(from: base) == ["replicas"])
        #expect(try bundle("steps: [{setWeight: 5}]", "paused: true").changes(from: base) == ["paused"])
        #expect(
            try bundle("steps: [{setWeight: 5}]", "restartAt: 2026-11-24T00:00:00Z").changes(from: base) == [
                "restart-at"
            ])
        #expect(try bundle("steps: [{setWeight: 5}]", "minReadySeconds: 3").changes(from: base) == ["strategy"])
    }
}
