import EventSourcing
import Ledger
import Postgres
import TestKit
import Testing

/// What the database itself sees to, whoever asks.
@Suite(.timeLimit(.minutes(5))) struct SchemaTests {
    @Test(arguments: ["", "rollbook_ledger", "rollbook_service"])
    func `neither superuser nor owner nor service changes what was appended`(_ role: String) async throws {
        try await withLedger { store, owner in
            _ = try await store.append(SampleEvents.append(to: "a-1", command: SampleEvents.id()))
            let connection = try await PostgresConnection.connect(owner)
            if !role.isEmpty { try await connection.query("SET ROLE \(identifier: role)") }
            let partition = try await connection.query(
                "SELECT table_name FROM ledger.event_partition ORDER BY first_position LIMIT 1"
            ).single().get(0, as: String.self)
            for table in ["event", partition, "append_batch", "receipt", "stream", "event_type", "actor"] {
                let column = try await connection.query(
                    """
                    SELECT attname::text
                    FROM pg_attribute
                    WHERE attrelid = \("ledger." + table)::regclass AND attnum > 0
                    ORDER BY attnum DESC
                    LIMIT 1
                    """
                ).single().get(0, as: String.self)
                for statement: SQL in [
                    "UPDATE ledger.\(identifier: table) SET \(identifier: column) = \(identifier: column)",
                    "DELETE FROM ledger.\(identifier: table)", "TRUNCATE ledger.\(identifier: table) CASCADE",
                ] {
                    let error = await Self.error(of: statement, on: connection)
                    #expect(error?.sqlState == .insufficientPrivilege, "\(table): \(error?.description ?? "")")
                }
            }
            await connection.close()
        }
    }

    @Test func `the service only executes, selects and keeps its read models`() async throws {
        try await withLedger { store, owner in
            _ = try await store.append(SampleEvents.append(to: "a-1"))
            let service = try await PostgresConnection.connect(owner.asLedgerService)
            for statement: SQL in [
                "INSERT INTO ledger.stream (name) VALUES ('b-1')", "UPDATE ledger.lease SET epoch = 9",
                "DELETE FROM ledger.checkpoint", "CREATE TABLE ledger.mine ()",
                "ALTER TABLE ledger.event DISABLE TRIGGER ALL", "DROP TABLE ledger.event",
                "SELECT FROM ledger.append_lock",
            ] {
                let error = await Self.error(of: statement, on: service)
                #expect(error?.sqlState == .insufficientPrivilege, "\(statement.rendered.text)")
            }
            try await service.script("BEGIN")
            let locked = await Self.error(of: "LOCK TABLE ledger.append_lock IN EXCLUSIVE MODE", on: service)
            try await service.script("ROLLBACK")
            #expect(locked?.sqlState == .insufficientPrivilege)
            #expect(try await service.query("SELECT data->>'n' FROM ledger.event_readable").count == 1)
            await service.close()
        }
    }

    @Test func `people are shown what jsonb cannot hold as text`() async throws {
        try await withLedger { store, owner in
            let huge = #"{"n": 1e400000}"#
            var append = SampleEvents.append(2, to: "a-1")
            append.events[1] = SampleEvents.event(data: huge, metadata: #"{"m":[1e400000]}"#)
            _ = try await store.append(append)
            let service = try await PostgresConnection.connect(owner.asLedgerService)
            try await service.script("SET force_parallel_mode = on")
            let shown = try await service.query(
                "SELECT data->>'n', data #>> '{}', metadata #>> '{}' FROM ledger.event_readable ORDER BY position")
            #expect(try shown.map { try $0.get(0, as: String?.self) } == ["0", nil])
            #expect(try shown.map { try $0.get(1, as: String?.self) } == [#"{"n": 0}"#, huge])
            #expect(try shown.map { try $0.get(2, as: String?.self) } == ["{}", #"{"m":[1e400000]}"#])
            await service.close()
        }
    }

    @Test func `the function refuses a transaction that might not see the head`() async throws {
        try await withLedger { store, owner in
            let service = try await PostgresConnection.connect(owner.asLedgerService)
            for isolation in [TransactionIsolation.repeatableRead, .serializable] {
                try await service.script("BEGIN ISOLATION LEVEL \(isolation.rawValue)")
                for (function, argument, count) in [("append", "'{}'", 7), ("append_one", "NULL", 13)] {
                    let nothing = Array(repeating: argument, count: count).joined(separator: ", ")
                    try await service.script("SAVEPOINT before")
                    let error = await Self.error(
                        of: "SELECT ledger.\(identifier: function)(\(unsafeRaw: nothing))", on: service)
                    try await service.script("ROLLBACK TO before")
                    #expect(error?.message.contains("READ COMMITTED") == true, "\(function)")
                }
                try await service.script("ROLLBACK")
            }
            await service.close()
        }
    }

    @Test func `one event goes in only after the version that is expected`() async throws {
        try await withLedger { store, owner in
            _ = try await store.append(SampleEvents.append(3, to: "a-1"))
            let service = try await PostgresConnection.connect(owner.asLedgerService)
            // Any, one before the last, one that is yet to come, none at all, and the last.
            let cases: [(String, Int64?)] = [("NULL", nil), ("2", nil), ("4", nil), ("0", nil), ("3", 4)]
            for (expected, position) in cases {
                let appended = try await service.query(
                    """
                    SELECT r.position
                    FROM ledger.event e,
                         ledger.append_one(e.stream_id, \(unsafeRaw: expected), gen_random_uuid(), e.type_id, e.actor_id,
                             e.occurred_at, e.causation, e.correlation, e.data, e.metadata, e.content_hash, NULL, NULL) r
                    WHERE e.position = 3
                    """
                ).single().get(0, as: Int64?.self)
                #expect(appended == position, "after \(expected)")
            }
            #expect(try await store.head() == GlobalPosition(4))
            await service.close()
        }
    }

    @Test func `the content hash is what SQL makes of the columns`() async throws {
        try await withLedger { store, owner in
            var append = SampleEvents.append(2, to: "a-1")
            append.events.append(
                SampleEvents.event(
                    by: "ü", onBehalfOf: "team", causation: append.events[0].id, data: #"{"ä": "€"}"#,
                    metadata: #"{"request":"1"}"#))
            _ = try await store.append(append)
            let connection = try await PostgresConnection.connect(owner)
            try await connection.script(
                """
                CREATE FUNCTION pg_temp.part(b bytea) RETURNS bytea LANGUAGE sql AS
                $$ SELECT CASE WHEN b IS NULL THEN int4send(-1) ELSE int4send(octet_length(b)) || b END $$;
                CREATE FUNCTION pg_temp.part(t text) RETURNS bytea LANGUAGE sql AS
                $$ SELECT pg_temp.part(convert_to(t, 'UTF8')) $$
                """)
            let same = try await connection.query(
                """
                SELECT e.content_hash = sha256(
                           pg_temp.part('rollbook.event.v1'::text) || pg_temp.part(t.name)
                           || pg_temp.part(int8send((extract(epoch FROM e.occurred_at) * 1000000)::bigint))
                           || pg_temp.part(uuid_send(e.correlation)) || pg_temp.part(uuid_send(e.causation))
                           || pg_temp.part(a.subject) || pg_temp.part(a.issuer) || pg_temp.part(a.method)
                           || pg_temp.part(a.on_behalf_of) || pg_temp.part(e.data) || pg_temp.part(e.metadata))
                FROM ledger.event e
                JOIN ledger.event_type t USING (type_id)
                JOIN ledger.actor a USING (actor_id)
                """
            ).map { try $0.get(0, as: Bool.self) }
            #expect(same == [true, true, true])
            await connection.close()
        }
    }

    @Test func `a second database of the same server takes the migrations though the roles exist`() async throws {
        try await withLedger { _, _ in
            try await withLedger { store, _ in
                let first = try await store.append(SampleEvents.append(to: "a-1"))
                #expect(first.position.value == 1)
            }
        }
    }

    @Test func `a store on a server that is not there says unavailable, and appends nothing`() async throws {
        let nowhere = PostgresConfiguration("host=/tmp/rollbook-no-such-directory dbname=none connect_timeout=2")
        let options = PoolOptions(acquireTimeout: .milliseconds(200))
        let store = PostgresEventStore(pool: PostgresPool(nowhere, options: options, logger: silent), logger: silent)
        #expect(await Self.isUnavailable { _ = try await store.append(SampleEvents.append(to: "a-1")) })
        #expect(await Self.isUnavailable { _ = try await store.head() })
    }

    private static func isUnavailable(_ body: () async throws -> Void) async -> Bool {
        do {
            try await body()
            return false
        } catch {
            guard case .unavailable = error as? EventStoreFailure else { return false }
            return true
        }
    }

    /// The server's refusal; nil if it did not refuse.
    private static func error(of statement: SQL, on connection: PostgresConnection) async -> PostgresError? {
        do {
            try await connection.query(statement)
            return nil
        } catch {
            return error as? PostgresError
        }
    }
}
