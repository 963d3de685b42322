internal import EventSourcing

/// Label selectors as Kubernetes has them.
///
/// - Source: k8s.io/apimachinery, pkg/apis/meta/v1 `LabelSelectorAsSelector`, validation `ValidateLabelSelector`.
enum LabelSelector {
    /// Whether `selector` chooses what has `labels`.
    static func matches(_ selector: JSONValue, _ labels: [String: JSONValue]) -> Bool {
        let matchLabels = selector["matchLabels"]?.objectValue ?? [:]
        let expressions = selector["matchExpressions"]?.arrayValue ?? []
        return matchLabels.allSatisfy { labels[$0.key] == $0.value }
            && expressions.allSatisfy { expression in
                let value = labels[expression["key"]?.stringValue ?? ""]
                let values = expression["values"]?.arrayValue ?? []
                return switch expression["operator"]?.stringValue {
                case "In": value.map(values.contains) ?? false
                case "NotIn": !(value.map(values.contains) ?? false)
                case "Exists": value != nil
                case "DoesNotExist": value == nil
                default: false
                }
            }
    }

    static func check(_ selector: JSONValue, at path: FieldPath, _ findings: inout ManifestFindings) {
        for (index, expression) in (selector["matchExpressions"]?.arrayValue ?? []).enumerated() {
            let place = path / "matchExpressions" / index
            let values = expression["values"]?.arrayValue ?? []
            switch expression["operator"]?.stringValue {
            case "In", "NotIn":
                if values.isEmpty {
                    findings.error(
                        place / "values", "must be specified when `operator` is 'In' or 'NotIn'",
                        fix: "list at least one value")
                }
            case "Exists", "DoesNotExist":
                if !values.isEmpty {
                    findings.error(
                        place / "values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                        fix: "remove the values")
                }
            default:
                findings.error(
                    place / "operator", "not a valid selector operator", fix: "write In, NotIn, Exists or DoesNotExist")
            }
        }
    }
}
