public import EventSourcing
public import Testing

/// A decider's specification: given events, when a command, then events, nothing, or a refusal.
public struct DeciderSpec<D: Decider> {
    /// The state that the given events lead to.
    public private(set) var state: D.State
    /// What the commands led to so far, in order.
    public private(set) var events: [D.Event] = []

    /// Given these events.
    public init(_ type: D.Type, given events: [D.Event] = []) {
        state = D.fold(events)
    }

    /// When `command` is given; answers the events that it leads to, which are folded.
    @discardableResult
    public mutating func when(_ command: D.Command) throws -> [D.Event] {
        let decided = try D.decide(command, given: state)
        for event in decided { D.evolve(&state, with: event) }
        events += decided
        return decided
    }

    /// When `command` is given, then it is refused so and nothing changes.
    public func refuses(
        _ command: D.Command, with refusal: D.Refusal, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(sourceLocation: sourceLocation) {
            try D.decide(command, given: state)
        } throws: { error in
            (error as? D.Refusal) == refusal
        }
    }

    /// When `command` is given, then nothing happens.
    public func ignores(_ command: D.Command, sourceLocation: SourceLocation = #_sourceLocation) throws {
        #expect(try D.decide(command, given: state) == [], sourceLocation: sourceLocation)
    }
}
