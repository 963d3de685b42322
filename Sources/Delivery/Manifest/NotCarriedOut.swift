internal import EventSourcing

/// What Argo's manifests may ask for and this version does not do: refused rather than passed over in silence.
enum NotCarriedOut {
    private struct Feature {
        let path: FieldPath
        let name: String
    }

    /// What a Rollout asks for in vain, as problems of `severity`.
    static func problems(
        in document: ManifestDocument, severity: ManifestProblem.Severity
    ) -> [ManifestProblem] {
        let rollout = document.value
        return features(of: rollout).map { feature in
            let location = document.location(of: feature.path)
            return ManifestProblem(
                severity: severity, file: document.file, line: location?.line, column: location?.column,
                field: feature.path.description, value: rollout.at(feature.path).map(ManifestFindings.short),
                message: "\(feature.name) not carried out by this version yet", fix: "leave it out for now")
        }
    }

    /// What merged templates ask for in vain.
    static func problems(
        in merge: TemplateMerge, at path: FieldPath, severity: ManifestProblem.Severity
    ) -> [ManifestProblem] {
        func problem(_ message: String, fix: String) -> ManifestProblem {
            ManifestProblem(severity: severity, field: (path / "templates").description, message: message, fix: fix)
        }
        let metrics = merge.metrics.compactMap { metric -> ManifestProblem? in
            let providers = metric["provider"]?.objectValue?.filter { !$0.value.isNull }.keys.sorted() ?? []
            guard let other = providers.first(where: { $0 != "prometheus" }) else { return nil }
            return problem(
                "metric \"\(metric["name"]?.stringValue ?? "")\": the provider \(other) is not carried out by this "
                    + "version yet", fix: "ask Prometheus for now")
        }
        return metrics
            + merge.secrets.map {
                problem(
                    "argument \"\($0)\": secretKeyRef is not carried out by this version yet",
                    fix: "give the argument a value for now")
            }
    }

    private static func features(of rollout: JSONValue) -> [Feature] {
        let spec = FieldPath("spec")
        let canary = spec / "strategy" / "canary"
        var features: [Feature] = []
        func note(_ path: FieldPath, _ name: String, if isAsked: (JSONValue) -> Bool = { !$0.isNull }) {
            if let value = rollout.at(path), isAsked(value) { features.append(Feature(path: path, name: name)) }
        }
        note(spec / "workloadRef", "a template taken from another workload (workloadRef) is")
        note(spec / "strategy" / "blueGreen", "blue-green is")
        note(canary / "dynamicStableScale", "dynamicStableScale is") { $0.boolValue == true }
        note(canary / "pingPong", "ping-pong is")
        note(canary / "minPodsPerReplicaSet", "minPodsPerReplicaSet is")
        note(canary / "replicaProgressThreshold", "replicaProgressThreshold is")
        for router in rollout.at(canary / "trafficRouting")?.objectValue?.keys.sorted() ?? [] {
            if !["nginx", "managedRoutes", "maxTrafficWeight"].contains(router) {
                note(canary / "trafficRouting" / router, "the router \(router) is")
            }
        }
        for index in (rollout.at(canary / "steps")?.arrayValue ?? []).indices {
            let step = canary / "steps" / index
            note(step / "experiment", "an experiment step is")
            note(step / "setCanaryScale", "setCanaryScale is")
            note(step / "setHeaderRoute", "a header route is")
            note(step / "setMirrorRoute", "a mirror route is")
            note(step / "plugin", "a step plugin is")
        }
        return features
    }

    /// Fields that are kept and change nothing yet: for warnings.
    static func idle(in rollout: JSONValue) -> [FieldPath] {
        let canary = FieldPath("spec", "strategy", "canary")
        let paths =
            ["antiAffinity", "canaryMetadata", "stableMetadata", "scaleDownDelayRevisionLimit"].map { canary / $0 }
            + [FieldPath("spec", "rollbackWindow"), FieldPath("spec", "restartAt")]
        return paths.filter { path in rollout.at(path).map { !$0.isNull } ?? false }
    }
}
