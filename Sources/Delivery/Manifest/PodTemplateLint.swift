internal import EventSourcing

/// What a pod template needs as far as Rollbook acts on it.
///
/// - Source: Kubernetes, pkg/apis/core/validation `ValidatePodTemplateSpecForReplicaSet`.
enum PodTemplateLint {
    static func check(at path: FieldPath, _ findings: inout ManifestFindings) {
        let spec = path / "spec"
        let containers = findings[spec / "containers"]?.arrayValue
        if containers?.isEmpty ?? true, findings[spec / "containers"] == nil || containers != nil {
            findings.error(
                spec / "containers", "at least one container is required", fix: "list a container with name and image")
        }
        var names: Set<String> = []
        for list in ["initContainers", "containers"] {
            for index in (findings[spec / list]?.arrayValue ?? []).indices {
                check(at: spec / list / index, &names, &findings)
            }
        }
        if let policy = findings[spec / "restartPolicy"]?.stringValue, policy != "Always" {
            findings.error(
                spec / "restartPolicy", "Unsupported value: \"\(policy)\": supported values: \"Always\"",
                fix: "remove it, or write Always")
        }
        if findings[spec / "activeDeadlineSeconds"] != nil {
            findings.error(
                spec / "activeDeadlineSeconds", "activeDeadlineSeconds in ReplicaSet is not Supported", fix: "remove it"
            )
        }
    }

    private static func check(at path: FieldPath, _ names: inout Set<String>, _ findings: inout ManifestFindings) {
        guard findings[path]?.objectValue != nil else { return }
        if let name = findings[path / "name"]?.nonEmptyString {
            if !names.insert(name).inserted {
                findings.error(path / "name", "Duplicate value: \"\(name)\"", fix: "give each container its own name")
            }
        } else if findings[path / "name"] == nil || findings[path / "name"]?.stringValue != nil {
            findings.error(path / "name", "the container's name is missing", fix: "write a name such as app")
        }
        let image = findings[path / "image"]
        if image == nil || image?.stringValue?.isEmpty == true {
            findings.error(
                path / "image", "the container's image is missing",
                fix: "write an image such as registry.example.com/shop:1.2.3")
        }
        for index in (findings[path / "ports"]?.arrayValue ?? []).indices {
            let port = path / "ports" / index / "containerPort"
            if let number = findings[port]?.intValue, !(1...65535).contains(number) {
                findings.error(port, "must be between 1 and 65535, inclusive", fix: "write a port such as 8080")
            } else if findings[port] == nil {
                findings.error(port, "the port is missing", fix: "write containerPort: 8080")
            }
        }
    }
}
