import EventSourcing
import Foundation
import Ledger
import Postgres

/// Imports a file of events, from its first byte to the last commit; against COPY of the same rows, already in the form
/// that the server takes, into a table of the log's own shape.
struct ImportScenario {
    let bed: BenchBed
    let plan: BenchPlan

    private static let streams = 1000

    /// The log's own columns, keys and partitioning.
    private static let schema = """
        CREATE SCHEMA bench_import;
        CREATE TABLE bench_import.event (LIKE ledger.event INCLUDING ALL) PARTITION BY RANGE ("position");
        CREATE TABLE bench_import.event_1 PARTITION OF bench_import.event FOR VALUES FROM (1) TO (1000000000);
        ALTER TABLE bench_import.event_1 ADD PRIMARY KEY ("position"), ADD UNIQUE (stream_id, version);
        """

    func run() async throws {
        let count = max(1, min(plan.events, 200_000) / Self.streams) * Self.streams
        try await bed.script(Self.schema)
        var (rates, baselines, ratios): ([Double], [Double], [Double]) = ([], [], [])
        try await bed.withStore { store in
            for round in 1...plan.rounds {
                let rows = Rows(round: round, count: count, streams: Self.streams)
                try await bed.script("CHECKPOINT")
                let baseline = Double(count) / (try await copy(rows))
                try await bed.script("CHECKPOINT")
                let rate = Double(count) / (try await load(rows, store))
                rates.append(rate)
                baselines.append(baseline)
                ratios.append(rate / baseline)
                Progress.say(
                    "  round \(round): \(Int(rate))/s against \(Int(baseline))/s, "
                        + "\((rate / baseline).rounded(toPlaces: 2))×")
            }
        }
        try await bed.script("DROP SCHEMA bench_import CASCADE")
        try Figures(
            scenario: "import", rate: Percentiles.median(rates.sorted()).rounded(),
            against: "COPY of the same rows into a table with the same indexes",
            baseline: Percentiles.median(baselines.sorted()).rounded(), ratio: Figures.Spread(ratios), events: count,
            settings: bed.settings
        ).say()
    }

    /// How long COPY takes.
    private func copy(_ rows: Rows) async throws -> Double {
        let bytes = rows.binary()
        let connection = try await PostgresConnection.connect(bed.owner)
        let began = ContinuousClock.now
        try await connection.copyIn(
            """
            COPY bench_import.event (position, stream_id, version, recorded_at, occurred_at, event_id, correlation, causation,
                                     type_id, actor_id, epoch, content_hash, data, metadata)
            FROM STDIN (FORMAT binary)
            """, bytes: bytes)
        let seconds = (ContinuousClock.now - began).seconds
        await connection.close()
        return seconds
    }

    /// How long the import takes.
    private func load(_ rows: Rows, _ store: PostgresEventStore) async throws -> Double {
        let file = NSTemporaryDirectory() + "rollbook-bench-\(UUID().uuidString)"
        try rows.lines().write(to: URL(fileURLWithPath: file))
        defer { unlink(file) }
        let began = ContinuousClock.now
        let report = try await LedgerImport(store: store, logger: BenchBed.logger).run(file)
        let seconds = (ContinuousClock.now - began).seconds
        guard report.appended == Int64(rows.events.count) else {
            throw BenchFailure("\(report.appended) of \(rows.events.count) events were imported")
        }
        return seconds
    }

    /// The events of a round, spread over streams that no other round has.
    private struct Rows {
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
    }
}
