public import EventSourcing
internal import Foundation
public import Postgres

/// How a log that was cut short goes on: in a new epoch, whose first event says so.
///
/// Tree heads, ids of server-sent events and checkpoints name the epoch that they are of, so that nobody takes what is
/// appended from here on for what was lost.
public enum LogEpoch {
    /// The wire name of an epoch's first event.
    public static let wireName = "ledger.epoch-began.v1"

    /// What an epoch's first event says.
    public struct Payload: Codable, Sendable, Hashable {
        /// The epoch that begins.
        public var epoch: Int
        /// The last position of the epoch before.
        public var after: Int64
        /// Why, in the words of who did it.
        public var reason: String
    }

    /// Begins the next epoch.
    ///
    /// - Parameters:
    ///   - owner: How to connect in a role that owns the log, or may become its owner.
    ///   - head: Where the caller believes the log to end; nothing is done if it ends elsewhere.
    /// - Returns: The epoch, and where its first event stands.
    /// - Throws: `PostgresError`; `EventStoreFailure.rejected` if the log ends elsewhere.
    public static func begin(
        _ owner: PostgresConfiguration, after head: GlobalPosition, because reason: String, id: Identifier,
        at instant: Instant, actor: EventActor
    ) async throws -> (epoch: Int, position: GlobalPosition) {
        let connection = try await PostgresConnection.connect(owner)
        let outcome: Result<(epoch: Int, position: GlobalPosition), any Error>
        do {
            outcome = .success(
                try await connection.transaction { connection in
                    try await connection.script("SET LOCAL ROLE rollbook_ledger")
                    // A statement of its own, as in ledger.append: those below see every append before.
                    try await connection.script("LOCK TABLE ledger.append_lock IN EXCLUSIVE MODE")
                    let row = try await connection.query(
                        """
                        SELECT last_position, epoch
                        FROM ledger.append_batch
                        ORDER BY last_position DESC
                        LIMIT 1
                        """
                    ).single()
                    let (last, epoch): (Int64, Int) = (try row.get(0), try row.get(1) + 1)
                    guard last == head.value else {
                        throw EventStoreFailure.rejected(
                            "the log ends at position \(last), not at \(head): look again whether it is the right one")
                    }
                    let event = NewEvent(
                        id: id, type: wireName, occurredAt: instant, actor: actor, causation: nil, correlation: id,
                        data: CanonicalJSON.text(Payload(epoch: epoch, after: last, reason: reason)))
                    try await insert(event, epoch: epoch, at: last + 1, connection)
                    return (epoch, GlobalPosition(last + 1))
                })
        } catch { outcome = .failure(error) }
        await connection.close()
        return try outcome.get()
    }

    /// Writes the event and its batch; the append functions know no epoch but the last batch's.
    private static func insert(
        _ event: NewEvent, epoch: Int, at position: Int64, _ connection: PostgresConnection
    ) async throws {
        let actor = event.actor
        try await connection.query(
            """
            WITH batch AS (
                INSERT INTO ledger.append_batch (last_position, first_position, recorded_at, epoch)
                SELECT \(position), \(position), greatest(clock_timestamp(), max(b.recorded_at)), \(Int32(epoch))
                FROM ledger.append_batch b
                RETURNING recorded_at
            )
            INSERT INTO ledger.event (
                   "position", stream_id, version, recorded_at, occurred_at, event_id, correlation, causation, type_id,
                   actor_id, epoch, content_hash, data, metadata)
            SELECT \(position), s.stream_id,
                   1 + coalesce((SELECT max(e.version) FROM ledger.event e WHERE e.stream_id = s.stream_id), 0),
                   batch.recorded_at, \(PostgresInstant(event.occurredAt)), \(event.id.uuid), \(event.correlation.uuid),
                   NULL, t.type_id, a.actor_id, \(Int32(epoch)), \(ContentHash.of(event)), \(event.data),
                   \(event.metadata)
            FROM batch,
                 ledger.open_streams(ARRAY[\(KeyHistory.stream.description)]) s,
                 ledger.open_types(ARRAY[\(event.type)]) t,
                 ledger.open_actors(ARRAY[\(actor.subject)], ARRAY[\(actor.issuer)], ARRAY[\(actor.method.rawValue)],
                                    ARRAY[\(actor.onBehalfOf)]) a
            """)
        try await connection.query("SELECT pg_notify('ledger', \("\(position)"))")
    }
}
