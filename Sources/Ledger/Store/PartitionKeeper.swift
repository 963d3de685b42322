internal import EventSourcing
public import Logging
internal import Postgres
public import ServiceLifecycle

/// Sees to it that the log has room: partitions stand ready ahead of the head, and appends look into the one it is in.
///
/// Several instances may do this at once; the database lets one of them do each thing.
public struct PartitionKeeper: Service {
    private let pool: PostgresPool
    private let logger: Logger
    /// How often it looks, while all is well.
    private static let interval = Duration.seconds(5)
    /// How often, while somebody is in the way.
    private static let lateInterval = Duration.milliseconds(500)

    /// Makes a keeper on the store's connections.
    public init(store: PostgresEventStore, logger: Logger) {
        pool = store.pool
        self.logger = logger
    }

    /// Looks every few seconds, until a shutdown begins.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            var failures = 0
            while !Task.isCancelled {
                do {
                    let isLate = try await self.keep().isLate
                    failures = 0
                    // Nobody tells of room that runs out, nor of a lock that is free again.
                    try await Task.sleep(for: isLate ? Self.lateInterval : Self.interval)
                } catch {
                    if Task.isCancelled { return }
                    failures += 1
                    self.logger.log(
                        level: failures == 1 ? .warning : .debug, "the log's partitions could not be looked after",
                        metadata: ["error": "\(error)"])
                    await BackOff.pause(after: failures)
                }
            }
        }
    }

    /// Makes what is missing, once.
    ///
    /// - Returns: How many partitions were made; whether appends look into another one now; and whether they should, but
    ///   somebody has the one before open in a transaction: they are slower until the next call, not wrong.
    /// - Throws: `PostgresError`.
    @discardableResult
    public func keep() async throws -> (made: Int, hasRolledOver: Bool, isLate: Bool) {
        // Looks without a lock first: nearly always there is nothing to do.
        let row = try await pool.query(
            """
            SELECT (SELECT count(*) FROM ledger.event_partition p WHERE p.first_position > h.head) < 2,
                   h.head + 1 >= (SELECT r.end_position FROM ledger.current_range r)
            FROM (SELECT last_position AS head FROM ledger.append_batch ORDER BY last_position DESC LIMIT 1) h
            """
        ).single()
        var made = 0
        if try row.get(0, as: Bool.self) {
            made = try await pool.query("SELECT ledger.prepare_partitions()").single().get(0)
            logger.info("partitions were made ahead of need", metadata: ["made": "\(made)"])
        }
        guard try row.get(1, as: Bool.self) else { return (made, false, false) }
        do {
            let hasRolledOver: Bool = try await pool.query("SELECT ledger.roll_over()").single().get(0)
            logger.info("appends have come to the next partition")
            return (made, hasRolledOver, false)
        } catch let error as PostgresError where error.sqlState == .lockNotAvailable {
            logger.debug("appends could not come to the next partition yet", metadata: ["error": "\(error)"])
            return (made, false, true)
        }
    }
}
