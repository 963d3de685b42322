import EventSourcing
import Synchronization
import TestKit
import Testing

/// Guests in the order in which they came.
private enum Guests: StreamDecider {
    struct Entered: Equatable, Sendable { var name: String }

    static let initial: [String] = []
    static func decide(_ command: String, given state: [String]) throws(Never) -> [Entered] { [Entered(name: command)] }
    static func evolve(_ state: inout [String], with event: Entered) { state.append(event.name) }
    static func isTerminal(_ state: [String]) -> Bool { false }
    static func correlation(of state: [String]) -> Identifier? { nil }

    static func encode(_ event: Entered) -> (type: String, data: String, occurredAt: Instant) {
        ("guests.entered.v1", #"{"name":"\#(event.name)"}"#, SampleEvents.noon)
    }
    static func decode(type: String, data: String, occurredAt: Instant) throws(UnreadableEvent) -> Entered {
        Entered(name: String(data.dropFirst(9).dropLast(2)))
    }
}

/// A store that says of a few orders that it does not know them yet, and of a few appends that it does not know.
private final class ForgetfulStore: ForwardingEventStore {
    let base: InMemoryEventStore
    private let receiptsNotSeen = Mutex(0)
    private let outcomesNotKnown = Mutex(0)
    private let held = Mutex<(begun: HeadSignal, goOn: HeadSignal)?>(nil)

    init(_ base: InMemoryEventStore) { self.base = base }

    func overlookReceipt() { receiptsNotSeen.withLock { $0 += 1 } }
    func loseOutcome() { outcomesNotKnown.withLock { $0 += 1 } }

    /// Reads wait from now on.
    ///
    /// - Returns: What says that one waits, and lets all go on.
    func holdReads() -> (begun: HeadSignal, goOn: HeadSignal) {
        let signals = (begun: HeadSignal(), goOn: HeadSignal())
        held.withLock { $0 = signals }
        return signals
    }

    func read(
        _ stream: StreamName, after: StreamVersion, through: StreamVersion?, backwards: Bool, limit: Int
    ) async throws(EventStoreFailure) -> StreamPage {
        if let held = held.withLock({ $0 }) {
            held.begun.raise(to: GlobalPosition(1))
            await held.goOn.wait(beyond: .start)
        }
        return try await base.read(stream, after: after, through: through, backwards: backwards, limit: limit)
    }

    private func takes(_ count: borrowing Mutex<Int>) -> Bool {
        count.withLock { left in
            defer { left = max(0, left - 1) }
            return left > 0
        }
    }

    func receipt(
        for command: Identifier, fingerprint: [UInt8]?, on stream: StreamName
    ) async throws(EventStoreFailure) -> Appended? {
        if takes(receiptsNotSeen) { return nil }
        return try await base.receipt(for: command, fingerprint: fingerprint, on: stream)
    }

    func append(_ append: Append) async throws(EventStoreFailure) -> Appended {
        let appended = try await base.append(append)
        if takes(outcomesNotKnown) { throw .outcomeUnknown("the connection was lost") }
        return appended
    }
}

@Suite struct CommandHandlerTests {
    private let store = ForgetfulStore(InMemoryEventStore { SampleEvents.noon })
    private let stream = SampleEvents.stream("guests-1")

    private func handler() -> CommandHandler<Guests> { CommandHandler(store: store, mint: SampleEvents.id) }

    private func order(_ id: Identifier = SampleEvents.id(), keepsReceipt: Bool = true) -> CommandContext {
        CommandContext(
            id: id, at: SampleEvents.noon,
            actor: EventActor(subject: "maria", issuer: "test", method: .unauthenticated), keepsReceipt: keepsReceipt)
    }

    @Test func `an order that is under way twice counts once, as the log has it`() async throws {
        let (one, other) = (handler(), handler())
        _ = try await other.load(stream)
        let order = order()
        _ = try await one.handle("ada", on: stream, context: order)
        store.overlookReceipt()
        let handled = try await other.handle("bob", on: stream, context: order)
        #expect(handled.isDuplicate)
        #expect(handled.state == ["ada"])
        #expect(handled.events.isEmpty)
        #expect(try await other.load(stream).state == ["ada"])
        let next = try await other.handle("cleo", on: stream, context: self.order())
        #expect(next.state == ["ada", "cleo"])
    }

    @Test func `a repeat says which version its state has`() async throws {
        let handler = handler()
        let order = order()
        _ = try await handler.handle("ada", on: stream, context: order)
        _ = try await handler.handle("bob", on: stream, context: self.order())
        let handled = try await handler.handle("ada", on: stream, context: order)
        #expect(handled.version == StreamVersion(1))
        #expect(handled.stateVersion == StreamVersion(2))
        #expect(handled.state == ["ada", "bob"])
    }

    @Test(arguments: [true, false])
    func `an append that is sent again is known as its own`(keepsReceipt: Bool) async throws {
        let handler = handler()
        store.loseOutcome()
        let handled = try await handler.handle("ada", on: stream, context: order(keepsReceipt: keepsReceipt))
        #expect(handled.events.count == 1)
        #expect(handled.state == ["ada"])
        #expect(handled.stateVersion == StreamVersion(1))
    }

    @Test func `once all is forgotten, nothing of a log that was cut short is kept`() async throws {
        let handler = handler()
        for name in ["ada", "bob"] { _ = try await handler.handle(name, on: stream, context: order()) }
        store.base.cutShort(after: GlobalPosition(1))
        #expect(try await handler.load(stream).state == ["ada", "bob"])
        let reads = store.holdReads()
        async let loaded = handler.load(stream)
        await reads.begun.wait(beyond: .start)
        await handler.forgetAll()
        reads.goOn.raise(to: GlobalPosition(1))
        #expect(try await loaded.state == ["ada"])
        let next = try await handler.handle("cleo", on: stream, context: order())
        #expect(next.state == ["ada", "cleo"])
        #expect(next.version == StreamVersion(2))
    }
}
