/// What surrounds a command: who, when, why, and the id under which a repeat is recognised.
public struct CommandContext: Sendable, Hashable {
    /// Minted once by the caller and kept across retries.
    public var id: Identifier
    /// When the command was given or the fact that it reports happened.
    public var at: Instant
    /// Who gave it.
    public var actor: EventActor
    /// The event that led to it; `nil` for a person's command, whose events then name the command.
    public var causation: Identifier?
    /// JSON text kept beside each event, such as the request id and the client.
    public var metadata: String
    /// Whether a receipt is kept, so that a repeat of `id` gets the first answer.
    public var keepsReceipt: Bool
    /// A digest of what is ordered; with a receipt, `id` given again with another one is refused.
    public var fingerprint: [UInt8]?
    /// The lease under which the command is given; `nil` for people's.
    public var fence: Fence?

    /// Makes a context.
    public init(
        id: Identifier, at: Instant, actor: EventActor, causation: Identifier? = nil, metadata: String = "{}",
        keepsReceipt: Bool = false, fingerprint: [UInt8]? = nil, fence: Fence? = nil
    ) {
        self.id = id
        self.at = at
        self.actor = actor
        self.causation = causation
        self.metadata = metadata
        self.keepsReceipt = keepsReceipt
        self.fingerprint = fingerprint
        self.fence = fence
    }
}

/// A decider whose events stand in streams of the ledger.
public protocol StreamDecider: Decider, EventCoding {
    /// The release (or other undertaking) that an event belongs to, given the state after it.
    static func correlation(of state: State) -> Identifier?
}

/// What a handled command came to.
public struct Handled<State: Sendable>: Sendable {
    /// The state after it; for a repeat, the present one.
    public var state: State
    /// The version of ``state``: above ``version`` if a repeat is answered after others have written.
    public var stateVersion: StreamVersion
    /// The stream's version after it.
    public var version: StreamVersion
    /// The position that a reader must have reached to see it; `nil` if nothing was appended.
    public var position: GlobalPosition?
    /// What was appended, with ids.
    public var events: [NewEvent]
    /// Whether the command had been handled before.
    public var isDuplicate: Bool
}

