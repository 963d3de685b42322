internal import Delivery
internal import EventSourcing
public import Hummingbird

/// The whole HTTP face: rollouts, their actions, the log, and what operators ask.
///
/// The same routes stand under `/api/v1/rollouts/…` for the cluster `default` and under
/// `/api/v1/clusters/<cluster>/rollouts/…` for any.
public func buildAPI(_ dependencies: APIDependencies) -> Router<APIContext> {
    let router = Router(context: APIContext.self, options: .autoGenerateHeadEndpoints)
    let counters = RequestCounters()
    router.add(middleware: ProblemMiddleware(counters: counters))
    router.add(middleware: OwnHostMiddleware(port: dependencies.port))
    OperationRoutes(dependencies: dependencies, counters: counters, startedAt: dependencies.now()).add(to: router)
    let requests = RolloutRequests(dependencies: dependencies)
    let version = router.group("api/v1")
    ManifestRoutes(
        requests: requests, templates: CommandHandler(store: dependencies.store, mint: dependencies.mint)
    ).add(to: version)
    EventRoutes(store: dependencies.store).add(to: version)
    StreamRoutes(store: dependencies.store).add(to: version)
    if let proofs = dependencies.proofs { ProofRoutes(proofs: proofs).add(to: version) }
    if let audit = dependencies.audit { AuditRoutes(audit: audit).add(to: version) }
    for place in [version.group("rollouts"), version.group("clusters/:cluster/rollouts")] {
        place.get { request, context -> Response in
            let query = try Query(request, knows: ["namespace", "wait"])
            let cluster = context.parameters.get("cluster")
            let namespace = query.text("namespace")
            for (field, value) in [("namespace", namespace), ("cluster", cluster)] {
                guard let value, !RolloutName.isValidPlace(value) else { continue }
                throw APIProblem.badInput(
                    field: field, value: value, message: "not a name of 1 to 63 characters of a-z 0-9 - .",
                    fix: "mend the name")
            }
            let listing = try await dependencies.views.list(
                namespace: namespace,
                reflecting: try query.number("wait", in: 0...Int64.max).map { GlobalPosition($0) })
            return Response.json(
                RolloutList(
                    rollouts: listing.rows.filter { $0.cluster == cluster ?? $0.cluster }, position: listing.position))
        }
        let rollout = place.group(":namespace/:name")
        RolloutRoutes(requests: requests).add(to: rollout)
        ActionRoutes(requests: requests).add(to: rollout)
    }
    OtherMethods.refuse(on: router)
    return router
}
