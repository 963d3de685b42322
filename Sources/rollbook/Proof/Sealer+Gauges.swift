import API
import EventSourcing
import Ledger

extension Sealer {
    /// What `/metrics` says of the sealing.
    ///
    /// The lag is left out while the ledger cannot be reached.
    func gauges() async -> [APIGauge] {
        var gauges = [
            APIGauge(
                name: "rollbook_sealed_position",
                help: "The last position under a signed tree head, as this instance knows.",
                value: Double(position.value)),
            APIGauge(
                name: "rollbook_sealer_halted",
                help: "1 if no tree head is signed any more, because the log is not the one that was signed.",
                value: halt == nil ? 0 : 1),
        ]
        do {
            gauges.append(
                APIGauge(
                    name: "rollbook_sealer_lag_events", help: "Events that are not under a signed tree head yet.",
                    value: Double(try await lag())))
        } catch {
            return gauges
        }
        return gauges
    }
}
