import EventSourcing
import Foundation
import Ledger
import Postgres
import TestKit
import Testing

/// Orders under one command id that reach the append function in one call.
@Suite(.timeLimit(.minutes(2))) struct ReusedCommandTests {
    /// Whether it may be appended, what it orders, and what is said of it.
    typealias Order = (isStale: Bool, fingerprint: UInt8, answer: String)

    @Test(
        arguments: [
            [(true, 1, "conflict"), (false, 2, "appended")],
            [(true, 1, "conflict"), (true, 2, "conflict"), (false, 3, "appended"), (true, 4, "reused")],
            [(false, 1, "appended"), (false, 2, "reused"), (false, 1, "appended"), (true, 2, "reused")],
            [(false, 1, "appended"), (true, 1, "conflict"), (true, 2, "reused")],
            [(true, 1, "conflict"), (false, 2, "appended"), (false, 1, "reused"), (false, 2, "appended")],
        ] as [[Order]]
    ) func `an order is compared with what was appended, not with what was refused`(_ orders: [Order]) async throws {
        try await withLedger { store, owner in
            _ = try await store.append(SampleEvents.append(to: "old-1"))
            let connection = try await PostgresConnection.connect(owner.asLedgerService)
            for command in [UUID(), UUID()] {
                let answers = try await Self.answers(to: orders, command, connection)
                #expect(answers.map(\.status) == orders.map(\.answer))
                let first = orders.firstIndex { $0.answer == "appended" }.map { "\(command)-\($0)".lowercased() }
                #expect(answers.map(\.reusedOn) == orders.map { $0.answer == "reused" ? first : nil })
            }
            await connection.close()
        }
    }

    private static func answers(
        to orders: [Order], _ command: UUID, _ connection: PostgresConnection
    ) async throws -> [(status: String, reusedOn: String?)] {
        let names = orders.indices.map { "\(command)-\($0)".lowercased() }
        let row = try await connection.query(
            """
            SELECT a.status, a.reused_on
            FROM (
                SELECT array_agg(s.stream_id ORDER BY o) AS streams,
                       array_agg(ROW(s.stream_id, gen_random_uuid(), t.type_id, c.actor_id, now(), NULL,
                                     gen_random_uuid(), '{}', '{}', sha256('x'))::ledger.new_event ORDER BY o) AS events
                FROM unnest(\(names)) WITH ORDINALITY n (name, o)
                JOIN ledger.open_streams(\(names)) s ON s.name = n.name
                CROSS JOIN (SELECT type_id FROM ledger.event_type LIMIT 1) t
                CROSS JOIN (SELECT actor_id FROM ledger.actor LIMIT 1) c) r
            CROSS JOIN LATERAL ledger.append(
                r.streams, \(orders.map { $0.isStale ? 7 : 0 as Int64 }), r.events,
                array_fill(\(command), ARRAY[\(Int32(orders.count))]),
                (SELECT array_agg(decode(lpad(to_hex(f), 2, '0'), 'hex')) FROM unnest(\(orders.map { Int32($0.fingerprint) })) f),
                NULL, NULL) a
            """
        ).single()
        let names2 = try row.get(1, as: [String?].self)
        return zip(try row.get(0, as: [String].self), names2).map { ($0, $1) }
    }
}
