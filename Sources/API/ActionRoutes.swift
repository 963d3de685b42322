internal import Delivery
internal import EventSourcing
internal import Hummingbird

/// What people order: one route for each verb.
struct ActionRoutes: Sendable {
    let requests: RolloutRequests

    func add(to group: RouterGroup<APIContext>) {
        action("promote", ["full", "reason"], in: group) { body, _ in
            .promote(full: try body.flag("full"), reason: try body.text("reason"))
        }
        action("abort", ["reason"], in: group) { body, _ in .abort(reason: try body.text("reason")) }
        action("pause", ["reason"], in: group) { body, _ in .pause(reason: try body.text("reason")) }
        action("resume", ["reason"], in: group) { body, _ in .resume(reason: try body.text("reason")) }
        action("retry", [], in: group) { _, new in .retry(newRelease: new) }
        action("undo", ["toRevision"], in: group) { body, new in
            let revision = try body.number("toRevision")
            return .undo(toRevision: revision == 0 ? nil : revision, newRelease: new)
        }
        action("set-image", ["images"], in: group) { body, new in
            .setImages(try body.texts("images"), newRelease: new)
        }
    }

    private func action(
        _ verb: String, _ fields: Set<String>, in group: RouterGroup<APIContext>,
        _ order: @escaping @Sendable (OrderBody, Identifier) throws -> RolloutOrder
    ) {
        group.post("\(verb)") { request, context -> Response in
            let name = try requests.name(context)
            _ = try Query(request, knows: [])
            let body = try await OrderBody(request, context: context, knows: fields)
            let command = try requests.commandContext(request, context, body: body.canonical)
            let order = try order(body, requests.dependencies.mint())
            try await requests.checkMatch(request, name, command)
            if case .setImages(let images, _) = order {
                if let problem = try await requests.load(name).state.rollout?.bundle.problem(inImages: images) {
                    throw APIProblem.invalidManifests([problem])
                }
            }
            return try await reply(requests.order(order, to: name, command), name)
        }
    }

    private func reply(_ handled: Handled<RolloutState>, _ name: RolloutName) async throws -> Response {
        guard let rollout = handled.state.rollout else { throw try await requests.unknown(name) }
        let position: GlobalPosition
        if let appended = handled.position {
            position = appended
        } else {
            position = try await requests.dependencies.store.head()
        }
        return .json(
            ActionReply(
                cluster: name.cluster, namespace: name.namespace, name: name.name, version: handled.version,
                position: position, decisionVersion: rollout.decisionVersion, phase: rollout.phase,
                message: rollout.message, release: rollout.release?.id, changed: !handled.events.isEmpty,
                duplicate: handled.isDuplicate), headers: .eTag(rollout.decisionVersion))
    }
}
