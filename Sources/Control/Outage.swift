import Delivery
import EventSourcing

/// A time without the ledger, as memory alone knows it.
struct Outage {
    /// Since when.
    let since: Instant
    /// What memory alone decided so far.
    var shadow: RolloutState
    /// What the log is to be told once it is back, in this order, each with the time at which it happened.
    private(set) var held: [Telling] = []
    /// What took the canary's traffic away, if something did.
    var order: Order?

    /// One thing to be told; its context is made once, so that a repeat is recognised.
    struct Telling {
        let what: What
        let context: CommandContext

        enum What {
            /// An outcome, as it came in.
            case report(RolloutCommand)
            /// That the standing order was carried out; put into words when it is told, since only then all is known.
            case standingOrder
        }
    }

    /// A standing order under way.
    struct Order {
        let because: StandingOrderExecuted.Because
        /// When memory decided it.
        let decidedAt: Instant
        /// The generation of its route.
        let generation: Int
        /// What memory alone knows to have been measured, when blindness ended the release.
        var measurements: [MeasurementTaken] = []
        /// When the data plane was seen to obey it.
        var routedZeroAt: Instant?
        /// Whether its telling is among those that are held, or was.
        var isInLine = false
    }

    /// Keeps a report for later.
    mutating func hold(_ command: RolloutCommand, _ context: CommandContext) {
        held.append(Telling(what: .report(command), context: context))
    }

    /// Puts the telling of the standing order where it belongs.
    ///
    /// Blindness ends the release where the log last saw it, so that comes before all that memory has seen since; a failing
    /// verdict is told by the measurements that led to it, which came before.
    mutating func holdOrder(_ context: CommandContext) {
        guard let order, !order.isInLine else { return }
        self.order?.isInLine = true
        let telling = Telling(what: .standingOrder, context: context)
        switch order.because {
        case .blindness, .foundInDataPlane: held.insert(telling, at: 0)
        case .failingVerdict: held.append(telling)
        }
    }

    /// The log took it, or never will.
    mutating func told(_ telling: Telling) { held.removeAll { $0.context.id == telling.context.id } }

    /// The command that tells the log.
    func command(for telling: Telling, now: Instant) -> RolloutCommand? {
        switch telling.what {
        case .report(let command): return command
        case .standingOrder:
            guard let order else { return nil }
            let executed = StandingOrderExecuted(
                unreachableFrom: since, until: now, because: order.because, routedZeroAt: order.routedZeroAt,
                generation: order.generation, measurements: order.measurements)
            let at = order.because == .blindness ? order.decidedAt : order.routedZeroAt ?? now
            return RolloutCommand(at: at, .reportStandingOrder(executed))
        }
    }
}
