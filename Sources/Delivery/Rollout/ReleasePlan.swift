public import Analysis
public import EventSourcing

/// What a release is to do, resolved from the manifest at its start and recorded with it.
public struct ReleasePlan: Sendable, Equatable, Codable {
    /// Wanted pods; at least 0.
    public var replicas: Int
    /// Time a pod must be ready before it counts as available, in seconds.
    public var minReadySeconds: Int
    /// No progress for so many seconds is recorded as `deadline-exceeded`.
    public var progressDeadlineSeconds: Int
    /// Whether that also aborts the release.
    public var progressDeadlineAbort: Bool
    /// How many old revisions are kept for `undo`.
    public var revisionHistoryLimit: Int
    /// The manifest's `spec.paused`.
    public var paused: Bool
    /// The canary steps, in order.
    public var steps: [PlanStep]
    /// How traffic is split; `nil`: by replicas alone.
    public var routing: RoutingPlan?
    /// The analysis that runs beside the steps.
    public var background: BackgroundAnalysis?
    /// Pods above `replicas` that a release without routing may have, rounded up from a percentage.
    public var maxSurge: Int
    /// Pods below `replicas` that a release without routing may have, rounded down from a percentage.
    public var maxUnavailable: Int
    /// Seconds that the old stable set is kept after a completed release.
    public var scaleDownDelaySeconds: Int
    /// Seconds that the canary set is kept after an abort; `nil` keeps it for good.
    public var abortScaleDownDelaySeconds: Int?
    /// What holds while the ledger cannot be reached.
    public var standingOrder: StandingOrder

    /// Makes a plan.
    public init(
        replicas: Int, minReadySeconds: Int = 0, progressDeadlineSeconds: Int = 600,
        progressDeadlineAbort: Bool = false,
        revisionHistoryLimit: Int = 10, paused: Bool = false, steps: [PlanStep] = [], routing: RoutingPlan? = nil,
        background: BackgroundAnalysis? = nil, maxSurge: Int = 1, maxUnavailable: Int = 0,
        scaleDownDelaySeconds: Int = 30, abortScaleDownDelaySeconds: Int? = 30, standingOrder: StandingOrder = .init()
    ) {
        self.replicas = replicas
        self.minReadySeconds = minReadySeconds
        self.progressDeadlineSeconds = progressDeadlineSeconds
        self.progressDeadlineAbort = progressDeadlineAbort
        self.revisionHistoryLimit = revisionHistoryLimit
        self.paused = paused
        self.steps = steps
        self.routing = routing
        self.background = background
        self.maxSurge = maxSurge
        self.maxUnavailable = maxUnavailable
        self.scaleDownDelaySeconds = scaleDownDelaySeconds
        self.abortScaleDownDelaySeconds = abortScaleDownDelaySeconds
        self.standingOrder = standingOrder
    }
}

/// One canary step.
public enum PlanStep: Sendable, Equatable, Codable {
    /// Send `weight` of `maxWeight` to the canary.
    case setWeight(Int)
    /// Wait for so many seconds; `nil`: until promoted.
    case pause(seconds: Int?)
    /// Run an analysis and wait for its verdict.
    case analysis(AnalysisPlan)
}

/// What holds while the ledger cannot be reached (design.md §8).
public struct StandingOrder: Sendable, Equatable, Codable {
    /// Seconds without the ledger, with canary weight above 0, after which weight 0 is routed.
    public var blindnessSeconds: Int

    /// Makes an order.
    public init(blindnessSeconds: Int = 60) { self.blindnessSeconds = blindnessSeconds }
}

/// Which Services and which routers split the traffic.
public struct RoutingPlan: Sendable, Equatable, Codable {
    /// The Service of the canary.
    public var canaryService: ServicePlan
    /// The Service of the stable revision.
    public var stableService: ServicePlan
    /// The whole that weights are a part of; 100 unless `maxTrafficWeight` says otherwise.
    public var maxWeight: Int
    /// The router, such as `nginx`, with its part of the manifest.
    public var router: String
    /// The router's own settings, as the manifest has them.
    public var routerSettings: JSONValue
    /// The Ingress rules that lead to the stable Service.
    public var ingresses: [IngressPlan]

    /// Makes a routing plan.
    public init(
        canaryService: ServicePlan, stableService: ServicePlan, maxWeight: Int = 100, router: String,
        routerSettings: JSONValue = .object([:]), ingresses: [IngressPlan]
    ) {
        self.canaryService = canaryService
        self.stableService = stableService
        self.maxWeight = maxWeight
        self.router = router
        self.routerSettings = routerSettings
        self.ingresses = ingresses
    }
}

