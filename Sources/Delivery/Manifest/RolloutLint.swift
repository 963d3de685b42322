internal import EventSourcing

/// What Argo's validation says of a Rollout (V1–V62 of its rules; the message is Argo's, the path the field's own).
struct RolloutLint {
    var findings: ManifestFindings
    /// The documents that were given with it.
    let others: [JSONValue]
    /// How bad it is that a template is not among them.
    let missingTemplates: ManifestProblem.Severity

    static let spec = FieldPath("spec")
    static let strategy = spec / "strategy"
    static let canary = strategy / "canary"
    static let blueGreen = strategy / "blueGreen"

    var namespace: String { DocumentIdentity(findings.document.value).namespace }

    func other(_ kind: String, _ name: String) -> JSONValue? {
        let identity = DocumentIdentity(kind: kind, namespace: namespace, name: name)
        return others.last { DocumentIdentity($0) == identity }
    }

    mutating func check() {
        if findings[Self.spec] == nil {
            findings.error(Self.spec, "the spec is missing", fix: "write spec with selector, template and strategy")
            return
        }
        notNegative("replicas")
        checkSelector()
        checkTemplate()
        checkNumbers()
        checkStrategy()
        for path in NotCarriedOut.idle(in: findings.document.value) {
            findings.warning(path, "kept, but not acted on by this version yet", fix: "nothing to do")
        }
    }

    private mutating func notNegative(_ key: String) {
        let path = Self.spec / key
        if let number = findings[path]?.intValue, number < 0 {
            findings.error(path, "must be greater than or equal to 0", fix: "write 0 or more")
        }
    }

    // MARK: Selector and template

    private mutating func checkSelector() {
        let path = Self.spec / "selector"
        guard let selector = findings[path] else {
            if findings[Self.spec / "workloadRef"] == nil {
                findings.error(
                    path, "Rollout has missing field '.spec.selector'",
                    fix: "write matchLabels with a label of the template, such as app")
            }
            return
        }
        LabelSelector.check(selector, at: path, &findings)
        let labels = selector["matchLabels"]?.objectValue ?? [:]
        let expressions = selector["matchExpressions"]?.arrayValue ?? []
        if labels.isEmpty, expressions.isEmpty {
            findings.error(
                path, "empty selector is invalid for deployment",
                fix: "write matchLabels with a label of the template, such as app")
        }
    }

    private mutating func checkTemplate() {
        let path = Self.spec / "template"
        let metadata = findings[path / "metadata"]
        let workload = Self.spec / "workloadRef"
        if findings[workload] != nil {
            if findings[path] != nil, metadata?.given("labels") != nil || findings[path / "spec"] != nil {
                findings.error(
                    workload, "template must be empty for workload reference rollout",
                    fix: "remove either spec.template or spec.workloadRef")
            }
            return
        }
        guard findings[path] != nil else {
            findings.error(path, "Rollout has missing field '.spec.template'", fix: "write the template of its pods")
            return
        }
        if let selector = findings[Self.spec / "selector"],
            !LabelSelector.matches(selector, metadata?["labels"]?.objectValue ?? [:])
        {
            findings.error(
                path / "metadata" / "labels", "`selector` does not match template `labels`",
                fix: "give the template the labels of spec.selector")
        }
        PodTemplateLint.check(at: path, &findings)
    }

    private mutating func checkNumbers() {
        notNegative("minReadySeconds")
        notNegative("revisionHistoryLimit")
        notNegative("progressDeadlineSeconds")
        let path = Self.spec / "progressDeadlineSeconds"
        let deadline = findings[path]?.intValue ?? 600
        let ready = findings[Self.spec / "minReadySeconds"]?.intValue ?? 0
        if deadline >= 0, deadline <= ready {
            findings.error(path, "must be greater than minReadySeconds", fix: "write more than \(ready)")
        }
        if let restart = findings[Self.spec / "restartAt"]?.stringValue, Instant(restart) == nil {
            findings.error(
                Self.spec / "restartAt", "a time in RFC 3339 is wanted",
                fix: "write a time such as 2026-11-24T09:30:00Z")
        }
    }

