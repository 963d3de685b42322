import EventSourcing
import Foundation
import Ledger
import Postgres
import TestKit
import Transparency

/// A ledger whose log is sealed, and what an attacker with every right can do to it.
struct ProofDatabase {
    private(set) var store: PostgresEventStore
    let owner: PostgresConfiguration
    let key = SigningKey(generatedFor: "example.com/log")!

    init(store: PostgresEventStore, owner: PostgresConfiguration) { (self.store, self.owner) = (store, owner) }

    /// The same ledger and key at another instance, which has appended nothing of what there is.
    var elsewhere: ProofDatabase {
        var other = self
        other.store = PostgresEventStore(pool: store.pool, logger: silent)
        return other
    }

    /// A sealer of its own, as after a new start.
    func sealer(
        eventsPerHead: Int = 65_536, key: (any LogSigner)? = nil, lastHeadFile: String? = nil
    ) -> Sealer {
        Sealer(
            store: store, signer: key ?? self.key,
            settings: .init(interval: .milliseconds(1), eventsPerHead: eventsPerHead, lastHeadFile: lastHeadFile),
            logger: silent)
    }

    /// Seals all there is.
    func sealAll(eventsPerHead: Int = 65_536, key: (any LogSigner)? = nil) async throws {
        let sealer = sealer(eventsPerHead: eventsPerHead, key: key)
        while try await sealer.seal() > 0 {}
    }

    /// Appends `count` events over a few streams and actors.
    func append(_ count: Int, streams: Int = 5) async throws {
        var versions: [String: Int64] = [:]
        for stream in 0..<streams {
            let name = "proof-\(stream)"
            versions[name] =
                try await store.read(SampleEvents.stream(name), after: .none, limit: 100_000).last?.version.value ?? 0
        }
        for number in 0..<count {
            let name = "proof-\(number % streams)"
            let version = versions[name]!
            let event = SampleEvents.event(
                "proof.happened-\(number % 3).v1", by: "person-\(number % 4)",
                onBehalfOf: number % 2 == 0 ? "team" : nil,
                causation: number % 2 == 0 ? nil : SampleEvents.id(), data: #"{"number":\#(number),"ä":"€"}"#)
            _ = try await store.append(
                Append(stream: SampleEvents.stream(name), expecting: .exactly(StreamVersion(version)), events: [event]))
            versions[name] = version + 1
        }
    }

    /// Appends `count` events of about `size` bytes as fast as the server can make them up.
    func fill(_ count: Int64, size: Int = 200) async throws {
        let connection = try await PostgresConnection.connect(owner)
        try await connection.script(
            """
            CREATE FUNCTION pg_temp.part(b bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS
            $$ SELECT CASE WHEN b IS NULL THEN int4send(-1) ELSE int4send(octet_length(b)) || b END $$;
            INSERT INTO ledger.stream (name) SELECT 'bulk-' || i FROM generate_series(1, 1000) i ORDER BY i;
            INSERT INTO ledger.event_type (name) VALUES ('bulk.happened.v1');
            INSERT INTO ledger.actor (subject, issuer, method) VALUES ('filler', 'tests', 'token');
            INSERT INTO ledger.event (position, stream_id, version, recorded_at, occurred_at, event_id, correlation, causation,
                                      type_id, actor_id, epoch, content_hash, data, metadata)
            SELECT h.head + g, b.first + (g - 1) % 1000, (g - 1) / 1000 + 1, h.at + g * interval '1 microsecond', t.at,
                   gen_random_uuid(), t.id, NULL,
                   (SELECT type_id FROM ledger.event_type WHERE name = 'bulk.happened.v1'),
                   (SELECT actor_id FROM ledger.actor WHERE subject = 'filler'), 1,
                   sha256(t.before || pg_temp.part(convert_to(d.data, 'UTF8')) || pg_temp.part('{}'::bytea)), d.data, '{}'
            FROM generate_series(1, \(count)) g
            CROSS JOIN (SELECT last_position AS head, greatest(recorded_at, now()) AS at
                        FROM ledger.append_batch ORDER BY last_position DESC LIMIT 1) h
            CROSS JOIN (SELECT min(stream_id) AS first FROM ledger.stream WHERE name LIKE 'bulk-%') b
            CROSS JOIN LATERAL (
                SELECT id, at,
                       pg_temp.part('rollbook.event.v1'::bytea) || pg_temp.part('bulk.happened.v1'::bytea)
                       || pg_temp.part(int8send((extract(epoch FROM at) * 1000000)::bigint))
                       || pg_temp.part(uuid_send(id)) || pg_temp.part(NULL) || pg_temp.part('filler'::bytea)
                       || pg_temp.part('tests'::bytea) || pg_temp.part('token'::bytea) || pg_temp.part(NULL) AS before
                FROM (SELECT '01a20b64-0000-7000-8000-000000000001'::uuid AS id, timestamptz '2026-11-24 09:00:00+00' AS at) x
            ) t
            CROSS JOIN LATERAL (SELECT '{"n":' || g || ',"pad":"' || repeat('x', \(size)) || '"}' AS data) d;
            INSERT INTO ledger.append_batch
            SELECT h.last_position + \(count), h.last_position + 1, (SELECT max(recorded_at) FROM ledger.event), h.epoch
            FROM ledger.append_batch h
            ORDER BY h.last_position DESC
            LIMIT 1
            """)
        await connection.close()
    }

    /// Does what no trigger stops.
    func damage(_ statements: String) async throws {
        let connection = try await PostgresConnection.connect(owner)
        try await connection.script("SET session_replication_role = replica; " + statements)
        await connection.close()
    }

    /// One value, as text.
    func value(_ query: String) async throws -> String {
        let connection = try await PostgresConnection.connect(owner)
        let value: String = try await connection.query("SELECT (\(unsafeRaw: query))::text").single().get(0)
        await connection.close()
        return value
    }

    /// The stored head of that size, or the last.
    func head(_ size: Int64? = nil) async throws -> SignedTreeHead {
        let condition = size.map { "WHERE size = \($0)" } ?? ""
        return try SignedTreeHead(
            try await value("SELECT note FROM ledger.tree_head \(condition) ORDER BY size DESC LIMIT 1"))
    }

    /// Verifies with our key.
    func verify(against outside: [SignedTreeHead] = []) async throws -> VerifyReport {
        try await LedgerVerifier(store: store, workers: 2).verify(against: outside, trusting: [key.verifier])
    }
}

/// A ledger to be sealed.
func withProofs(_ body: (ProofDatabase) async throws -> Void) async throws {
    try await withLedger { store, owner in try await body(ProofDatabase(store: store, owner: owner)) }
}
