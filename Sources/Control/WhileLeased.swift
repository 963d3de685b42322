public import ServiceLifecycle

/// Runs a service while this instance holds a lease, and on no other instance.
///
/// The service is begun when the lease is held, and cancelled as soon as it may not be relied on; what it does late must be
/// harmless by itself, by an epoch or by compare-and-set. The next holding begins it again. One that ends by itself cannot
/// be done here: the lease is left to other instances for a while.
public struct WhileLeased: Service {
    /// For how long others may try what could not be done here.
    private static let declining = Duration.seconds(30)

    private let lease: String
    private let holder: LeaseHolder
    private let service: any Service

    /// Makes a service that runs `service` while `holder` has the lease named `lease`.
    ///
    /// - Parameters:
    ///   - service: Its `run()` ends with its task, and can be called again.
    ///   - holder: Was made with `lease` among its single leases, or nobody ever claims it.
    public init(_ service: any Service, while lease: String, of holder: LeaseHolder) {
        self.service = service
        self.lease = lease
        self.holder = holder
    }

    /// Runs until the task is cancelled or a shutdown begins.
    /// - Throws: What the service throws.
    public func run() async throws {
        try await cancelWhenGracefulShutdown {
            let changes = holder.changes()
            var iterator = changes.makeAsyncIterator()
            while await iterator.next() != nil {
                guard case .certain(let fence) = holder.standing(of: lease) else { continue }
                try await run(while: .certain(fence))
            }
        }
    }

    private func run(while standing: LeaseHolder.Standing) async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await service.run()
                return false
            }
            group.addTask {
                for await _ in holder.changes() where holder.standing(of: lease) != standing { return true }
                return true
            }
            while let isOver = try await group.next(), !isOver {
                if !Task.isCancelled { holder.decline(lease, for: Self.declining) }
            }
            group.cancelAll()
        }
    }
}
