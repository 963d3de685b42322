internal import EventSourcing

/// Says what is wrong with manifests before anything is recorded.
///
/// - Source: Argo Rollouts, pkg/apis/rollouts/validation (messages and limits); utils/analysis `ValidateMetrics`.
public enum ManifestLint {
    /// Every problem of `documents`, in their order; documents of one call are seen together.
    ///
    /// What a Rollout names and `documents` do not hold is a warning, since it may have been applied before. A field that
    /// nobody knows is a warning, and an error if `strict`.
    public static func lint(_ documents: [ManifestDocument], strict: Bool = false) -> [ManifestProblem] {
        let values = documents.map(\.value)
        var problems: [ManifestProblem] = []
        var seen: [DocumentIdentity: ManifestDocument] = [:]
        for document in documents {
            problems += check(document, beside: values, strict: strict, missingTemplates: .warning)
            let identity = DocumentIdentity(document.value)
            guard !document.kind.isEmpty, !document.name.isEmpty else { continue }
            if seen.updateValue(document, forKey: identity) != nil {
                var findings = ManifestFindings(document)
                findings.error(
                    FieldPath("metadata", "name"), "the \(document.kind) \"\(document.name)\" is given twice",
                    fix: "remove or rename one of the two")
                problems += findings.problems
            }
        }
        return problems
    }

    /// What is wrong with one document beside others.
    static func check(
        _ document: ManifestDocument, beside others: [JSONValue], strict: Bool,
        missingTemplates: ManifestProblem.Severity
    ) -> [ManifestProblem] {
        var findings = ManifestFindings(document)
        guard case .object = document.value else {
            findings.error(.root, "a manifest is an object", fix: "begin with apiVersion, kind and metadata")
            return findings.problems
        }
        guard checkKind(&findings) else { return findings.problems }
        checkName(&findings)
        let shape = kinds[document.kind]?.shape ?? .document(spec: .any, ["data": .any, "binaryData": .any])
        shape.check(document.value, at: .root, strict: strict, into: &findings)
        switch document.kind {
        case "Rollout":
            var lint = RolloutLint(findings: findings, others: others, missingTemplates: missingTemplates)
            lint.check()
            return lint.findings.problems + NotCarriedOut.problems(in: document, severity: .warning)
        case "AnalysisTemplate", "ClusterAnalysisTemplate", "AnalysisRun":
            AnalysisLint.check(&findings)
        case "Experiment":
            ExperimentLint.check(&findings)
        case "Service":
            checkService(&findings)
        default: break
        }
        return findings.problems
    }

    // MARK: Envelope

    private static let argo = "argoproj.io/v1alpha1"

    /// The kinds that are acted on, and where they come from.
    private static let kinds: [String: (apiVersion: String, shape: FieldShape)] = [
        "Rollout": (argo, .rollout),
        "AnalysisTemplate": (argo, .analysisTemplate),
        "ClusterAnalysisTemplate": (argo, .analysisTemplate),
        "AnalysisRun": (argo, .analysisRun),
        "Experiment": (argo, .experiment),
        "Service": ("v1", .service),
        "Ingress": ("networking.k8s.io/v1", .ingress),
    ]

    /// Kinds that stand beside a Rollout and are another program's business.
    private static let foreignKinds: Set<String> = [
        "ConfigMap", "CronJob", "DaemonSet", "Deployment", "DestinationRule", "Gateway", "HorizontalPodAutoscaler",
        "HTTPRoute", "Job", "Mapping", "Namespace", "NetworkPolicy", "PersistentVolumeClaim", "PodDisruptionBudget",
        "PodTemplate", "ReplicaSet", "Role", "RoleBinding", "ServiceAccount", "ServiceMonitor", "StatefulSet",
        "TraefikService", "TrafficSplit", "VirtualService",
    ]

    /// Whether the document's kind is one to look into.
    private static func checkKind(_ findings: inout ManifestFindings) -> Bool {
        let path = FieldPath("kind")
        guard let kind = findings[path]?.nonEmptyString else {
            findings.error(path, "the kind is missing", fix: "write kind: Rollout, or what it is")
            return false
        }
        if kind == "Secret" {
            findings.error(
                path, "a Secret is never stored here", fix: "apply it to its own store, and leave it out of this file")
            return false
        }
        guard let known = kinds[kind] else {
            let nearest = ManifestFindings.nearest(to: kind, among: kinds.keys.sorted())
            if foreignKinds.contains(kind) {
                findings.warning(path, "a \(kind) is not acted on", fix: "apply it to where it is read")
                return true
            }
            findings.error(
                path, "the kind \"\(kind)\" is not known",
                fix: nearest.map { "did you mean \($0)?" } ?? "one of \(kinds.keys.sorted().joined(separator: ", "))")
            return false
        }
        if findings.document.apiVersion != known.apiVersion {
            findings.error(
                FieldPath("apiVersion"), "a \(kind) has apiVersion \(known.apiVersion)",
                fix: "write apiVersion: \(known.apiVersion)")
        }
        return true
    }

    private static func checkName(_ findings: inout ManifestFindings) {
        let metadata = FieldPath("metadata")
        if let name = findings[metadata / "name"]?.nonEmptyString {
            checkName(name, at: metadata / "name", &findings)
        } else if findings[metadata / "generateName"] == nil || findings.document.kind != "AnalysisRun" {
            findings.error(metadata / "name", "the name is missing", fix: "write a name such as shop")
        }
        if let namespace = findings[metadata / "namespace"]?.stringValue {
            checkName(namespace, at: metadata / "namespace", &findings)
            if namespace.utf8.count > 63 {
                findings.error(
                    metadata / "namespace", "must be no more than 63 characters", fix: "write a shorter name")
            }
        }
    }

    private static func checkName(_ name: String, at path: FieldPath, _ findings: inout ManifestFindings) {
        guard !RolloutName.isValid(name) else { return }
        findings.error(
            path,
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
                + "start and end with an alphanumeric character", fix: "write a name such as shop-2")
    }

    private static func checkService(_ findings: inout ManifestFindings) {
        let ports = FieldPath("spec", "ports")
        for index in (findings[ports]?.arrayValue ?? []).indices {
            let path = ports / index / "port"
            guard let port = findings[path]?.intValue else {
                if findings[path] == nil { findings.error(path, "the port is missing", fix: "write port: 80") }
                continue
            }
            if !(1...65535).contains(port) {
                findings.error(path, "must be between 1 and 65535, inclusive", fix: "write a port such as 80")
            }
        }
    }
}
