internal import Synchronization

/// Leases without a database: same promises, same contract suite; fences the appends of a store in memory.
public final class InMemoryLeases: Leases {
    private struct Holding {
        var holder: String
        var epoch: Int64
        var expiresAt: Instant
        /// Given back: no renewal brings it to life again.
        var isReleased = false
    }

    private let holdings = Mutex<[String: Holding]>([:])
    private let store: InMemoryEventStore
    private let clock: @Sendable () -> Instant

    /// Makes leases that nobody holds.
    ///
    /// - Parameters:
    ///   - store: Whose appends are refused under an epoch that is over.
    ///   - clock: Judges what has run out.
    public init(store: InMemoryEventStore, clock: @escaping @Sendable () -> Instant) {
        self.store = store
        self.clock = clock
    }

    /// Renews, as the port says.
    public func renew(
        _ held: [Fence], for holder: String, lasting: Duration
    ) async throws(EventStoreFailure) -> [Fence] {
        let now = clock()
        return holdings.withLock { holdings in
            held.filter { fence in
                guard let holding = holdings[fence.lease], Self.isHolding(holding, fence, holder),
                    !holding.isReleased
                else { return false }
                holdings[fence.lease]?.expiresAt = now + lasting
                return true
            }
        }.sorted { $0.lease < $1.lease }
    }

    /// Claims, as the port says.
    public func claim(
        _ names: [String], above floors: [String: Int64], for holder: String, lasting: Duration, atMost limit: Int
    ) async throws(EventStoreFailure) -> [Fence] {
        let now = clock()
        return holdings.withLock { holdings in
            let free = names.filter { name in
                holdings[name].map { $0.expiresAt <= now || $0.holder == holder } ?? true
            }
            return free.prefix(max(0, limit)).map { name in
                let epoch = max(holdings[name]?.epoch ?? 0, floors[name] ?? 0) + 1
                holdings[name] = Holding(holder: holder, epoch: epoch, expiresAt: now + lasting)
                store.fence(name, epoch: epoch)
                return Fence(lease: name, epoch: epoch)
            }
        }.sorted { $0.lease < $1.lease }
    }

    /// Releases, as the port says.
    public func release(_ held: [Fence], by holder: String) async throws(EventStoreFailure) {
        let now = clock()
        holdings.withLock { holdings in
            for fence in held {
                guard var holding = holdings[fence.lease], Self.isHolding(holding, fence, holder) else { continue }
                holding.expiresAt = min(holding.expiresAt, now)
                holding.isReleased = true
                holdings[fence.lease] = holding
            }
        }
    }

    /// Lists, as the port says.
    public func list(under prefix: String) async throws(EventStoreFailure) -> [Lease] {
        let now = clock()
        return holdings.withLock { holdings in
            holdings.filter { $0.key.hasPrefix(prefix) }.map { name, holding in
                Lease(
                    name: name, holder: holding.holder, epoch: holding.epoch, remaining: holding.expiresAt.since(now))
            }
        }.sorted { $0.name < $1.name }
    }

    private static func isHolding(_ holding: Holding?, _ fence: Fence, _ holder: String) -> Bool {
        holding?.holder == holder && holding?.epoch == fence.epoch
    }
}
