import Control
import Delivery
import EventSourcing
import Foundation
import LocalPlatform
import Logging
import MetricSources
import ServiceLifecycle
import Transfer

/// What is done from one place only: looking after the platform of a data directory, and controlling its rollouts.
struct PlatformSeat: Sendable {
    let local: LocalPlatform
    let prometheus: PrometheusServer?
    let detours: [TransferRoute.Endpoint: TransferRoute.Endpoint]
    let store: any EventStore
    let handler: CommandHandler<RolloutDecider>
    let holder: LeaseHolder
    let cluster: String
    let instance: String
    let mint: @Sendable () -> Identifier
    let logger: Logger
    let clock = SystemControlClock()

    /// Starts the platform or finds it again, and answers the services that look after it, in the order of their start.
    /// - Throws: `PlatformFailure`; ``ServeFailure`` if the lock cannot be signed.
    func begin(under lock: InstanceLock) async throws -> [any Service] {
        try await local.start()
        try await prometheus?.start()
        var services: [any Service] = [
            SignedLock(lock: lock, holder: holder.holder), Background { [local] in await local.run() },
        ]
        var router: any TrafficRouter = local.router
        if let prometheus {
            let discovery = PrometheusDiscovery(nginx: local.nginx, prometheus: prometheus, logger: logger)
            router = DiscoveredRouter(local.router, for: discovery)
            services += [Background { await prometheus.keepAlive() }, Background { await discovery.run() }]
        }
        let clock = clock
        services.append(
            RolloutControl(
                ports: RolloutControl.Ports(
                    store: store, handler: handler, workloads: local.workloads, router: router,
                    sources: [
                        PrometheusMetricSource(
                            client: TransferClient(), addresses: AddressBook(detours), now: { clock.now() })
                    ], clock: clock, mint: mint),
                cluster: cluster, leases: holder, instance: instance, logger: logger))
        return services
    }
}

/// Says who has the lock until a shutdown begins: one that ends in good order is nobody to be ended.
private struct SignedLock: Service {
    let lock: InstanceLock
    let holder: String

    func run() async throws {
        try lock.sign(ProcessIdentity(of: getpid()).map { InstanceLock.Owner(process: $0, holder: holder) })
        do { try await gracefulShutdown() } catch { return }
        try lock.sign(nil)
    }
}
