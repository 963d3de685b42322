import Delivery
import EventSourcing
import Foundation
import Ledger
import Postgres
import TestKit

/// Rollouts that live through a few releases, told to a store through the decider.
enum RolloutTales {
    /// One rollout: released, released again before it was ready, aborted with a reason.
    static func tell(
        _ name: String = "shop", reason: String = "it's \"odd\"", _ store: PostgresEventStore
    ) async throws {
        var teller = Teller(name, store)
        try await teller.order(
            .apply(bundle(name), source: ManifestSource(kind: .cli), warnings: [], newRelease: Identifier(UUID())))
        for tag in ["2", "3"] {
            try await teller.seePods()
            try await teller.order(.setImages(["app": "shop:\(tag)"], newRelease: Identifier(UUID())))
        }
        try await teller.order(.abort(reason: reason))
    }

    /// Gives one order a second.
    struct Teller {
        let handler: CommandHandler<RolloutDecider>
        let stream: StreamName
        var state = RolloutState.absent
        /// The stream's version after the last order.
        var version = StreamVersion.none
        var at = SampleEvents.noon

        init(_ name: String, _ store: PostgresEventStore) {
            handler = CommandHandler(store: store, mint: { Identifier(UUID()) })
            stream = RolloutName(namespace: "default", name: name)!.stream
        }

        mutating func order(_ order: RolloutOrder) async throws {
            at = at + .seconds(1)
            let actor = EventActor(subject: "maria", issuer: "test", method: .unauthenticated)
            let handled = try await handler.handle(
                RolloutCommand(at: at, order), on: stream,
                context: CommandContext(id: Identifier(UUID()), at: at, actor: actor))
            (state, version) = (handled.state, handled.version)
        }

        mutating func seePods() async throws {
            let hash = state.rollout?.release?.podTemplateHash ?? ""
            try await order(
                .observePods(PodsSeen(podTemplateHash: hash, desired: 1, current: 1, ready: 1, available: 1)))
        }
    }

    static func bundle(_ name: String) -> ManifestBundle {
        let template: JSONValue = [
            "metadata": ["labels": ["app": "shop"]], "spec": ["containers": [["name": "app", "image": "shop:1"]]],
        ]
        let rollout: JSONValue = [
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": ["name": .string(name)],
            "spec": [
                "replicas": 1, "selector": ["matchLabels": ["app": "shop"]], "template": template,
                "strategy": ["canary": ["steps": [["setWeight": 50], ["pause": [:]]]]],
            ],
        ]
        return ManifestBundle(rollout: rollout, related: [])
    }

    /// Every row of every read model.
    static func rows(_ owner: PostgresConfiguration) async throws -> [String] {
        let connection = try await PostgresConnection.connect(owner)
        var rows: [String] = []
        for table in ["audit_entry", "audit_word", "rollout_summary", "release"] {
            rows += try await connection.query(
                "SELECT row_to_json(t)::text FROM views.\(identifier: table) t ORDER BY 1"
            ).map { try $0.get(0, as: String.self) }
        }
        await connection.close()
        return rows
    }
}
