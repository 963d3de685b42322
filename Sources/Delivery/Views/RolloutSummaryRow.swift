public import EventSourcing

/// One line of `list rollouts`.
public struct RolloutSummaryRow: Sendable, Equatable, Codable {
    /// Its cluster.
    public var cluster: String
    /// Its namespace.
    public var namespace: String
    /// Its name.
    public var name: String
    /// `Canary`.
    public var strategy: String
    /// How it stands.
    public var phase: RolloutPhase
    /// Why, in Argo's words; empty when healthy.
    public var message: String
    /// Such as `3/8`; `nil` without steps.
    public var step: String?
    /// The weight that the newest revision is to have.
    public var setWeight: Int
    /// The weight that it was last seen to have.
    public var actualWeight: Int
    /// How many pods there are.
    public var replicas: ReplicaCounts
    /// The newest revision.
    public var revision: Int?
    /// Moves only when release, step, weight or phase do.
    public var decisionVersion: Int
    /// The stream's version that this shows.
    public var version: StreamVersion
    /// The log's position that this shows.
    public var position: GlobalPosition

    /// The line for what `view` shows.
    public init(_ view: RolloutView) {
        cluster = view.cluster
        namespace = view.namespace
        name = view.name
        strategy = view.strategy
        phase = view.phase
        message = view.message
        step = view.step
        setWeight = view.setWeight
        actualWeight = view.actualWeight
        replicas = view.replicas
        revision = view.release?.revision
        decisionVersion = view.decisionVersion
        version = view.version
        position = view.position
    }
}

/// Answers what is asked about all rollouts at once; the port to read models.
public protocol RolloutViews: Sendable {
    /// A line for each rollout of `namespace` (`nil`: of all), by cluster, namespace, name.
    /// - Throws: `EventStoreFailure`, `UnreadableEvent`.
    func list(namespace: String?) async throws -> [RolloutSummaryRow]
}

/// Answers by folding every stream: always right, and slow once there are thousands of rollouts.
public struct FoldedRolloutViews: RolloutViews {
    private let lookup: RolloutLookup

    /// Reads through `reader`.
    public init(_ reader: any EventReader) { lookup = RolloutLookup(reader) }

    /// A line for each rollout of `namespace` (`nil`: of all), by cluster, namespace, name.
    public func list(namespace: String?) async throws -> [RolloutSummaryRow] {
        var rows: [RolloutSummaryRow] = []
        for name in try await lookup.names() where namespace == nil || name.namespace == namespace {
            if let view = try await lookup.reading(name).view { rows.append(RolloutSummaryRow(view)) }
        }
        return rows
    }
}
