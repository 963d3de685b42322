internal import EventSourcing
internal import Foundation
internal import Postgres

extension SubjectDirectory {
    /// Something that has the server keep row versions that were deleted.
    public struct Holder: Sendable, Equatable, CustomStringConvertible {
        /// What kind of thing it is.
        public enum Kind: String, Sendable {
            /// A session with an open transaction; its process id.
            case session
            /// A prepared transaction; its name.
            case preparedTransaction
            /// A replica that passes on what is still read there (`hot_standby_feedback`); its name.
            case replica
            /// A replication slot that keeps what its replica still reads, or read last; its name.
            case replicationSlot
        }

        /// What kind of thing it is.
        public var kind: Kind
        /// Which one.
        public var name: String
        /// What is known of it.
        public var detail: String

        /// What it is, and how it is ended.
        public var description: String {
            switch kind {
            case .session: "session \(name) (\(detail)): let it finish, or SELECT pg_terminate_backend(\(name))"
            case .preparedTransaction:
                "prepared transaction '\(name)' (\(detail)): COMMIT PREPARED or ROLLBACK PREPARED it"
            case .replica: "replica \(name) (\(detail)): end the long transaction there"
            case .replicationSlot:
                "replication slot \(name) (\(detail)): end the long transaction on its replica, or drop the slot if that is gone"
            }
        }
    }

    /// Writes the directory's tables anew, so that no page of them holds a destroyed key or detail any more.
    ///
    /// For who owns the log. The server's write-ahead log and backups from before are not reached by this. The server keeps
    /// what a transaction that began before could still read: such ones are waited for, and those that are left at the end
    /// are named. Then a destroyed key may still stand in the tables' files, and this is to be called again.
    ///
    /// - Parameter patience: How long they are waited for.
    /// - Returns: Who may still keep what was destroyed before this call; empty if nothing of it is left.
    /// - Throws: `EventStoreFailure`.
    public func purge(patience: Duration = .seconds(10)) async throws -> [Holder] {
        try await answering {
            try await store.pool.withConnection { connection in
                // Later than whatever was destroyed before.
                let mark: String = try await connection.query("SELECT pg_current_xact_id()::text").single().get(0)
                let deadline = ContinuousClock.now + patience
                var holders = try await Self.holders(since: mark, connection)
                while !holders.isEmpty, ContinuousClock.now < deadline {
                    // Until they are done, which nobody announces; `patience` ends it, and so does cancellation.
                    try await Task.sleep(for: .milliseconds(100))
                    holders = try await Self.holders(since: mark, connection)
                }
                var isWritten = try await Self.writeAnew(connection)
                if !holders.isEmpty {
                    // What they kept was copied, also if they have ended since.
                    holders = try await Self.holders(since: mark, connection)
                    if holders.isEmpty { isWritten = try await Self.writeAnew(connection) }
                }
                if !isWritten, holders.isEmpty { holders = try await Self.holders(since: mark, connection) }
                guard isWritten || !holders.isEmpty else {
                    throw EventStoreFailure.unavailable(
                        "somebody has the directory's tables locked (see pg_locks): they were not written anew, try again"
                    )
                }
                return holders
            }
        }
    }

    /// Writes the tables anew; false if somebody has them locked.
    private static func writeAnew(_ connection: PostgresConnection) async throws -> Bool {
        // Who reads the directory waits behind this.
        try await connection.query("SET lock_timeout = '1s'")
        let outcome: Result<Bool, any Error>
        do {
            try await connection.query("VACUUM (FULL) ledger.subject")
            try await connection.query("VACUUM (FULL) ledger.subject_detail")
            outcome = .success(true)
        } catch let error as PostgresError where error.sqlState == .lockNotAvailable {
            outcome = .success(false)
        } catch { outcome = .failure(error) }
        try await connection.query("RESET lock_timeout")
        return try outcome.get()
    }

    /// Who may still read what a transaction before `mark` deleted, or has the tables locked.
    ///
    /// - Source: PostgreSQL 15, 25.1.2 (recovering disk space), and `ComputeXidHorizons` in procarray.c: snapshots of other
    ///   databases, and of a plain VACUUM, keep nothing here. A transaction there that has written does (`GetSnapshotData`):
    ///   the snapshot of VACUUM FULL itself begins with the oldest of them all.
    private static func holders(since mark: String, _ connection: PostgresConnection) async throws -> [Holder] {
        try await connection.query(
            """
            WITH mark AS (SELECT age(\(mark)::xid8::xid) AS age)
            SELECT CASE WHEN r.pid IS NULL THEN 'session' ELSE 'replica' END,
                   CASE WHEN r.pid IS NULL THEN a.pid::text ELSE a.application_name END,
                   concat_ws(', ', coalesce(nullif(a.application_name, ''), a.backend_type), a.state,
                             'in a transaction since ' || a.xact_start)
            FROM mark, pg_stat_activity a
            LEFT JOIN pg_stat_replication r USING (pid)
            WHERE a.pid <> pg_backend_pid()
              AND a.pid NOT IN (SELECT v.pid FROM pg_stat_progress_vacuum v)
              AND (age(a.backend_xid) >= mark.age
                   OR age(a.backend_xmin) >= mark.age AND (a.datname = current_database() OR r.pid IS NOT NULL)
                   OR a.pid IN (
                       SELECT l.pid
                       FROM pg_locks l
                       WHERE l.granted AND l.pid IS NOT NULL
                         AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                         AND l.relation IN ('ledger.subject'::regclass, 'ledger.subject_detail'::regclass)))
            UNION ALL
            SELECT 'preparedTransaction', p.gid, 'since ' || p.prepared
            FROM pg_prepared_xacts p, mark
            WHERE age(p.transaction) >= mark.age
            UNION ALL
            SELECT 'replicationSlot', s.slot_name, CASE WHEN s.active THEN 'active' ELSE 'not in use' END
            FROM pg_replication_slots s, mark
            WHERE age(s.xmin) >= mark.age
            ORDER BY 1, 2
            """
        ).compactMap { row in
            guard let kind = Holder.Kind(rawValue: try row.get(0)) else { return nil }
            return Holder(kind: kind, name: try row.get(1), detail: try row.get(2))
        }
    }
}
