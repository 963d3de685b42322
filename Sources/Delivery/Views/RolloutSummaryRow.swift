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

    /// Makes a line.
    public init(
        cluster: String, namespace: String, name: String, strategy: String, phase: RolloutPhase, message: String,
        step: String?, setWeight: Int, actualWeight: Int, replicas: ReplicaCounts, revision: Int?,
        decisionVersion: Int, version: StreamVersion, position: GlobalPosition
    ) {
        self.cluster = cluster
        self.namespace = namespace
        self.name = name
        self.strategy = strategy
        self.phase = phase
        self.message = message
        self.step = step
        self.setWeight = setWeight
        self.actualWeight = actualWeight
        self.replicas = replicas
        self.revision = revision
        self.decisionVersion = decisionVersion
        self.version = version
        self.position = position
    }
}

/// A line of `list rollouts` with what rollouts are found by.
public struct RolloutSummary: Sendable, Equatable {
    /// The line.
    public var row: RolloutSummaryRow
    /// Names the stable revision's set; `nil` before there is one.
    public var stableHash: String?
    /// Images of the sets that have or want pods, by name.
    public var images: [ImageView]
}

/// Lines of rollouts, and what they reflect.
public struct RolloutListing: Sendable, Equatable {
    /// By cluster, namespace, name.
    public var rows: [RolloutSummaryRow]
    /// Every event up to here is in the rows, and none after it.
    public var position: GlobalPosition

    /// Makes a listing.
    public init(rows: [RolloutSummaryRow], position: GlobalPosition) {
        self.rows = rows
        self.position = position
    }
}

/// A read model does not show yet what a caller wants to be shown.
public struct ViewBehind: Error, Sendable, Equatable {
    /// What is wanted.
    public var wanted: GlobalPosition
    /// What is shown.
    public var position: GlobalPosition

    /// Makes the error.
    public init(wanted: GlobalPosition, position: GlobalPosition) {
        self.wanted = wanted
        self.position = position
    }
}

/// Answers what is asked about all rollouts at once; the port to read models.
public protocol RolloutViews: Sendable {
    /// A line for each rollout of `namespace` (`nil`: of all), as soon as they reflect the position `wanted`.
    /// - Throws: ``ViewBehind`` if they do not within a few seconds; `EventStoreFailure`, `UnreadableEvent`.
    func list(namespace: String?, reflecting wanted: GlobalPosition?) async throws -> RolloutListing
}

/// Answers by folding every stream: always right, and slow once there are thousands of rollouts.
public struct FoldedRolloutViews: RolloutViews {
    private let reader: any EventReader
    private let lookup: RolloutLookup

    /// Reads through `reader`.
    public init(_ reader: any EventReader) {
        self.reader = reader
        lookup = RolloutLookup(reader)
    }

    /// A line for each rollout of `namespace` (`nil`: of all).
    public func list(namespace: String?, reflecting wanted: GlobalPosition?) async throws -> RolloutListing {
        let head = try await reader.head()
        if let wanted, wanted > head { throw ViewBehind(wanted: wanted, position: head) }
        let point = PointInTime.position(head)
        var rows: [RolloutSummaryRow] = []
        for name in try await lookup.names() where namespace == nil || name.namespace == namespace {
            if let summary = try await lookup.reading(name, at: point).summary { rows.append(summary.row) }
        }
        return RolloutListing(rows: rows, position: head)
    }
}
