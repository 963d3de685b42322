import EventSourcing
import Foundation
import Ledger
import Postgres

/// The events of a round, spread over streams that no other round has, in the forms that baselines and imports take.
struct BenchRows: Sendable {
    let events: [NewEvent]
    private let round: Int
    private let streams: Int

    init(round: Int, count: Int, streams: Int) {
        var made = BenchEvents(seed: UInt64(round))
        let releases = (0..<streams).map { _ in made.identifier() }
        events = (0..<count).map { made.event(correlation: releases[$0 % streams]) }
        self.round = round
        self.streams = streams
    }

    /// SQL that makes `name`, a table of the log's own columns and keys, partitioned the same way.
    static func table(_ name: String) -> String {
        """
        CREATE TABLE \(name) (LIKE ledger.event INCLUDING ALL) PARTITION BY RANGE ("position");
        CREATE TABLE \(name)_1 PARTITION OF \(name) FOR VALUES FROM (1) TO (1000000000);
        ALTER TABLE \(name)_1 ADD PRIMARY KEY ("position"), ADD UNIQUE (stream_id, version);
        """
    }

    private func place(_ index: Int) -> (position: Int64, stream: Int64, version: Int64) {
        (
            Int64((round - 1) * events.count + index + 1), Int64(round * streams + index % streams),
            Int64(index / streams + 1)
        )
    }

    /// As `rollbook export` writes them.
    func lines() -> Data {
        var text = Data(capacity: events.count * 1000)
        for (index, event) in events.enumerated() {
            let place = place(index)
            let hash = Data(ContentHash.of(event)).base64EncodedString()
            let actor = CanonicalJSON.text(event.actor)
            text.append(
                contentsOf: #"""
                    {"position":\#(place.position),"epoch":1,"stream":"rollout-import-\#(round)/default/service-\#(place.stream)",\#
                    "version":\#(place.version),"id":"\#(event.id)","type":"\#(event.type)","occurredAt":"\#(event.occurredAt)",\#
                    "recordedAt":"\#(event.occurredAt)","actor":\#(actor),"causation":"\#(event.correlation)",\#
                    "correlation":"\#(event.correlation)","data":\#(event.data),"metadata":\#(event.metadata),\#
                    "contentHash":"\#(hash)"}

                    """#.utf8)
        }
        return text
    }

    /// As `COPY … (FORMAT binary)` takes them.
    func binary() -> [UInt8] {
        var bytes = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00] + [UInt8](repeating: 0, count: 8)
        bytes.reserveCapacity(events.count * 800)
        func put(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
        }
        func field(_ value: some FixedWidthInteger) {
            put(Int32(value.bitWidth / 8))
            put(value)
        }
        func field(_ value: some Collection<UInt8>) {
            put(Int32(value.count))
            bytes.append(contentsOf: value)
        }
        for (index, event) in events.enumerated() {
            let place = place(index)
            let time = PostgresInstant(microsecondsSinceEpoch: event.occurredAt.microseconds).microsecondsSince2000
            let release = withUnsafeBytes(of: event.correlation.uuid.uuid) { Array($0) }
            put(Int16(14))
            field(place.position)
            field(place.stream)
            field(place.version)
            field(time)
            field(time)
            field(withUnsafeBytes(of: event.id.uuid.uuid) { Array($0) })
            field(release)
            field(release)
            field(Int32(1))
            field(Int32(1))
            field(Int32(1))
            field(ContentHash.of(event))
            field(event.data.utf8)
            field(event.metadata.utf8)
        }
        put(Int16(-1))
        return bytes
    }

    /// How many rows a second COPY writes into `table`, which has the log's columns.
    func copied(into table: String, _ owner: PostgresConfiguration) async throws -> Double {
        let bytes = binary()
        let connection = try await PostgresConnection.connect(owner)
        let outcome: Result<Double, any Error>
        do {
            let began = ContinuousClock.now
            try await connection.copyIn(
                """
                COPY \(unsafeRaw: table) (position, stream_id, version, recorded_at, occurred_at, event_id, correlation,
                                         causation, type_id, actor_id, epoch, content_hash, data, metadata)
                FROM STDIN (FORMAT binary)
                """, bytes: bytes)
            outcome = .success(Double(events.count) / (ContinuousClock.now - began).seconds)
        } catch { outcome = .failure(error) }
        await connection.close()
        return try outcome.get()
    }
}
