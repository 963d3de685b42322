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
    /// Whether the data plane was seen to obey since the rollout was taken over; until then it may be ahead of the log, and
    /// may still obey somebody who came before.
    var isDataPlaneKnown = false
    /// When it is to be shown what holds again, after an attempt failed.
    var showAgainAt: Instant?

    /// The state to act on: during an outage, the one that memory alone knows.
    var effective: RolloutState { outage?.shadow ?? state }

    /// What an effect is about; at most one of each runs at a time.
    enum Effect: Hashable {
        case route
        case scale
        case measure(run: String, metric: String)
        /// What time alone has brought, told to the decider.
        case look
    }

    /// An effect under way.
    struct RunningEffect {
        /// The generation, or the measurement's number: a newer one supersedes it.
        let generation: Int
        /// Tells it from others about the same.
        let serial: Int
        /// Whether it may go on while the lease is in doubt.
        let isOfStandingOrder: Bool
    }
}
