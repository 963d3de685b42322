public import Delivery
public import Logging

/// One machine as a platform: pods are processes, an Ingress is a server block of a private nginx.
///
/// Everything it starts outlives it, until `end`; the next `start` on the same directory finds it again.
public struct LocalPlatform: Sendable {
    /// Runs the pods.
    public let workloads: LocalWorkloads
    /// Splits the traffic.
    public let router: LocalTrafficRouter
    /// The private nginx.
    public let nginx: NginxServer

    /// Describes a platform; nothing is started.
    ///
    /// - Parameters:
    ///   - directory: Holds all its files; absolute. Only one platform at a time may use it.
    ///   - port: The loopback port that takes traffic.
    ///   - routeDrainTimeout: How long requests under older weights are awaited before a switch counts as failed.
    /// - Throws: `.rejected` if nginx or its Lua module is not installed.
    public init(
        directory: String, port: Int, pods: PodSettings = PodSettings(), routeDrainTimeout: Duration = .seconds(60),
        logger: Logger
    ) throws(PlatformFailure) {
        nginx = try NginxServer(directory: directory, port: port, logger: logger)
        workloads = LocalWorkloads(
            supervisor: PodSupervisor(directory: directory, settings: pods, traffic: nginx, logger: logger))
        router = LocalTrafficRouter(nginx: nginx, gate: SiteGate(), drainTimeout: routeDrainTimeout)
    }

    /// Starts nginx or finds it again, then takes up the pods of an earlier run.
    public func start() async throws(PlatformFailure) {
        try await nginx.start()
        try await workloads.supervisor.start()
    }

    /// Keeps nginx running until the task is cancelled, then rests: pods and nginx go on without us.
    public func run() async {
        await nginx.keepAlive()
        await workloads.supervisor.rest()
    }

    /// Ends every pod and then nginx.
    ///
    /// Nothing of this platform runs afterwards.
    public func end() async throws(PlatformFailure) {
        try await workloads.supervisor.endAll()
        await workloads.supervisor.rest()
        await nginx.stop()
    }

    /// Every pod, sorted by name.
    public func pods() async -> [LocalPod] { await workloads.supervisor.all().map(LocalPod.init) }
}

/// A pod of the local platform at one moment.
public struct LocalPod: Sendable, Hashable {
    /// Unique: rollout, set and five letters.
    public var name: String
    /// The rollout that it belongs to.
    public var rollout: RolloutName
    /// The set that it belongs to.
    public var podTemplateHash: String
    /// The revision of its template.
    public var revision: Int
    /// Its own addresses by declared port, number and name both.
    public var addresses: [String: String]
    /// Its process, if one runs.
    public var process: ProcessIdentity?
    /// Whether its readiness probe passes.
    public var isReady: Bool
    /// Whether it is on its way out.
    public var isGoing: Bool
    /// Ends of its process that nobody asked for, since the last long run.
    public var crashes: Int

    init(_ record: PodRecord) {
        name = record.name
        rollout = record.rollout
        podTemplateHash = record.podTemplateHash
        revision = record.revision
        addresses = record.addresses
        process = record.process
        isReady = record.readyAt != nil
        isGoing = record.isGoing
        crashes = record.crashes
    }
}
