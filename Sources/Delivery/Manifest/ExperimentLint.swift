internal import EventSourcing

/// What is wrong with an Experiment.
///
/// - Source: Argo Rollouts, utils/conditions/experiments.go `VerifyExperimentSpec`.
enum ExperimentLint {
    static func check(_ findings: inout ManifestFindings) {
        let spec = FieldPath("spec")
        let deadline = findings[spec / "progressDeadlineSeconds"]?.intValue ?? 600
        let templates = findings[spec / "templates"]?.arrayValue ?? []
        if templates.isEmpty {
            findings.error(spec / "templates", "at least one template is required", fix: "list a template")
        }
        var names: Set<String> = []
        for index in templates.indices {
            let path = spec / "templates" / index
            let name = findings[path / "name"]?.stringValue ?? ""
            if name.isEmpty {
                findings.error(
                    path / "name",
                    "Experiment \(findings.document.name) has empty template name at index \(index)",
                    fix: "give it a name")
            } else if !names.insert(name).inserted {
                findings.error(
                    path / "name",
                    "Experiment \(findings.document.name) has repeated template name '\(name)' in templates",
                    fix: "give each template its own name")
            }
            checkSelector(path, index, &findings)
            if findings[path / "minReadySeconds"]?.intValue ?? 0 > deadline {
                findings.error(
                    path / "minReadySeconds",
                    "MinReadySeconds cannot be longer than ProgressDeadlineSeconds. Check template index \(index)",
                    fix: "write at most \(deadline)")
            }
            PodTemplateLint.check(at: path / "template", &findings)
        }
        if let text = findings[spec / "duration"]?.stringValue {
            DurationLint.check(text, at: spec / "duration", prefix: "", &findings)
        }
    }

    private static func checkSelector(_ path: FieldPath, _ index: Int, _ findings: inout ManifestFindings) {
        guard let selector = findings[path / "selector"] else {
            findings.error(
                path / "selector", "Rollout has missing field '.Spec.Templates[\(index)].Selector'",
                fix: "write matchLabels with a label of the template")
            return
        }
        LabelSelector.check(selector, at: path / "selector", &findings)
        if (selector["matchLabels"]?.objectValue ?? [:]).isEmpty,
            (selector["matchExpressions"]?.arrayValue ?? []).isEmpty
        {
            findings.error(
                path / "selector",
                "This experiment is selecting all pods at index \(index). A non-empty selector is required.",
                fix: "write matchLabels with a label of the template")
        } else if !LabelSelector.matches(
            selector, findings[path / "template" / "metadata" / "labels"]?.objectValue ?? [:])
        {
            findings.error(
                path / "template" / "metadata" / "labels", "`selector` does not match template `labels`",
                fix: "give the template the labels of its selector")
        }
    }
}
