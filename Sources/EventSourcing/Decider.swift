/// A pure decision maker: events of the past fold into a state, and a command against a state gives new events.
///
/// - Source: Jérémie Chassaing, "Functional Event Sourcing Decider" (2021).
public protocol Decider {
    /// An order, carrying its own time and ids.
    associatedtype Command: Sendable
    /// A fact, in the past tense.
    associatedtype Event: Sendable & Equatable
    /// What the past amounts to.
    associatedtype State: Sendable & Equatable
    /// The caller's mistake; never stored.
    associatedtype Refusal: Error & Equatable

    /// The state before any event.
    static var initial: State { get }
    /// The events that `command` leads to; `[]` if nothing is to be done.
    static func decide(_ command: Command, given state: State) throws(Refusal) -> [Event]
    /// Folds one event; total, never refuses.
    static func evolve(_ state: inout State, with event: Event)
    /// Whether nothing can move any more.
    static func isTerminal(_ state: State) -> Bool
}

extension Decider {
    /// The fold of `events` over `state`.
    public static func fold(_ events: some Sequence<Event>, from state: State = initial) -> State {
        events.reduce(into: state) { evolve(&$0, with: $1) }
    }
}

/// Writes events to the wire form that the ledger keeps, and reads every form that it ever kept.
public protocol EventCoding {
    /// The event type.
    associatedtype Event: Sendable
    /// The wire name with version, the JSON text of the payload, and when the event happened.
    static func encode(_ event: Event) -> (type: String, data: String, occurredAt: Instant)
    /// Reads an event.
    /// - Throws: ``UnreadableEvent`` for an unknown type or payload.
    static func decode(type: String, data: String, occurredAt: Instant) throws(UnreadableEvent) -> Event
}

extension EventCoding {
    /// Reads the event out of its envelope.
    /// - Throws: ``UnreadableEvent`` for an unknown type or payload.
    public static func decode(_ recorded: RecordedEvent) throws(UnreadableEvent) -> Event {
        try decode(type: recorded.event.type, data: recorded.event.data, occurredAt: recorded.event.occurredAt)
    }
}

/// An event that this build cannot read: a projector stops at it, loudly.
public struct UnreadableEvent: Error, Sendable, Equatable, CustomStringConvertible {
    /// The wire name.
    public var type: String
    /// What is wrong.
    public var detail: String

    /// Makes the error.
    public init(type: String, detail: String) {
        self.type = type
        self.detail = detail
    }

    /// A sentence for people.
    public var description: String { "cannot read event of type \(type): \(detail)" }
}

/// What operators call a controller: folds what happened and answers what is to be done now.
public protocol ProcessManager {
    /// What it folds.
    associatedtype State: Sendable & Equatable
    /// What the shell is to carry out.
    associatedtype Intent: Sendable & Equatable
    /// Every intent that is outstanding in `state`; level-triggered, so that a restart is a fold and one call.
    static func react(to state: State) -> [Intent]
}
