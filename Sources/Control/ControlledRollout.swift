import Delivery
import EventSourcing

/// What a controller keeps of one rollout: its state as far as the log told it, and what is under way for it.
struct ControlledRollout {
    let name: RolloutName
    var version = StreamVersion.none
    var state = RolloutDecider.initial
    /// What is carried out now, by what it is about.
    var effects: [Effect: RunningEffect] = [:]
    /// When somebody should look at it again; `nil` if nothing is due by time alone.
    var wakeAt: Instant?
    /// Set while the ledger cannot be reached.
    var outage: Outage?

    /// The state to act on: during an outage, the one that memory alone knows.
    var effective: RolloutState { outage?.shadow ?? state }

    /// What an effect is about; at most one of each runs at a time.
    enum Effect: Hashable {
        case route
        case scale
        case measure(run: String, metric: String)
    }

    /// An effect under way.
    struct RunningEffect {
        /// The generation, or the measurement's number: a newer one supersedes it.
        let generation: Int
        /// Carries it out; the controller's `stop` cancels it, its own last act is to report.
        let task: Task<Void, Never>
    }
}

/// A time without the ledger, as memory alone knows it.
struct Outage {
    /// Since when.
    let since: Instant
    /// What memory alone decided so far.
    var shadow: RolloutState
    /// What is to be reported once the ledger is back, in order.
    var held: [(command: RolloutCommand, context: CommandContext)] = []
    /// Why weight 0 was routed, if it was decided to.
    var reason: StandingOrderExecuted.Because?
    /// Whether the log was told of it.
    var isOrderTold = false
    /// The generation of that route.
    var generation = 0
    /// What memory alone knows to have been measured, when blindness ended the release.
    var measurements: [MeasurementTaken] = []
    /// When the data plane was seen to obey it.
    var routedZeroAt: Instant?
}
