internal import Delivery
internal import EventSourcing

/// Takes documents: all of them, or none if one is bad.
///
/// Every rollout among them, and every one that refers to one of them, gets its bundle merged and applied; templates
/// are kept besides, so that a Rollout that comes later finds them.
struct ManifestApplication {
    let requests: RolloutRequests
    let templates: CommandHandler<TemplateDecider>
    let cluster: String
    let source: ManifestSource

    private struct Target {
        var name: RolloutName
        var bundle: ManifestBundle
        /// Whether there is anything new for it.
        var isAffected = true
    }

    func apply(_ documents: [ManifestDocument], strict: Bool, _ context: CommandContext) async throws -> ApplyReply {
        let problems = ManifestLint.lint(documents, strict: strict)
        if problems.contains(where: { $0.severity == .error }) { throw APIProblem.invalidManifests(problems) }
        let targets = try await targets(documents)
        let warnings = problems.map(\.description)
        try check(documents, targets)
        try checkSize(targets, warnings)
        var applied: [AppliedDocument] = []
        for document in documents {
            if let stream = TemplateDecider.stream(of: document.value, cluster: cluster) {
                applied.append(try await keep(document, stream, context))
            }
        }
        for target in targets where target.isAffected {
            let handled = try await requests.order(
                .apply(target.bundle, source: source, warnings: warnings, newRelease: requests.dependencies.mint()),
                to: target.name, context)
            applied.append(
                AppliedDocument(
                    kind: "Rollout", cluster: cluster, namespace: target.name.namespace, name: target.name.name,
                    result: outcome(handled.events.count, handled.version), version: handled.version,
                    position: try await position(handled.position), release: handled.state.rollout?.release?.id))
        }
        return ApplyReply(applied: applied, warnings: problems)
    }

    /// The rollouts among `documents`, then all others of the cluster, each with its merged bundle.
    private func targets(_ documents: [ManifestDocument]) async throws -> [Target] {
        let values = documents.map(\.value)
        let rollouts = documents.filter { $0.kind == "Rollout" }
        let kept = rollouts.isEmpty ? [] : try await keptTemplates()
        var targets: [Target] = []
        for document in rollouts {
            guard
                let name = RolloutName(
                    cluster: cluster, namespace: document.namespace ?? "default", name: document.name)
            else { continue }  // lint has refused such names
            let before = try await requests.load(name).state.rollout?.bundle
            let bundle = ManifestBundle(
                rollout: document.value, related: (before?.related ?? []) + kept + values)
            targets.append(Target(name: name, bundle: bundle))
        }
        // A Rollout alone cannot be what another one refers to.
        guard documents.count > rollouts.count else { return targets }
        let named = Set(targets.map(\.name))
        for name in try await requests.dependencies.lookup.names()
        where name.cluster == cluster && !named.contains(name) {
            guard let before = try await requests.load(name).state.rollout?.bundle else { continue }
            let after = before.merging(values.filter { $0["kind"]?.stringValue != "Rollout" })
            targets.append(Target(name: name, bundle: after, isAffected: after != before))
        }
        return targets
    }

    /// Refuses what could not be carried out, and documents that nothing refers to, before anything is recorded.
    private func check(_ documents: [ManifestDocument], _ targets: [Target]) throws(APIProblem) {
        var problems: [ManifestProblem] = []
        for target in targets where target.isAffected {
            do { _ = try target.bundle.plan() } catch { problems += error.problems }
        }
        for document in documents where !isUsed(document, targets) {
            problems.append(
                ManifestProblem(
                    file: document.file, line: document.location(of: .root)?.line,
                    column: document.location(of: .root)?.column, field: "kind", value: "\"\(document.kind)\"",
                    message: "no Rollout refers to \(document.kind) \"\(document.name)\"",
                    fix: "apply it together with the Rollout that names it, or leave it out"))
        }
        guard problems.isEmpty else { throw .invalidManifests(problems) }
    }

    /// The most that a Rollout with what it refers to, and what lint had to say of it, may come to, in bytes of JSON.
    ///
    /// One event keeps all of that, beside the plan that is made of it. etcd takes no larger object either.
    static let largestBundle = 1_572_864

    private func checkSize(_ targets: [Target], _ warnings: [String]) throws(APIProblem) {
        let words = CanonicalJSON.text(warnings).utf8.count
        for target in targets where target.isAffected {
            let size = CanonicalJSON.text(target.bundle).utf8.count + words
            guard size > Self.largestBundle else { continue }
            throw .invalidManifests([
                ManifestProblem(
                    field: "-",
                    message:
                        "rollout \"\(target.name.name)\", what it refers to and what lint has to say come to \(size) "
                        + "bytes; at most \(Self.largestBundle) are kept", fix: "make them smaller")
            ])
        }
    }

    private func isUsed(_ document: ManifestDocument, _ targets: [Target]) -> Bool {
        switch document.kind {
        case "Rollout", "AnalysisTemplate", "ClusterAnalysisTemplate": true
        default: targets.contains { $0.bundle.related.contains(document.value) }
        }
    }

    private func keep(
        _ document: ManifestDocument, _ stream: StreamName, _ context: CommandContext
    ) async throws -> AppliedDocument {
        let handled: Handled<TemplateRecorded?>
        do {
            handled = try await templates.handle(
                TemplateDecider.Command(at: context.at, manifest: document.value), on: stream, context: context)
        } catch { throw APIProblem(error) }
        return AppliedDocument(
            kind: document.kind, cluster: cluster,
            namespace: document.kind == "AnalysisTemplate" ? document.namespace ?? "default" : nil,
            name: document.name, result: outcome(handled.events.count, handled.version), version: handled.version,
            position: try await position(handled.position))
    }

    /// The templates of the cluster that were kept before.
    private func keptTemplates() async throws -> [JSONValue] {
        var manifests: [JSONValue] = []
        for category in [TemplateDecider.category, TemplateDecider.clusterCategory] {
            for stream in try await requests.dependencies.store.streams(in: category)
            where stream.description.hasPrefix("\(category)-\(cluster)/") {
                do {
                    if let kept = try await templates.load(stream).state { manifests.append(kept.manifest) }
                } catch { throw APIProblem(error) }
            }
        }
        return manifests
    }

    private func outcome(_ events: Int, _ version: StreamVersion) -> AppliedDocument.Outcome {
        if events == 0 { .unchanged } else if Int64(events) == version.value { .created } else { .configured }
    }

    private func position(_ appended: GlobalPosition?) async throws -> GlobalPosition {
        if let appended { return appended }
        return try await requests.dependencies.store.head()
    }
}