/// Load → fold → decide → append(expecting:); at a version conflict, again.
///
/// Folded states are kept per stream, so that a command usually costs one round trip; a conflict drops the kept one.
public actor CommandHandler<D: StreamDecider> {
    /// The log.
    public nonisolated let store: any EventAppender & EventReader
    private let mint: @Sendable () -> Identifier
    private let keptStreams: Int
    private var kept: [StreamName: (version: StreamVersion, state: D.State)] = [:]
    private var order: [StreamName] = []
    /// How often all was forgotten: what somebody has read or decided in between is not kept.
    private var era = 0

    /// Why a command was not handled.
    public enum Failure: Error, Sendable {
        /// The decider refused it: the caller's mistake.
        case refused(D.Refusal)
        /// The log could not be read or written.
        case store(EventStoreFailure)
        /// The stream holds an event that this build cannot read.
        case unreadable(UnreadableEvent)
        /// Other writers won every attempt.
        case contended(attempts: Int)
    }

    /// Makes a handler.
    ///
    /// - Parameters:
    ///   - store: The log.
    ///   - keeping: How many folded states are kept at the most.
    ///   - mint: Gives a new event id at each call.
    public init(store: any EventAppender & EventReader, keeping: Int = 1000, mint: @escaping @Sendable () -> Identifier)
    {
        self.store = store
        self.keptStreams = keeping
        self.mint = mint
    }

    /// The present state of `stream`, read up to the log's head.
    public func load(_ stream: StreamName) async throws(Failure) -> (version: StreamVersion, state: D.State) {
        let begun = era
        var (version, state) = kept[stream] ?? (.none, D.initial)
        while true {
            let page: StreamPage
            let batch: [RecordedEvent]
            do throws(EventStoreFailure) {
                page = try await store.read(stream, after: version, through: nil, backwards: false, limit: 1000)
                batch = try page.whole()
            } catch { throw .store(error) }
            for recorded in batch {
                do {
                    D.evolve(&state, with: try D.decode(recorded))
                } catch { throw .unreadable(error) }
                version = recorded.version
            }
            if page.end == .complete { break }
        }
        if begun != era { return try await load(stream) }
        keep(stream, version, state)
        return (version, state)
    }

    /// Handles `command` on `stream`.
    ///
    /// - Throws: ``Failure``; with `.store(.outcomeUnknown)` the same context must be sent again.
    public func handle(
        _ command: D.Command, on stream: StreamName, context: CommandContext
    ) async throws(Failure) -> Handled<D.State> {
        if context.keepsReceipt, let first = try await receipt(context, stream) {
            return try await repeated(first, on: stream)
        }
        let begun = era
        let attempts = 10
        for attempt in 0..<attempts {
            // A kept state is trusted at first: if it is stale, the append's expected version says so.
            let (version, before): (StreamVersion, D.State)
            if attempt == 0, let trusted = kept[stream] {
                (version, before) = trusted
            } else {
                (version, before) = try await load(stream)
            }
            let decided: [D.Event]
            do {
                decided = try D.decide(command, given: before)
            } catch {
                // A refusal by a stale state is no refusal: look again before saying so.
                if attempt == 0, try await hasGrown(stream, beyond: version) { continue }
                throw .refused(error)
            }
            if decided.isEmpty, !context.keepsReceipt {
                // Nor is there nothing to do because a stale state knows of nothing.
                if attempt == 0, try await hasGrown(stream, beyond: version) { continue }
                return Handled(
                    state: before, stateVersion: version, version: version, position: nil, events: [],
                    isDuplicate: false)
            }
            var state = before
            let events = envelope(decided, evolving: &state, context: context)
            let append = Append(
                stream: stream, expecting: .exactly(version), events: events,
                command: context.keepsReceipt ? context.id : nil, fingerprint: context.fingerprint,
                fence: context.fence)
            let appended: Appended
            do {
                appended = try await commit(append)
            } catch .wrongExpectedVersion {
                kept[stream] = nil
                continue
            } catch {
                kept[stream] = nil
                throw .store(error)
            }
            // Without a receipt, only the very same events are a repeat.
            if appended.isDuplicate, context.keepsReceipt,
                try await !stands(events, on: stream, upTo: appended.version)
            {
                // The order was under way twice, and the log has what was decided about it elsewhere, not this.
                kept[stream] = nil
                return try await repeated(appended, on: stream)
            }
            if begun == era { keep(stream, appended.version, state) }
            return Handled(
                state: state, stateVersion: appended.version, version: appended.version, position: appended.position,
                events: events, isDuplicate: appended.isDuplicate)
        }
        throw .contended(attempts: attempts)
    }

    /// Whether the log has just these events: an append that repeats another one may be its own resend.
    private func stands(
        _ events: [NewEvent], on stream: StreamName, upTo version: StreamVersion
    ) async throws(Failure) -> Bool {
        guard !events.isEmpty, version.value >= events.count else { return false }
        do throws(EventStoreFailure) {
            var after = StreamVersion(version.value - Int64(events.count))
            while true {
                let there = try await store.read(
                    stream, after: after, through: version, backwards: false, limit: events.count
                ).whole()
                let wanted = events.suffix(Int(version.value - after.value)).prefix(there.count)
                guard let last = there.last, there.map(\.event.id) == wanted.map(\.id) else { return false }
                after = last.version
                if after == version { return true }
            }
        } catch {
            kept[stream] = nil
            // The order has been carried out, here or elsewhere: nobody is to be told that nothing was recorded.
            guard case .unavailable(let words) = error else { throw .store(error) }
            throw .store(.outcomeUnknown(words))
        }
    }

    /// The answer to an order that was handled before.
    private func repeated(_ first: Appended, on stream: StreamName) async throws(Failure) -> Handled<D.State> {
        let (version, state) = try await load(stream)
        return Handled(
            state: state, stateVersion: version, version: first.version, position: first.position, events: [],
            isDuplicate: true)
    }

    /// Whether somebody else has written since the kept state that was trusted; what is kept is fresh afterwards.
    private func hasGrown(_ stream: StreamName, beyond version: StreamVersion) async throws(Failure) -> Bool {
        guard kept[stream] != nil else { return false }
        return try await load(stream).version != version
    }

    /// Forgets the kept state of `stream`.
    public func forget(_ stream: StreamName) { kept[stream] = nil }

    /// Forgets every kept state: the log is not the one that they were folded from.
    ///
    /// Nothing that is being loaded or handled meanwhile is kept either.
    public func forgetAll() {
        kept = [:]
        order = []
        era += 1
    }

    /// Sends an append whose outcome is unknown again, unchanged, before anything is decided anew (invariant 3).
    private func commit(_ append: Append) async throws(EventStoreFailure) -> Appended {
        do {
            return try await store.append(append)
        } catch .outcomeUnknown {
            return try await store.append(append)
        }
    }

    private func receipt(_ context: CommandContext, _ stream: StreamName) async throws(Failure) -> Appended? {
        do {
            return try await store.receipt(for: context.id, fingerprint: context.fingerprint, on: stream)
        } catch { throw .store(error) }
    }

    /// Each event names the one before it in the same append as its cause; the first names what led to the command.
    private func envelope(_ decided: [D.Event], evolving state: inout D.State, context: CommandContext) -> [NewEvent] {
        var cause = context.causation ?? context.id
        return decided.map { event in
            D.evolve(&state, with: event)
            let (type, data, occurredAt) = D.encode(event)
            let id = mint()
            defer { cause = id }
            return NewEvent(
                id: id, type: type, occurredAt: occurredAt, actor: context.actor, causation: cause,
                correlation: D.correlation(of: state) ?? context.id, data: data, metadata: context.metadata)
        }
    }

    private func keep(_ stream: StreamName, _ version: StreamVersion, _ state: D.State) {
        if let known = kept[stream], known.version > version { return }
        if kept.updateValue((version, state), forKey: stream) == nil {
            order.append(stream)
            if order.count > keptStreams { kept[order.removeFirst()] = nil }
        }
    }
}
