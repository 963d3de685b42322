import Control
import EventSourcing
import Foundation
import LocalPlatform
import Logging
import ServiceLifecycle

/// Waits until the platform of a data directory is nobody's, then steers it.
///
/// That is when the one who had it has ended. One that is there, but has let its lease run out that it was seen to hold
/// before (it was stopped, or is stuck), is ended first: two may never look after the same pods, and a process that is gone
/// cannot wake up late.
struct Standby: Service {
    /// Tells who has the platform from who only seems to.
    struct Watch {
        /// For how long a lease must be seen to have run out.
        static let patience = Duration.milliseconds(1500)
        /// The same after a time without the database: its holder and we find back to it in any order, and an attempt to
        /// connect may take ten seconds.
        static let patienceAfterBlindness = Duration.seconds(15)

        private var seen: (owner: InstanceLock.Owner, epoch: Int64)?
        private var lapsedAt: Duration?
        private var wasBlind = false

        /// Whether `owner` has let the lease run out by which others know of it.
        ///
        /// - Parameters:
        ///   - presence: Every such lease; `nil` if they cannot be looked at now.
        ///   - uptime: The time of the look, on a clock that never steps.
        mutating func isHung(_ owner: InstanceLock.Owner?, _ presence: [Lease]?, at uptime: Duration) -> Bool {
            guard let presence else {
                lapsedAt = nil
                wasBlind = true
                return false
            }
            guard let owner, let lease = presence.first(where: { $0.holder == owner.holder }), !lease.isHeld,
                let seen, seen == (owner, lease.epoch)
            else {
                lapsedAt = nil
                seen = owner.flatMap { owner in
                    presence.first { $0.holder == owner.holder && $0.isHeld }.map { (owner, $0.epoch) }
                }
                if seen != nil { wasBlind = false }
                return false
            }
            let since = lapsedAt ?? uptime
            lapsedAt = since
            return uptime - since >= (wasBlind ? Self.patienceAfterBlindness : Self.patience)
        }
    }

    private static let interval = Duration.milliseconds(200)

    let data: DataDirectory
    let leases: any Leases
    let holder: LeaseHolder
    let logger: Logger
    /// Starts the platform, under the lock, and answers what has to run from then on.
    let begin: @Sendable (InstanceLock) async throws -> [any Service]

    /// Runs until a shutdown begins.
    /// - Throws: What the platform's start or a service of it throws.
    func run() async throws {
        let taken = try await cancelWhenGracefulShutdown { try await self.waitForLock() }
        guard let taken else { return }
        defer { taken.release() }
        logger.notice("the platform is steered from here now", metadata: ["data": "\(data.path)"])
        holder.shareRollouts()
        let services = try await begin(taken)
        try await ServiceGroup(configuration: .init(services: services, logger: logger)).run()
    }

    /// Answers the lock, or `nil` once the task is cancelled.
    private func waitForLock() async throws -> InstanceLock? {
        var watch = Watch()
        while !Task.isCancelled {
            if let lock = try InstanceLock.ifFree(data) { return lock }
            await look(&watch)
            // A file lock tells nobody that it is free; cancellation ends the wait, and with it the service.
            do { try await Task.sleep(for: Self.interval) } catch { return nil }
        }
        return nil
    }

    private func look(_ watch: inout Watch) async {
        let owner = InstanceLock.owner(data)
        var presence: [Lease]?
        do { presence = try await leases.list(under: holder.shards.presencePrefix) } catch {
            logger.debug("leases cannot be looked at", metadata: ["error": "\(error)"])
        }
        guard watch.isHung(owner, presence, at: SystemControlClock().uptime()), let owner, owner.process.isAlive else {
            return
        }
        // A ledger that can be read and not written lets nobody renew: then the owner is as well as can be.
        do {
            _ = try await leases.claim(
                ["standby/\(holder.holder)"], for: holder.holder, lasting: .seconds(1), atMost: 1)
        } catch {
            logger.warning("the owner's lease ran out, but so would ours", metadata: ["error": "\(error)"])
            watch = Watch()
            return
        }
        let isEnded = owner.process.send(SIGKILL)
        logger.warning(
            "the instance that steered the platform let its leases run out and is still there: ended it",
            metadata: ["process.pid": "\(owner.process.pid)", "holder": "\(owner.holder)", "ended": "\(isEnded)"])
    }
}
