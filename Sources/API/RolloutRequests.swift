internal import Crypto
internal import Delivery
internal import EventSourcing
internal import HTTPTypes
internal import Hummingbird

/// What all requests about one rollout share.
struct RolloutRequests: Sendable {
    let dependencies: APIDependencies

    /// The rollout that the path names.
    func name(_ context: APIContext) throws(APIProblem) -> RolloutName {
        let cluster = context.parameters.get("cluster") ?? "default"
        let namespace = context.parameters.get("namespace") ?? ""
        let name = context.parameters.get("name") ?? ""
        guard let rollout = RolloutName(cluster: cluster, namespace: namespace, name: name) else {
            throw .badInput(
                field: "path", value: "\(cluster)/\(namespace)/\(name)",
                message:
                    "each part is of a-z 0-9 - ., a cluster or namespace 1 to 63 and a name 1 to 253 characters long",
                fix: "mend the name")
        }
        return rollout
    }

    /// The problem of a name that nobody has, with the one that was probably meant.
    func unknown(_ name: RolloutName) async throws -> APIProblem {
        let names = try await dependencies.lookup.names().filter { $0.cluster == name.cluster }
        if let elsewhere = names.first(where: { $0.name == name.name }) {
            return .unknownRollout(name, nearest: "\(elsewhere.name) in namespace \(elsewhere.namespace)")
        }
        let near = NearestName.of(
            name.name, among: names.filter { $0.namespace == name.namespace }.map(\.name))
        return .unknownRollout(name, nearest: near)
    }

    /// The rollout as it is or was.
    func view(_ name: RolloutName, at point: PointInTime?) async throws -> RolloutView {
        // Asked for before anything is read: what is appended meanwhile does not make a moment past.
        let future = try await future(point)
        let reading = try await dependencies.lookup.reading(name, at: point)
        if let view = reading.view {
            if let future { throw future }
            if case .version(let version) = point, version > reading.version {
                throw APIProblem.future("at", "v\(version)", present: "the rollout is at version v\(reading.version)")
            }
            return view
        }
        if let point {
            let last = try await dependencies.store.read(
                name.stream, after: .none, through: nil, backwards: true, limit: 1)
            if try !last.whole().isEmpty { throw APIProblem.notYet(name, point) }
        }
        throw try await unknown(name)
    }

    /// The problem of a moment that has not come: nobody knows what will be true then.
    private func future(_ point: PointInTime?) async throws(EventStoreFailure) -> APIProblem? {
        let store = dependencies.store
        switch point {
        case nil, .version: return nil
        case .time(let instant):
            let now = dependencies.now()
            if instant <= now { return nil }
            // The ledger's clock may be ahead of this one, and what it has recorded has happened.
            let last = try await store.readAll(
                after: .start, before: nil, filter: EventFilter(), backwards: true, limit: 1
            ).whole()
            let present = max(now, last.first?.recordedAt ?? now)
            return instant <= present ? nil : .future("at", "\(instant)", present: "it is \(present) now")
        case .position(let position):
            let head = try await store.head()
            return position <= head ? nil : .future("at", "\(position)", present: "the log ends at position \(head)")
        }
    }

    /// All events of the rollout up to `point`.
    func events(_ name: RolloutName, at point: PointInTime? = nil) async throws -> [RecordedEvent] {
        let events = try await dependencies.lookup.events(name, at: point)
        if events.isEmpty { throw try await unknown(name) }
        return events
    }

    /// The last events of the rollout up to `point`, in order.
    func events(_ name: RolloutName, last count: Int, at point: PointInTime?) async throws -> [RecordedEvent] {
        let events = try await dependencies.lookup.events(name, last: count, at: point)
        if events.isEmpty { throw try await unknown(name) }
        return events
    }

    /// What surrounds the commands of a request.
    ///
    /// - Parameter body: What the request orders, as canonical text.
    /// - Source: draft-ietf-httpapi-idempotency-key-header, §2: the key is a structured string, so quotes may stand around
    ///   it; §2.4: a fingerprint tells a repeat from another order.
    func commandContext(
        _ request: Request, _ context: APIContext, body: String
    ) throws(APIProblem) -> CommandContext {
        var id = dependencies.mint()
        var fingerprint: [UInt8]?
        if let key = request.headers[.idempotencyKey] {
            let isQuoted = key.count > 2 && key.hasPrefix("\"") && key.hasSuffix("\"")
            guard let given = Identifier(isQuoted ? String(key.dropFirst().dropLast()) : key) else {
                throw .badInput(
                    field: "Idempotency-Key", value: key, message: "not a UUID",
                    fix: "write a new UUID for each order, and the same one for a repeat")
            }
            id = given
            let parameters = request.uri.queryParameters.map { "\($0.key)=\($0.value)" }.sorted()
            let order = [request.method.rawValue, request.uri.path, parameters.joined(separator: "&"), body]
            fingerprint = Array(SHA256.hash(data: Array(order.joined(separator: "\n").utf8)))
        }
        let metadata = CanonicalJSON.text([
            "client": String((request.headers[.userAgent] ?? "").prefix(200)), "request": context.id,
            "instance": dependencies.instance,
        ])
        return CommandContext(
            id: id, at: dependencies.now(), actor: try request.actor(), metadata: metadata,
            keepsReceipt: fingerprint != nil, fingerprint: fingerprint)
    }

    /// Refuses the request if it names another decision version than the present one.
    ///
    /// A repeat of an order that was carried out is let through to its first answer: the order itself moved the version.
    func checkMatch(_ request: Request, _ name: RolloutName, _ command: CommandContext) async throws {
        guard let wanted = request.headers[.ifMatch], wanted != "*" else { return }
        if command.keepsReceipt,
            try await dependencies.store.receipt(
                for: command.id, fingerprint: command.fingerprint, on: name.stream) != nil
        {
            return
        }
        let (_, state) = try await load(name)
        guard let rollout = state.rollout else { throw try await unknown(name) }
        let accepted = wanted.split(separator: ",").map { tag in
            tag.drop { $0 == " " || $0 == "W" || $0 == "/" }.filter { $0 != "\"" && $0 != " " }
        }
        guard accepted.contains(where: { $0 == String(rollout.decisionVersion) }) else {
            throw APIProblem.moved(expected: wanted, actual: rollout.decisionVersion)
        }
    }

    /// The present state.
    func load(_ name: RolloutName) async throws(APIProblem) -> (version: StreamVersion, state: RolloutState) {
        do { return try await dependencies.handler.load(name.stream) } catch { throw APIProblem(error, name) }
    }

    /// Gives an order, and answers what became of it.
    func order(
        _ order: RolloutOrder, to name: RolloutName, _ context: CommandContext
    ) async throws -> Handled<RolloutState> {
        do {
            return try await dependencies.handler.handle(
                RolloutCommand(at: context.at, order), on: name.stream, context: context)
        } catch {
            if case .refused(.unknownRollout) = error { throw try await unknown(name) }
            throw APIProblem(error, name)
        }
    }
}
