import Delivery
import EventSourcing
import Foundation
import Postgres

/// One row for each rollout, as it is, and one for each of its releases.
struct RolloutRows: ReadModel {
    let name = "rollout"
    let version = 1
    let tables = [
        (name: "rollout_summary", order: "cluster, namespace, name"), (name: "release", order: "release_id"),
    ]
    private var kept: [StreamName: Folded] = [:]

    private struct Folded {
        var reading: RolloutReading
        var history = ReleaseHistory()
    }

    mutating func forget() { kept = [:] }

    mutating func apply(_ batch: [RecordedEvent], through connection: PostgresConnection) async throws {
        // Folds are only kept to save work; without them they are made from the streams.
        if kept.count > 1000 { kept = [:] }
        var touched: [StreamName: Set<Identifier>] = [:]
        for recorded in batch {
            guard let rollout = RolloutName(recorded.stream) else { continue }
            if kept[recorded.stream] == nil {
                kept[recorded.stream] = try await earlier(rollout, before: recorded.version, through: connection)
            }
            guard var folded = kept[recorded.stream] else { continue }
            folded.history.fold(recorded, try folded.reading.fold(recorded))
            kept[recorded.stream] = folded
            touched[recorded.stream, default: []].formUnion(folded.history.rows.suffix(2).map(\.release))
        }
        for (stream, releases) in touched.sorted(by: { $0.key < $1.key }) {
            guard let folded = kept[stream], let view = folded.reading.view else { continue }
            try await write(view, through: connection)
            for row in folded.history.rows where releases.contains(row.release) {
                try await write(row, of: folded.reading.name, through: connection)
            }
        }
    }

    /// What the stream's events below `version` amount to.
    private func earlier(
        _ rollout: RolloutName, before version: StreamVersion, through connection: PostgresConnection
    ) async throws -> Folded {
        var folded = Folded(reading: RolloutReading(rollout))
        while folded.reading.version.next < version {
            let left = Int(version.value - folded.reading.version.value - 1)
            let events = try await PostgresEventStore.read(
                rollout.stream, after: folded.reading.version, limit: min(1000, left), through: connection)
            if events.isEmpty { break }
            for recorded in events { folded.history.fold(recorded, try folded.reading.fold(recorded)) }
        }
        return folded
    }

    private func write(_ view: RolloutView, through connection: PostgresConnection) async throws {
        let row = RolloutSummaryRow(view)
        let images = CanonicalJSON.text(view.images)
        let stable = view.revisions.first { $0.set?.role == .stable }?.podTemplateHash
        _ = try await connection.query(
            """
            INSERT INTO views.rollout_summary AS r (cluster, namespace, name, phase, message, revision, stable_hash,
                images, step_index, set_weight, actual_weight, decision_version, version, "position", summary)
            VALUES (\(row.cluster), \(row.namespace), \(row.name), \(row.phase.rawValue), \(row.message),
                \(row.revision.map(Int32.init)), \(stable), \(images), \(view.stepIndex.map(Int32.init)),
                \(Int32(row.setWeight)), \(Int32(row.actualWeight)), \(Int32(row.decisionVersion)),
                \(row.version.value), \(row.position.value), \(CanonicalJSON.text(row)))
            ON CONFLICT (cluster, namespace, name) DO UPDATE
            SET phase = excluded.phase, message = excluded.message, revision = excluded.revision,
                stable_hash = excluded.stable_hash, images = excluded.images, step_index = excluded.step_index,
                set_weight = excluded.set_weight, actual_weight = excluded.actual_weight,
                decision_version = excluded.decision_version, version = excluded.version,
                "position" = excluded."position", summary = excluded.summary
            """)
    }

    private func write(
        _ row: ReleaseRow, of rollout: RolloutName, through connection: PostgresConnection
    ) async throws {
        _ = try await connection.query(
            """
            INSERT INTO views.release AS r (release_id, cluster, namespace, rollout, revision, pod_template_hash,
                trigger, started_at, started_position, outcome, ended_at, ended_position, reason, summary)
            VALUES (\(row.release.uuid), \(rollout.cluster), \(rollout.namespace), \(rollout.name),
                \(Int32(row.revision)), \(row.podTemplateHash), \(row.trigger.rawValue),
                \(PostgresInstant(row.startedAt)), \(row.startedPosition.value), \(row.outcome.rawValue),
                \(row.endedAt.map { PostgresInstant($0) }), \(row.endedPosition?.value), \(row.message),
                \(CanonicalJSON.text(row)))
            ON CONFLICT (release_id) DO UPDATE
            SET outcome = excluded.outcome, ended_at = excluded.ended_at, ended_position = excluded.ended_position,
                reason = excluded.reason, summary = excluded.summary
            """)
    }
}
