import Delivery
import EventSourcing
import Foundation
import Postgres

/// Writes rows of rollouts and releases, many at a time.
///
/// The arrays are taken apart side by side in the list of what is selected: from one call of `unnest` with all of them the
/// server would first put the elements of each into a store of its own.
struct RolloutTables {
    static let all = [
        ReadModelTable(name: "rollout_summary", key: ["cluster", "namespace", "name"], fillFactor: 50),
        ReadModelTable(name: "release", key: ["release_id"]),
    ]
    private static let most = 2000

    let generation: Int
    /// Whether rows may be there already; if not, the tables may lack their indexes.
    let replacing: Bool

    /// The statements that write rows of rollouts.
    func writing(_ summaries: [RolloutSummary]) -> [SQL] {
        summaries.parts(of: Self.most).map { part in
            let rows = part.map(\.row)
            let conflict: SQL = """
                ON CONFLICT (cluster, namespace, name) DO UPDATE
                SET strategy = excluded.strategy, phase = excluded.phase, message = excluded.message,
                    revision = excluded.revision, stable_hash = excluded.stable_hash, images = excluded.images,
                    step = excluded.step, set_weight = excluded.set_weight, actual_weight = excluded.actual_weight,
                    desired = excluded.desired, current = excluded.current, updated = excluded.updated,
                    ready = excluded.ready, available = excluded.available,
                    decision_version = excluded.decision_version, version = excluded.version,
                    "position" = excluded."position"
                """
            return """
                INSERT INTO \(Self.all[0].of(generation)) (cluster, namespace, name, strategy, phase, message, revision,
                    stable_hash, images, step, set_weight, actual_weight, desired, current, updated, ready, available,
                    decision_version, version, "position")
                SELECT unnest(\(rows.map(\.cluster))), unnest(\(rows.map(\.namespace))), unnest(\(rows.map(\.name))),
                    unnest(\(rows.map(\.strategy))), unnest(\(rows.map(\.phase.rawValue))), unnest(\(rows.map(\.message))),
                    unnest(\(rows.map { $0.revision.map(Int32.init) })), unnest(\(part.map(\.stableHash))),
                    unnest(\(part.map { Self.text($0.images) })), unnest(\(rows.map(\.step))),
                    unnest(\(rows.map { Int32($0.setWeight) })), unnest(\(rows.map { Int32($0.actualWeight) })),
                    unnest(\(rows.map { Int32($0.replicas.desired) })), unnest(\(rows.map { Int32($0.replicas.current) })),
                    unnest(\(rows.map { Int32($0.replicas.updated) })), unnest(\(rows.map { Int32($0.replicas.ready) })),
                    unnest(\(rows.map { Int32($0.replicas.available) })), unnest(\(rows.map { Int32($0.decisionVersion) })),
                    unnest(\(rows.map(\.version.value))), unnest(\(rows.map(\.position.value)))
                \(replacing ? conflict : "")
                """
        }
    }

    /// The statements that write rows of releases.
    func writing(_ releases: [(rollout: RolloutName, row: ReleaseRow)]) -> [SQL] {
        releases.parts(of: Self.most).map { part in
            let (names, rows) = (part.map(\.rollout), part.map(\.row))
            let conflict: SQL = """
                ON CONFLICT (release_id) DO UPDATE
                SET outcome = excluded.outcome, ended_by = excluded.ended_by, ended_at = excluded.ended_at,
                    ended_position = excluded.ended_position, message = excluded.message
                """
            return """
                INSERT INTO \(Self.all[1].of(generation)) (release_id, cluster, namespace, rollout, revision,
                    pod_template_hash, images, trigger, started_by, started_at, started_position, outcome, ended_by,
                    ended_at, ended_position, message)
                SELECT unnest(\(rows.map(\.release.uuid))), unnest(\(names.map(\.cluster))),
                    unnest(\(names.map(\.namespace))), unnest(\(names.map(\.name))),
                    unnest(\(rows.map { Int32($0.revision) })), unnest(\(rows.map(\.podTemplateHash))),
                    unnest(\(rows.map { Self.text($0.images) })), unnest(\(rows.map(\.trigger.rawValue))),
                    unnest(\(rows.map(\.actor.subject))), unnest(\(rows.map { PostgresInstant($0.startedAt) })),
                    unnest(\(rows.map(\.startedPosition.value))), unnest(\(rows.map(\.outcome.rawValue))),
                    unnest(\(rows.map { $0.endedBy?.subject })),
                    unnest(\(rows.map { $0.endedAt.map { PostgresInstant($0) } })),
                    unnest(\(rows.map { $0.endedPosition?.value })), unnest(\(rows.map(\.message)))
                \(replacing ? conflict : "")
                """
        }
    }

    /// The canonical JSON of `images`; by hand while nothing in it must be escaped, since there are many releases.
    static func text(_ images: [String: String]) -> String {
        var text = "{"
        for (name, image) in images.sorted(by: { $0.key < $1.key }) {
            guard name.utf8.allSatisfy(isPlain), image.utf8.allSatisfy(isPlain) else {
                return CanonicalJSON.text(images)
            }
            if text.utf8.count > 1 { text += "," }
            text += "\""
            text += name
            text += "\":\""
            text += image
            text += "\""
        }
        return text + "}"
    }

    /// The canonical JSON of `images`, likewise.
    static func text(_ images: [ImageView]) -> String {
        var text = "["
        for image in images {
            guard image.image.utf8.allSatisfy(isPlain) else { return CanonicalJSON.text(images) }
            text += text.utf8.count > 1 ? ",{\"image\":\"" : "{\"image\":\""
            text += image.image
            text += "\",\"roles\":["
            for (index, role) in image.roles.enumerated() {
                text += index > 0 ? ",\"" : "\""
                text += role.rawValue
                text += "\""
            }
            text += "]}"
        }
        return text + "]"
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x20..<0x7F).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }
}
