internal import EventSourcing

/// The canary steps.
extension RolloutLint {
    private static let actions = [
        "setWeight", "pause", "setCanaryScale", "setHeaderRoute", "setMirrorRoute", "analysis", "experiment", "plugin",
    ]

    mutating func checkStep(_ path: FieldPath) {
        guard let step = findings[path]?.objectValue else {
            if findings[path] == nil { stepError(path, fix: "name an action") }
            return
        }
        let given = Self.actions.filter { step[$0].map { !$0.isNull } ?? false }
        guard given.count == 1 else {
            stepError(
                path,
                fix: given.isEmpty
                    ? "name an action, such as setWeight: 5 or pause: {}" : "make \(given.count) steps of it")
            return
        }
        switch given[0] {
        case "setWeight": checkWeight(path / "setWeight")
        case "pause": checkPause(path / "pause" / "duration")
        case "setCanaryScale": checkCanaryScale(path / "setCanaryScale")
        case "setHeaderRoute": checkHeaderRoute(path / "setHeaderRoute")
        case "setMirrorRoute": checkMirrorRoute(path / "setMirrorRoute")
        case "analysis":
            checkFieldReferences(path / "analysis" / "args")
            checkAnalysis(path / "analysis", isBackground: false)
        case "experiment": checkExperiment(path / "experiment")
        default: break
        }
    }

    private mutating func stepError(_ path: FieldPath, fix: String) {
        findings.error(
            path,
            "Step must have one of the following set: experiment, setWeight, setCanaryScale, plugin or pause", fix: fix)
    }

    private mutating func checkWeight(_ path: FieldPath) {
        if let weight = findings[path]?.intValue, !(0...max(0, maxWeight)).contains(weight) {
            findings.error(
                path, "SetWeight needs to be between 0 and \(maxWeight)", fix: "write a weight from 0 to \(maxWeight)")
        }
    }

    private mutating func checkPause(_ path: FieldPath) {
        guard let duration = findings[path] else { return }
        let seconds = duration.intValue ?? duration.stringValue.map { GoDuration.pauseSeconds($0) ?? -1 }
        if let seconds, seconds < 0 {
            findings.error(
                path, "Duration needs to be greater than 0", fix: "write seconds, or a duration such as 10m or 1h30m")
        } else if duration.intValue == nil, let seconds, Int32(exactly: seconds) == nil {
            // A number without quotes is held to that by its type.
            findings.error(
                path, "Duration needs to be at most \(Int32.max) seconds",
                fix: "write a shorter one, or pause: {} for one without end")
        }
    }

    private mutating func checkCanaryScale(_ path: FieldPath) {
        if routing == nil {
            findings.error(
                Self.canary / "trafficRouting", "SetCanaryScale requires TrafficRouting to be set",
                fix: "add trafficRouting, or remove the step \(path)")
        }
        for key in ["weight", "replicas"] {
            if let number = findings[path / key]?.intValue, number < 0 {
                findings.error(path / key, "must be greater than or equal to 0", fix: "write 0 or more")
            }
        }
    }

    // MARK: Routes

    private mutating func checkHeaderRoute(_ path: FieldPath) {
        guard routes(through: "istio", "alb", "apisix", "plugins") else {
            findings.error(
                path, "SetHeaderRoute requires TrafficRouting, supports Istio and ALB and Apisix",
                fix: "add such a router, or remove the step")
            return
        }
        for index in (findings[path / "match"]?.arrayValue ?? []).indices {
            let match = path / "match" / index
            let value = findings[match / "headerValue"]
            if routes(through: "alb"), let value {
                if value["exact"]?.nonEmptyString == nil || value.given("regex") != nil || value.given("prefix") != nil
                {
                    findings.error(
                        match, "SetHeaderRoute match value invalid. ALB supports 'exact' value only",
                        fix: "write exact alone")
                }
            } else {
                checkMatch(value, at: match)
            }
        }
        checkManaged(path)
    }

    private mutating func checkMirrorRoute(_ path: FieldPath) {
        guard routes(through: "istio", "plugins") else {
            findings.error(
                path, "SetMirrorRoute requires TrafficRouting, supports Istio and Plugins",
                fix: "add such a router, or remove the step")
            return
        }
        for index in (findings[path / "match"]?.arrayValue ?? []).indices {
            for key in ["method", "path"] {
                if let value = findings[path / "match" / index / key] { checkMatch(value, at: path / "match" / index) }
            }
        }
        if let percentage = findings[path / "percentage"]?.intValue, !(0...100).contains(percentage) {
            findings.error(path / "percentage", "must be between 0 and 100", fix: "write a percentage from 0 to 100")
        }
        checkManaged(path)
    }

    private mutating func checkMatch(_ value: JSONValue?, at path: FieldPath) {
        let kinds = ["exact", "regex", "prefix"].filter { value?[$0]?.nonEmptyString != nil }
        if kinds.count > 1 {
            findings.error(
                path, "StringMatch match value must have exactly one of the following: exact, regex, prefix",
                fix: "remove all but one of \(kinds.joined(separator: ", "))")
        } else if kinds.isEmpty {
            findings.error(
                path, "StringMatch value missed, match value must have one of the following: exact, regex, prefix",
                fix: "write exact, regex or prefix")
        }
    }

    private mutating func checkManaged(_ path: FieldPath) {
        let managed = Self.canary / "trafficRouting" / "managedRoutes"
        guard let routes = findings[managed]?.arrayValue else {
            findings.error(
                managed, "Rollout has missing field 'spec.strategy.canary.trafficRouting.managedRoutes'",
                fix: "list the names of the routes that steps set")
            return
        }
        let name = findings[path / "name"]?.stringValue ?? ""
        if !routes.contains(where: { $0["name"]?.stringValue == name }) {
            findings.error(
                path / "name",
                "Steps define a route that does not exist in spec.strategy.canary.trafficRouting.managedRoutes",
                fix: "list \(name) in managedRoutes")
        }
    }

    // MARK: Experiments

    private mutating func checkExperiment(_ path: FieldPath) {
        for index in (findings[path / "templates"]?.arrayValue ?? []).indices {
            let weight = path / "templates" / index / "weight"
            guard findings[weight] != nil else { continue }
            if routing == nil {
                findings.error(
                    weight, "Experiment template weight cannot be set unless TrafficRouting is enabled",
                    fix: "remove it, or add trafficRouting")
            } else if !routes(through: "alb", "smi", "istio", "plugins") {
                findings.error(
                    weight,
                    "Experiment template weight is only available for TrafficRouting with SMI, ALB, Istio and Plugins at "
                        + "this time", fix: "remove it")
            }
        }
        if let text = findings[path / "duration"]?.stringValue {
            DurationLint.check(text, at: path / "duration", prefix: "", &findings)
        }
        for index in (findings[path / "analyses"]?.arrayValue ?? []).indices {
            checkFieldReferences(path / "analyses" / index / "args")
        }
    }

    /// - Source: Argo Rollouts, validation.go `ValidateRolloutStrategyCanary`, the part on downward API fields.
    mutating func checkFieldReferences(_ path: FieldPath) {
        for index in (findings[path]?.arrayValue ?? []).indices {
            let place = path / index / "valueFrom" / "fieldRef" / "fieldPath"
            guard let field = findings[place]?.stringValue, field.hasPrefix("metadata"),
                RolloutField.metadata(field, of: findings.document.value) == nil
            else { continue }
            findings.error(
                place, "Analyses arguments must refer to valid object metadata supported by downwardAPI",
                fix: "write metadata.name, metadata.namespace, metadata.labels['key'] or metadata.annotations['key']")
        }
    }
}
