public import Delivery
public import EventSourcing

/// Everything that the API asks of the rest of the program.
public struct APIDependencies: Sendable {
    /// Decides about rollouts.
    public var handler: CommandHandler<RolloutDecider>
    /// The log.
    public var store: any EventStore
    /// Answers what is asked about all rollouts at once.
    public var views: any RolloutViews
    /// What auditors ask; without it there are no proofs to be had here.
    public var proofs: (any Proofs)?
    /// Answers auditors' questions about the whole log; without it there is no such page.
    public var audit: (any AuditTrail)?
    /// Where folds may begin; without it they begin at the first event.
    public var snapshots: (any RolloutSnapshots)?
    /// The present.
    public var now: @Sendable () -> Instant
    /// A new id at each call.
    public var mint: @Sendable () -> Identifier
    /// The name of this instance, for people.
    public var instance: String
    /// The port that is listened on; requests for another one are refused.
    ///
    /// `nil` accepts every port.
    public var port: Int?
    /// Whether the instance can do its work: `nil`, or what is in the way.
    public var whyNotReady: @Sendable () async -> String?
    /// Which leases the instance holds; `nil` if it needs none.
    public var duties: @Sendable () -> InstanceDuties?
    /// What of it stands still; sorted by service.
    public var halts: @Sendable () async -> [InstanceHalt]
    /// More lines for `/metrics`.
    public var gauges: @Sendable () async -> [APIGauge]

    /// Gathers them.
    public init(
        handler: CommandHandler<RolloutDecider>, store: any EventStore, views: any RolloutViews,
        audit: (any AuditTrail)? = nil, snapshots: (any RolloutSnapshots)? = nil,
        now: @escaping @Sendable () -> Instant,
        mint: @escaping @Sendable () -> Identifier, instance: String, port: Int? = nil,
        proofs: (any Proofs)? = nil, whyNotReady: @escaping @Sendable () async -> String? = { nil },
        duties: @escaping @Sendable () -> InstanceDuties? = { nil },
        halts: @escaping @Sendable () async -> [InstanceHalt] = { [] },
        gauges: @escaping @Sendable () async -> [APIGauge] = { [] }
    ) {
        self.handler = handler
        self.store = store
        self.views = views
        self.audit = audit
        self.snapshots = snapshots
        self.now = now
        self.mint = mint
        self.instance = instance
        self.port = port
        self.proofs = proofs
        self.whyNotReady = whyNotReady
        self.duties = duties
        self.halts = halts
        self.gauges = gauges
    }

    var lookup: RolloutLookup { RolloutLookup(store, snapshots: snapshots) }
}

/// A number for `/metrics`.
public struct APIGauge: Sendable {
    /// A Prometheus metric name.
    public var name: String
    /// What it counts.
    public var help: String
    /// What tells it apart from others of that name, such as `projection="rollout"`; empty if there are none.
    public var labels: String
    /// The number now.
    public var value: Double

    /// Makes a gauge; those of one name stand together.
    public init(name: String, help: String, labels: String = "", value: Double) {
        self.name = name
        self.help = help
        self.labels = labels
        self.value = value
    }
}
