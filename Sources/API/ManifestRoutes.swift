internal import Delivery
internal import EventSourcing
internal import Hummingbird

/// Manifests in: `apply` and `lint`.
struct ManifestRoutes: Sendable {
    let requests: RolloutRequests
    let templates: CommandHandler<TemplateDecider>

    func add(to group: RouterGroup<APIContext>) {
        group.post("apply") { request, context -> Response in
            let query = try Query(request, knows: ["strict", "cluster"])
            let cluster = query.text("cluster") ?? "default"
            guard RolloutName.isValidPlace(cluster) else {
                throw APIProblem.badInput(
                    field: "cluster", value: cluster, message: "not a name of 1 to 63 characters of a-z 0-9 - .",
                    fix: "mend the name")
            }
            let documents = try await Self.documents(request)
            let command = try requests.commandContext(
                request, context, body: CanonicalJSON.text(documents.map(\.value)))
            let application = ManifestApplication(
                requests: requests, templates: templates, cluster: cluster,
                source: ManifestSource(kind: request.isFromCommandLine ? .cli : .api))
            return .json(try await application.apply(documents, strict: query.flag("strict"), command))
        }
        group.post("lint") { request, _ -> Response in
            let strict = try Query(request, knows: ["strict"]).flag("strict")
            let problems: [ManifestProblem]
            do {
                problems = ManifestLint.lint(try await Self.documents(request), strict: strict)
            } catch let error as ManifestProblems { problems = error.problems }
            return .json(LintReply(valid: !problems.contains { $0.severity == .error }, problems: problems))
        }
    }

    private static func documents(_ request: Request) async throws -> [ManifestDocument] {
        var request = request
        let text = try await request.text()
        let documents = try ManifestReader.documents(yaml: text, file: "")
        guard !documents.isEmpty else {
            throw APIProblem.badInput(
                field: "body", value: nil, message: "there is no document", fix: "send manifests as YAML or JSON")
        }
        return documents
    }
}