/// A Service as far as routing needs it.
public struct ServicePlan: Sendable, Equatable, Codable {
    /// Its name.
    public var name: String
    /// Its ports, in the manifest's order; empty if the Service's manifest was not given.
    public var ports: [Port]

    /// One port of a Service.
    public struct Port: Sendable, Equatable, Codable {
        /// The port's name, if it has one.
        public var name: String?
        /// The Service's own port.
        public var port: Int
        /// The container port that it leads to, a number or a name.
        public var target: JSONValue

        /// Makes a port.
        public init(name: String? = nil, port: Int, target: JSONValue) {
            self.name = name
            self.port = port
            self.target = target
        }
    }

    /// Makes a Service.
    public init(name: String, ports: [Port] = []) {
        self.name = name
        self.ports = ports
    }
}

/// One Ingress whose backend is the stable Service.
public struct IngressPlan: Sendable, Equatable, Codable {
    /// Its name.
    public var name: String
    /// Its rules that lead to the stable Service.
    public var rules: [Rule]

    /// One host and path.
    public struct Rule: Sendable, Equatable, Codable {
        /// The host; `nil` for every host.
        public var host: String?
        /// The path; `/` if the manifest has none.
        public var path: String
        /// `Prefix`, `Exact` or `ImplementationSpecific`.
        public var pathType: String
        /// The Service's port, by number or name.
        public var servicePort: JSONValue

        /// Makes a rule.
        public init(host: String?, path: String, pathType: String, servicePort: JSONValue) {
            self.host = host
            self.path = path
            self.pathType = pathType
            self.servicePort = servicePort
        }
    }

    /// Makes an Ingress.
    public init(name: String, rules: [Rule]) {
        self.name = name
        self.rules = rules
    }
}

/// The analysis that runs beside the steps.
public struct BackgroundAnalysis: Sendable, Equatable, Codable {
    /// What it measures.
    public var analysis: AnalysisPlan
    /// The step index from which it may run; 0 unless `startingStep` says otherwise.
    public var startingStep: Int

    /// Makes a background analysis.
    public init(analysis: AnalysisPlan, startingStep: Int = 0) {
        self.analysis = analysis
        self.startingStep = startingStep
    }
}

/// An analysis with its templates merged, its arguments not yet filled in.
///
/// Arguments are filled in when a run starts, since some of them name the stable and the latest pod-template-hash.
public struct AnalysisPlan: Sendable, Equatable, Codable {
    /// The templates that were merged: name and digest of each.
    public var templates: [TemplateReference]
    /// Arguments in order; later ones never repeat a name.
    public var arguments: [ArgumentPlan]
    /// The metrics as their templates have them, with `{{args.x}}` not yet replaced (the metric's JSON).
    public var metrics: [JSONValue]
    /// Names (or patterns) of metrics that are measured but do not count.
    public var dryRun: [String]

    /// Makes a plan.
    public init(
        templates: [TemplateReference], arguments: [ArgumentPlan], metrics: [JSONValue], dryRun: [String] = []
    ) {
        self.templates = templates
        self.arguments = arguments
        self.metrics = metrics
        self.dryRun = dryRun
    }
}

/// A template by name and digest.
public struct TemplateReference: Sendable, Equatable, Codable {
    /// The template's name.
    public var name: String
    /// Whether it is a ClusterAnalysisTemplate.
    public var clusterScope: Bool
    /// SHA-256 of its canonical JSON, `sha256:` and 64 hexadecimal digits.
    public var digest: String

    /// Makes a reference.
    public init(name: String, clusterScope: Bool, digest: String) {
        self.name = name
        self.clusterScope = clusterScope
        self.digest = digest
    }
}

/// One argument of an analysis.
public struct ArgumentPlan: Sendable, Equatable, Codable {
    /// Its name.
    public var name: String
    /// Where its value comes from.
    public var value: Source

    /// Where an argument's value comes from.
    public enum Source: Sendable, Equatable, Codable {
        /// Given.
        case literal(String)
        /// The pod-template-hash of the revision that is being released.
        case latestHash
        /// The pod-template-hash of the stable revision.
        case stableHash
        /// A field of the Rollout, such as `metadata.labels['region']`.
        case field(String)
        /// No value: a run cannot start.
        case missing
    }

    /// Makes an argument.
    public init(name: String, value: Source) {
        self.name = name
        self.value = value
    }
}

/// A metric whose arguments are filled in: what a run measures.
public struct ResolvedMetric: Sendable, Equatable, Codable {
    /// Name, counts, limits and conditions.
    public var plan: MetricPlan
    /// The provider's part of the manifest, such as `{"prometheus": {"address": …, "query": …}}`.
    public var provider: JSONValue

    /// Makes a metric.
    public init(plan: MetricPlan, provider: JSONValue) {
        self.plan = plan
        self.provider = provider
    }
}
