internal import Conditions
internal import EventSourcing

/// What is wrong with a template or an AnalysisRun.
///
/// - Source: Argo Rollouts, utils/analysis `ValidateMetrics` (messages), pkg/apis/rollouts/validation.
enum AnalysisLint {
    static func check(_ findings: inout ManifestFindings) {
        let spec = FieldPath("spec")
        let metrics = findings[spec / "metrics"]?.arrayValue ?? []
        let nested = findings[spec / "templates"]?.arrayValue ?? []
        if metrics.isEmpty, nested.isEmpty, findings[spec / "metrics"].map({ $0.arrayValue != nil }) ?? true {
            findings.error(spec / "metrics", "no metrics specified", fix: "list at least one metric")
        }
        let arguments = checkArguments(spec / "args", &findings)
        var names: Set<String> = []
        for index in metrics.indices {
            let path = spec / "metrics" / index
            if let name = findings[path / "name"]?.nonEmptyString {
                if !names.insert(name).inserted {
                    findings.error(
                        path / "name", "metrics[\(index)]: duplicate name '\(name)'",
                        fix: "give each metric its own name")
                }
            } else if findings[path / "name"] == nil || findings[path / "name"]?.stringValue != nil {
                findings.error(path / "name", "the metric's name is missing", fix: "write a name such as error-rate")
            }
            checkMetric(path, index, arguments, &findings)
        }
        checkRules("dryRun", "dryRun", names, hasOthers: !nested.isEmpty, &findings)
        checkRules("measurementRetention", "measurementRetention", names, hasOthers: !nested.isEmpty, &findings)
    }

    /// The values of arguments; `nil` for one that has none yet.
    private static func checkArguments(
        _ path: FieldPath, _ findings: inout ManifestFindings
    ) -> [String: String?] {
        var values: [String: String?] = [:]
        for index in (findings[path]?.arrayValue ?? []).indices {
            guard let name = findings[path / index / "name"]?.nonEmptyString else {
                findings.error(path / index / "name", "the argument's name is missing", fix: "write its name")
                continue
            }
            if values.keys.contains(name) {
                findings.error(
                    path / index / "name", "the argument \"\(name)\" is given twice", fix: "remove one of the two")
            }
            values[name] = .some(findings[path / index / "value"]?.stringValue)
        }
        return values
    }

    private static func checkMetric(
        _ path: FieldPath, _ index: Int, _ arguments: [String: String?], _ findings: inout ManifestFindings
    ) {
        guard let metric = findings[path], metric.objectValue != nil else { return }
        // What has no value yet stays a tag, and fields that hold a tag are not judged.
        for name in ArgumentTags.names(in: metric) where arguments[name] == nil {
            findings.warning(
                path, "failed to resolve {{args.\(name)}}: no argument of this name is declared here",
                fix: "declare it in spec.args")
        }
        let values = arguments.compactMapValues { $0 }
        var reported: Set<String> = []
        let reading = MetricReading(ArgumentTags.replaceKnown(in: metric, with: values))
        for defect in reading.defects where !reading.isOpen(defect.field) && reported.insert(defect.field).inserted {
            findings.error(
                path / defect.field, "metrics[\(index)]: \(defect.message)", fix: defect.fix)
        }
        for key in ["successCondition", "failureCondition"] {
            guard let text = metric[key]?.nonEmptyString else { continue }
            checkCondition(text, at: path / key, values, &findings)
        }
    }

    private static func checkCondition(
        _ text: String, at path: FieldPath, _ values: [String: String], _ findings: inout ManifestFindings
    ) {
        let filled = ArgumentTags.replaceKnown(in: .string(text), with: values).stringValue ?? text
        guard !filled.contains("{{") else { return }
        do throws(ConditionError) {
            _ = try Condition(filled)
        } catch {
            let message = "the condition does not compile: \(error.description)"
            let fix = "write an expression over result, such as result[0] <= 0.01"
            if filled == text {
                findings.error(path, character: error.offset, message, fix: fix)
            } else {
                findings.error(path, message, fix: fix)
            }
        }
    }

    private static func checkRules(
        _ key: String, _ word: String, _ names: Set<String>, hasOthers: Bool, _ findings: inout ManifestFindings
    ) {
        let list = FieldPath("spec", key)
        var seen: Set<String> = []
        for index in (findings[list]?.arrayValue ?? []).indices {
            let path = list / index / "metricName"
            guard let rule = findings[path]?.stringValue else {
                if findings[path] == nil {
                    findings.error(path, "the rule names no metric", fix: "write a metric's name or a pattern")
                }
                continue
            }
            if !seen.insert(rule).inserted {
                let kind = key == "dryRun" ? "Dry-Run" : "Measurement Retention"
                findings.error(
                    path, "two \(kind) metric rules have the same name '\(rule)'", fix: "remove one of the two")
            }
            if !hasOthers, !names.contains(where: { $0.contains("{{") }), !MetricPatterns.matches(rule, any: names) {
                findings.error(
                    path, "\(word)[\(index)]: Rule didn't match any metric name(s)",
                    fix: ManifestFindings.nearest(to: rule, among: names.sorted()).map { "did you mean \($0)?" }
                        ?? "write a metric's name, or a pattern such as .*")
            }
        }
    }
}

/// Rules that name metrics by pattern.
enum MetricPatterns {
    /// Whether `rule` matches any of `names`; a rule that is no pattern matches nothing, as in Argo.
    static func matches(_ rule: String, any names: some Sequence<String>) -> Bool {
        do throws(PatternError) {
            let pattern = try Pattern(rule)
            return names.contains { pattern.matches($0) }
        } catch {
            return false
        }
    }
}

/// Durations in fields that are not part of a metric.
enum DurationLint {
    static func check(_ text: String, at path: FieldPath, prefix: String, _ findings: inout ManifestFindings) {
        do throws(GoDuration.Malformed) {
            _ = try GoDuration.parse(text)
        } catch {
            findings.error(path, prefix + error.message, fix: "write a duration such as 30s, 10m or 1h30m")
        }
    }
}