    // MARK: Strategy

    private mutating func checkStrategy() {
        // `canary: {}` and `canary:` are both a strategy without settings.
        let given = findings[Self.strategy]?.objectValue ?? [:]
        switch (given["canary"], given["blueGreen"]?.isNull == false) {
        case (nil, false):
            findings.error(
                Self.strategy, "Rollout has missing field '.spec.strategy.canary or .spec.strategy.blueGreen'",
                fix: "write canary or blueGreen below spec.strategy")
        case (.some, true):
            findings.error(
                Self.strategy, "Multiple Strategies can not be listed", fix: "remove either canary or blueGreen")
        case (nil, true): checkBlueGreen()
        case (.some, false): checkCanary()
        }
    }

    private mutating func checkBlueGreen() {
        let path = Self.blueGreen
        let active = findings[path / "activeService"]?.stringValue ?? ""
        if active.isEmpty {
            findings.error(
                path / "activeService", "the active service is missing", fix: "name the Service of production")
        } else if active == findings[path / "previewService"]?.stringValue {
            findings.error(
                path / "activeService",
                "This rollout uses the same service for the active and preview services, but two different services are "
                    + "required.", fix: "name another Service as previewService, or none")
        }
        let limit = path / "scaleDownDelayRevisionLimit"
        if let limited = findings[limit]?.intValue,
            limited > findings[Self.spec / "revisionHistoryLimit"]?.intValue ?? 10
        {
            findings.error(
                limit,
                "This rollout's revision history limit can not be smaller than the rollout's scale down limit",
                fix: "raise spec.revisionHistoryLimit to \(limited), or lower this")
        }
        checkAntiAffinity(path)
        for service in ["activeService", "previewService"] { checkService(path / service) }
        for key in ["prePromotionAnalysis", "postPromotionAnalysis"] where findings[path / key] != nil {
            checkAnalysis(path / key, isBackground: false)
        }
    }

    mutating func checkAntiAffinity(_ strategy: FieldPath) {
        let path = strategy / "antiAffinity"
        guard let affinity = findings[path] else { return }
        let preferred = affinity.given("preferredDuringSchedulingIgnoredDuringExecution")
        if (preferred != nil) == (affinity.given("requiredDuringSchedulingIgnoredDuringExecution") != nil) {
            findings.error(
                path, "AntiAffinity must have exactly one strategy listed",
                fix: "write either preferredDuringSchedulingIgnoredDuringExecution or required…")
        } else if let preferred, !(1...100).contains(preferred["weight"]?.intValue ?? 0) {
            findings.error(
                path / "weight", "AntiAffinity weight must be between 1-100", fix: "write a weight such as 50",
                at: path / "preferredDuringSchedulingIgnoredDuringExecution" / "weight")
        }
    }

    /// - Source: Argo Rollouts, validation_references.go `ValidateService`.
    mutating func checkService(_ path: FieldPath) {
        guard let name = findings[path]?.nonEmptyString, let service = other("Service", name) else { return }
        let rollout = findings.document.name
        let manager = service["metadata"]?["annotations"]?["argo-rollouts.argoproj.io/managed-by-rollouts"]?.stringValue
        if let manager, manager != rollout {
            findings.error(
                path, "Service \"\(name)\" is managed by another Rollout", fix: "name a Service of this Rollout's own")
        }
        guard findings[Self.spec / "workloadRef"] == nil else { return }
        let labels = findings[Self.spec / "template" / "metadata" / "labels"]?.objectValue ?? [:]
        for (key, value) in (service["spec"]?["selector"]?.objectValue ?? [:]).sorted(by: { $0.key < $1.key })
        where key != "rollouts-pod-template-hash" && labels[key] != value {
            findings.error(
                path, "Service \"\(name)\" has unmatch label \"\(key)\" in rollout",
                fix: "give the template the label \(key): \(value.stringValue ?? ""), or mend the Service's selector")
        }
    }
}
