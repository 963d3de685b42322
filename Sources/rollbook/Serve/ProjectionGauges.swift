import API
import EventSourcing
import Ledger

/// How the projections stand, as lines of `/metrics`.
enum ProjectionGauges {
    private static let all: [(name: String, help: String, value: @Sendable (ProjectionStatus) -> Double)] = [
        ("position", "The position up to which the rows go.", { Double($0.position.value) }),
        ("lag_events", "Events in the log that the rows do not show yet.", { Double($0.lagEvents) }),
        (
            "lag_seconds", "Age of the oldest event that the rows do not show yet; 0 if there is none.",
            { $0.lagSeconds }
        ),
        ("halted", "1 if this instance's projector stands still and needs a person.", { $0.isHalted ? 1 : 0 }),
        ("projected_events", "Events that this instance has projected.", { Double($0.events) }),
        ("batches", "Transactions in which it did.", { Double($0.batches) }),
        ("last_batch_events", "Events in the last of them.", { Double($0.lastBatch) }),
    ]

    /// Left out while the ledger cannot be reached.
    static func read(_ projectors: [Projector]) async -> [APIGauge] {
        var statuses: [ProjectionStatus] = []
        for projector in projectors {
            do { statuses.append(try await projector.status()) } catch { return [] }
        }
        return all.flatMap { gauge in
            statuses.map {
                APIGauge(
                    name: "rollbook_projection_\(gauge.name)", help: gauge.help, labels: "projection=\"\($0.name)\"",
                    value: gauge.value($0))
            }
        }
    }
}
