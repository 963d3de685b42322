import API
public import ArgumentParser
import Control
import Delivery
import EventSourcing
import Foundation
import Hummingbird
import Ledger
import LocalPlatform
public import Logging
import MetricSources
import Postgres
import ServiceLifecycle
import Transfer
import UnixSignals

/// Runs the API, the controller and the projectors.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the API, the controller and the local platform.",
        discussion: """
            Pods, nginx, Prometheus and a private PostgreSQL outlive this command, so that traffic goes on without it; \
            the next `serve` on the same data directory finds them again. `rollbook down` ends them.
            """)

    @OptionGroup var ledger: LedgerOptions
    @OptionGroup var platform: PlatformOptions
    @OptionGroup var seal: SealOptions

    @Option(help: "The loopback port of the API.")
    var port = 7070

    @Option(help: "The cluster whose rollouts this instance controls, on the platform of this machine.")
    var cluster = "default"

    @Flag(
        help: ArgumentHelp(
            "Take the cluster from the platform that has it.",
            discussion: """
                For one that is gone for good: what still runs there goes on, and nobody steers it any more. It is refused \
                while an instance there is heard of in the ledger; end one that is cut off from the ledger first.
                """))
    var moveCluster = false

    @Flag(
        help: ArgumentHelp(
            "If another instance serves from the data directory, wait for its end and go on with its pods and traffic.",
            discussion: """
                The API is served meanwhile. An instance that is there but does not renew its leases is ended first. \
                Without this, a data directory that is in use is an error.
                """))
    var standby = false

    @Option(help: "The name of this instance, which stands in the events that its controller writes.")
    var instance: String?

    @Option(
        help: ArgumentHelp(
            "Where a name that manifests use leads to on this machine; may be repeated.",
            discussion: "prometheus.monitoring:9090 leads to the private Prometheus unless it is given here.",
            valueName: "host:port=host:port"))
    var resolve: [String] = []

    @Option(help: "trace, debug, info, notice, warning or error.")
    var logLevel: Logger.Level = .info

    func validate() throws {
        guard (1...65535).contains(port) else {
            throw ValidationError("--port is \(port): give a port from 1 to 65535")
        }
        guard RolloutName.isValidPlace(cluster) else {
            throw ValidationError(
                "--cluster is \"\(cluster)\": give at most 63 of a-z 0-9 - . that begin and end with a letter or digit")
        }
        guard Set([port, platform.trafficPort, platform.prometheusPort]).count == 3 else {
            throw ValidationError("--port, --traffic-port and --prometheus-port must differ")
        }
    }

    func run() async throws {
        try await LedgerVerbFailure.saying { try await serve() }
    }

    private func serve() async throws {
        LoggingSystem.bootstrap { label in StreamLogHandler.standardError(label: label) }
        var logger = Logger(label: "rollbook")
        logger.logLevel = logLevel
        let data = DataDirectory(ledger.data)
        try FileManager.default.createDirectory(atPath: data.path, withIntermediateDirectories: true)
        let lock =
            standby
            ? try InstanceLock.ifFree(data)
            : try InstanceLock(data, advice: "stop it, give another --data, or --standby to wait for its end")
        defer { lock?.release() }
        // What is wrong with the call is said before anything is started.
        let detours = try detours()
        let (local, prometheus) = try platform.platform(data, logger)
        try Self.check(port, "--port", LoopbackPort.holder(of: port))
        try Self.check(platform.trafficPort, "--traffic-port", await local.nginx.otherListener())
        if let prometheus {
            try Self.check(platform.prometheusPort, "--prometheus-port", await prometheus.otherListener())
        }

        let (configuration, _) = try await ledger.open(logger)
        for migration in try await ledger.migrate(configuration) {
            logger.notice("applied migration", metadata: ["file": "\(migration.file)"])
        }
        // The controller has to hear soon that the ledger is back: it is on this machine, or one that others rely on too.
        let pool = PostgresPool(
            configuration.asLedgerService, options: PoolOptions(longestBackOff: .milliseconds(500)), logger: logger)
        let store = PostgresEventStore(pool: pool, logger: logger)
        let name = instance ?? ProcessInfo.processInfo.hostName
        let identity = try PlatformIdentity.of(data)
        try await bind(to: identity, data, through: pool)

        let mint: @Sendable () -> Identifier = { Mint.identifier() }
        let handler = CommandHandler<RolloutDecider>(store: store, mint: mint)
        let sealer = try await seal.sealer(data, store, logger)
        let projectors = Projector.all(store: store, logger: logger)
        var leased: [(lease: String, service: any Service)] = []
        for projector in projectors { leased.append(("projection/\(await projector.name)", projector)) }
        if let sealer { leased.append(("sealer", sealer)) }
        let timing = LeaseTiming()
        // Renewals stand in no line behind anybody's queries.
        let leasePool = PostgresPool(
            configuration.asLedgerService,
            options: PoolOptions(
                maximumConnections: 2, acquireTimeout: timing.renewal, longestBackOff: .milliseconds(500)),
            logger: logger)
        let leaseTable = PostgresLeases(pool: leasePool, patience: timing.renewal)
        // The port says that whoever had this name before is gone: one process on a machine has it.
        let holder = LeaseHolder(
            leases: leaseTable, holder: HolderName.of(name, port, platform: identity), shards: Shards(cluster: cluster),
            singles: leased.map(\.lease), sharesRollouts: lock != nil, timing: timing, clock: SystemControlClock(),
            logger: logger)
        let seat = PlatformSeat(
            local: local, prometheus: prometheus, detours: detours, store: store, handler: handler, holder: holder,
            cluster: cluster, instance: name, mint: mint, logger: logger)
        // Ends in the opposite order: leases are given back when nobody relies on them any more.
        var services: [any Service] = [store, holder]
        if let lock {
            services += try await seat.begin(under: lock)
        } else {
            services.append(
                Standby(data: data, leases: leaseTable, holder: holder, logger: logger) { lock in
                    try await seat.begin(under: lock)
                })
        }
        services.append(PartitionKeeper(store: store, logger: logger))
        for (lease, service) in leased { services.append(WhileLeased(service, while: lease, of: holder)) }
        services.append(
            Application(
                router: buildAPI(
                    APIDependencies(
                        handler: handler, store: store, views: LedgerRolloutViews(store),
                        audit: LedgerAuditTrail(store), snapshots: LedgerRolloutSnapshots(store, logger: logger),
                        now: { seat.clock.now() }, mint: mint, instance: name, port: port,
                        proofs: LedgerProver(store: store),
                        whyNotReady: {
                            do {
                                _ = try await store.head()
                                return store.whyCut
                            } catch { return "the ledger cannot be reached: \(error)" }
                        },
                        duties: { InstanceDuties(holder) },
                        halts: { await InstanceHalt.all(sealer, projectors) },
                        gauges: {
                            let projections = await ProjectionGauges.read(projectors)
                            return await AppendGauges.of(store.appendLoad) + (sealer?.gauges() ?? []) + projections
                        })),
                configuration: .init(address: .hostname("127.0.0.1", port: port), serverName: "rollbook"),
                logger: logger))
        logger.notice(
            "rollbook serves",
            metadata: [
                "url": "http://127.0.0.1:\(port)", "instance": "\(name)", "cluster": "\(cluster)",
                "platform": lock == nil ? "steered by another instance, standing by" : "steered from here",
            ])
        try await ServiceGroup(
            configuration: .init(
                services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        ).run()
        await leasePool.close()
        await pool.close()
    }

    /// Refuses a port that somebody else holds.
    private static func check(_ port: Int, _ option: String, _ holder: String?) throws {
        if let holder {
            throw ServeFailure("port \(port) is taken by \(holder): end that, or give another \(option)")
        }
    }

    /// Makes sure that the cluster is this machine's: pods and traffic of another one cannot be steered from here.
    private func bind(to identity: String, _ data: DataDirectory, through pool: PostgresPool) async throws {
        let place = "\(ProcessInfo.processInfo.hostName):\(data.path)"
        if moveCluster { try await ClusterMove.check(cluster, to: identity, PostgresLeases(pool: pool)) }
        let bound = try await ClusterBinding.bind(
            cluster, to: identity, at: place, moving: moveCluster, through: pool)
        guard bound.platform == identity else {
            throw ServeFailure(
                "cluster \(cluster) is the platform at \(bound.place) since \(bound.boundAt): give this one a --cluster "
                    + "of its own, or --move-cluster if that platform is gone for good")
        }
    }

    /// Where names that manifests use lead to.
    private func detours() throws -> [TransferRoute.Endpoint: TransferRoute.Endpoint] {
        var detours: [TransferRoute.Endpoint: TransferRoute.Endpoint] = [:]
        if platform.prometheusPort > 0 {
            let own = TransferRoute.Endpoint(host: "127.0.0.1", port: UInt16(platform.prometheusPort))
            for suffix in ["", ".svc", ".svc.cluster.local"] {
                detours[TransferRoute.Endpoint(host: "prometheus.monitoring" + suffix, port: 9090)] = own
            }
        }
        for pair in resolve {
            let sides = pair.split(separator: "=", maxSplits: 1).map(String.init)
            guard sides.count == 2, let from = TransferRoute.Endpoint(sides[0]),
                let to = TransferRoute.Endpoint(sides[1])
            else {
                throw ServeFailure("--resolve is \"\(pair)\": give host:port=host:port")
            }
            detours[from] = to
        }
        return detours
    }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}

/// A loop as a service: runs until shutdown begins.
struct Background: Service {
    private let body: @Sendable () async -> Void

    init(_ body: @escaping @Sendable () async -> Void) { self.body = body }

    func run() async throws {
        await cancelWhenGracefulShutdown { await body() }
    }
}
