internal import EventSourcing
internal import Foundation
internal import Synchronization

/// Where appends stand in line for a lane: what has gathered while the lanes were busy goes in one call.
///
/// A lone append goes at once. While a call is under way another one begins only for a good many: calls exclude each
/// other in the server, so that a few are served sooner by the next call than by one more of their own. While many keep
/// coming calls begin at a distance (``CallSpacing``). A stream is with one lane at a time, and once in a call.
final class AppendQueue: Sendable {
    typealias Answer = Result<Appended, EventStoreFailure>

    /// An append in line, and who waits for its answer.
    struct Waiting: Sendable {
        let prepared: PreparedAppend
        let answer: CheckedContinuation<Answer, Never>
    }

    /// What the time is, and how it passes.
    struct Time: Sendable {
        var now: @Sendable () -> ContinuousClock.Instant = { .now }
        /// Returns after so long.
        ///
        /// Blocks the thread, which is the lane's own: a timer of the threads that all share, set for every call, cost a tenth
        /// of a core and more.
        var pass: @Sendable (Duration) -> Void = { Thread.sleep(forTimeInterval: $0 / .seconds(1)) }
    }

    private struct State {
        var line: [Waiting] = []
        /// Streams that a lane has.
        var taken: Set<StreamName> = []
        /// Those of them whose call has outlived the patience.
        var overdue: Set<StreamName> = []
        var idle: [CheckedContinuation<[Waiting], Never>] = []
        /// Whether somebody looks after the patience if the call that is under way still is.
        var isWatched = false
        var spacing = CallSpacing()
        /// When the last call began.
        var begun: ContinuousClock.Instant?
        /// Whether a lane lets time pass before it takes the next batch.
        var isResting = false
        /// How many were put in line so far, and how many when the last call began.
        var arrived = (all: 0, before: 0)
        var load = AppendLoad()
        var isClosed = false
    }

    /// How many requests, and how many bytes of them, go in one call.
    private static let mostRequests = 256
    private static let mostBytes = 1 << 20
    /// How many are worth a call while another is under way, unless appends keep coming (``CallSpacing``): with 64 callers a
    /// call of 32 each gave 1.4 times the rate of calls of what there was.
    static let leastBeside = 32

    private let state = Mutex(State())
    private let patience: Duration
    private let time: Time

    /// Makes an empty line.
    ///
    /// - Parameter patience: So long a few wait for a call that is under way; a connection may have fallen silent.
    init(patience: Duration = .milliseconds(100), time: Time = Time()) { (self.patience, self.time) = (patience, time) }

    /// How busy it is.
    var load: AppendLoad { state.withLock { $0.load } }

    /// Puts an append in line; its answer comes from a lane.
    func put(_ prepared: PreparedAppend) async -> Answer {
        await withCheckedContinuation { continuation in
            let waiting = Waiting(prepared: prepared, answer: continuation)
            let (refusal, lane, batch, unwatched) = state.withLock { state in
                let (refusal, lane, batch) = put(waiting, &state)
                return (refusal, lane, batch, Self.watch(&state))
            }
            if let refusal { return continuation.resume(returning: .failure(refusal)) }
            lane?.resume(returning: batch)
            if let unwatched { watch(answered: unwatched) }
        }
    }

    /// Has those in line wait no more for the calls that are under way if none is answered for too long.
    private func watch(answered: Int64) {
        Task { [weak self, patience] in
            // Fails only if this task is cancelled, which nobody does: then it looks sooner.
            try? await Task.sleep(for: patience)
            self?.look(answered: answered)
        }
    }

    /// Looks whether more than so many were answered since the patience began.
    func look(answered: Int64) {
        let (lane, batch, unwatched) = state.withLock { state in
            state.isWatched = false
            if state.load.answered == answered { state.overdue = state.taken }
            let (lane, batch) = wake(&state)
            return (lane, batch, Self.watch(&state))
        }
        lane?.resume(returning: batch)
        if let unwatched { watch(answered: unwatched) }
    }

    /// How many were answered so far, if somebody is to look whether more are; nil if nobody waits for a call that is
    /// under way, or somebody looks already.
    private static func watch(_ state: inout State) -> Int64? {
        guard !state.isWatched, !state.line.isEmpty, state.load.inFlight > 0 else { return nil }
        state.isWatched = true
        return state.load.answered
    }

    /// The next batch, once there is one; empty once the queue is closed.
    func next() async -> [Waiting] {
        await withCheckedContinuation { continuation in
            let (batch, unwatched) = state.withLock { state in
                (ask(continuation, &state), Self.watch(&state))
            }
            if let batch { continuation.resume(returning: batch) }
            if let unwatched { watch(answered: unwatched) }
        }
    }

    /// Answers a batch, in its order, frees its streams for other lanes, and gives the next batch as ``next()`` does.
    ///
    /// After an append that was alone the lane stands ready before its answer is heard: who appends one event after the
    /// other finds it again, awake. Else all are answered first, so that what they append next gathers, and the first of
    /// them does not go alone; and while calls keep a distance, the lane rests first.
    func next(after batch: [Waiting], _ answers: [Answer], calls: Int) async -> [Waiting] {
        let isAlone = state.withLock { $0.load.inFlight == 1 && $0.line.isEmpty }
        guard isAlone else {
            // Whose connection may be gone has to see to that first.
            let isCutOff = answers.contains { if case .failure(.outcomeUnknown) = $0 { true } else { false } }
            let rest = finish(batch, answers, calls) { isCutOff ? nil : Self.beginRest(at: time.now(), &$0) }
            if let rest { self.rest(rest) }
            return await next()
        }
        return await withCheckedContinuation { continuation in
            let (mine, (lane, more)) = state.withLock { state in
                Self.finish(batch, calls, &state)
                return (ask(continuation, &state), wake(&state))
            }
            if let mine { continuation.resume(returning: mine) }
            lane?.resume(returning: more)
            for (waiting, answer) in zip(batch, answers) { waiting.answer.resume(returning: answer) }
        }
    }

    /// Answers a batch, in its order, and frees its streams for other lanes.
    func finish(_ batch: [Waiting], _ answers: [Answer], calls: Int) { finish(batch, answers, calls) { _ in } }

    /// - Parameter then: What is done before anybody else is served.
    private func finish<Value>(
        _ batch: [Waiting], _ answers: [Answer], _ calls: Int, then: (inout State) -> Value
    ) -> Value {
        let (value, (lane, more)) = state.withLock { state in
            Self.finish(batch, calls, &state)
            return (then(&state), wake(&state))
        }
        lane?.resume(returning: more)
        for (waiting, answer) in zip(batch, answers) { waiting.answer.resume(returning: answer) }
        return value
    }

    /// How long a lane is to rest before it takes the next batch; nil if it is not to.
    private static func beginRest(at now: ContinuousClock.Instant, _ state: inout State) -> Duration? {
        guard state.load.inFlight == 0, !state.isResting, !hasEnough(state), let begun = state.begun,
            let rest = state.spacing.rest(after: now - begun)
        else { return nil }
        state.isResting = true
        return rest
    }

    private func rest(_ duration: Duration) {
        time.pass(duration / 2)
        let early = state.withLock { $0.arrived.all }
        time.pass(duration / 2)
        state.withLock { state in
            state.isResting = false
            state.spacing.restEnded(late: state.arrived.all - early, in: duration / 2)
        }
    }

    /// Whether what stands in line is not to wait for the distance.
    private static func hasEnough(_ state: State) -> Bool {
        state.line.count >= CallSpacing.enough || state.load.waitingBytes >= mostBytes
    }

    /// Counts a call that found the append lock held by somebody who did not go on.
    func countStall() { state.withLock { $0.load.stalls += 1 } }

    /// Ends the lanes as they become idle; who still stands in line is turned away.
    func close() {
        let (lanes, line) = state.withLock { state in
            state.isClosed = true
            defer { (state.idle, state.line) = ([], []) }
            return (state.idle, state.line)
        }
        for lane in lanes { lane.resume(returning: []) }
        for waiting in line { waiting.answer.resume(returning: .failure(Self.closed)) }
    }

    private static let closed = EventStoreFailure.unavailable("the event store was closed")

    private func put(
        _ waiting: Waiting, _ state: inout State
    ) -> (EventStoreFailure?, CheckedContinuation<[Waiting], Never>?, [Waiting]) {
        if state.isClosed { return (Self.closed, nil, []) }
        let bytes = state.load.waitingBytes + waiting.prepared.bytes
        guard state.line.count < AppendLoad.mostWaiting, state.line.isEmpty || bytes <= AppendLoad.mostWaitingBytes
        else {
            state.load.turnedAway += 1
            return (
                .unavailable(
                    "\(state.line.count) appends with \(state.load.waitingBytes) bytes wait for the ledger already; "
                        + "send this one again later"), nil, []
            )
        }
        state.line.append(waiting)
        state.arrived.all += 1
        state.load.waiting = state.line.count
        state.load.waitingBytes = bytes
        let (lane, batch) = wake(&state)
        return (nil, lane, batch)
    }

    /// A batch for a lane that asks for one; nil if it has to wait.
    private func ask(_ lane: CheckedContinuation<[Waiting], Never>, _ state: inout State) -> [Waiting]? {
        if state.isClosed { return [] }
        let batch = takeBatch(&state)
        if !batch.isEmpty { return batch }
        state.idle.append(lane)
        return nil
    }

    private static func finish(_ batch: [Waiting], _ calls: Int, _ state: inout State) {
        for waiting in batch {
            state.taken.remove(waiting.prepared.append.stream)
            if !state.overdue.isEmpty { state.overdue.remove(waiting.prepared.append.stream) }
        }
        state.load.inFlight -= batch.count
        state.load.answered += Int64(batch.count)
        state.load.calls += Int64(calls)
        state.spacing.callEnded(came: state.arrived.all - state.arrived.before)
    }

    /// A batch for an idle lane, if there are both.
    private func wake(_ state: inout State) -> (CheckedContinuation<[Waiting], Never>?, [Waiting]) {
        guard !state.idle.isEmpty, !state.line.isEmpty else { return (nil, []) }
        let batch = takeBatch(&state)
        return batch.isEmpty ? (nil, []) : (state.idle.removeLast(), batch)
    }

    /// The longest beginning of the line that fits; appends to a stream that a lane has already stay in line.
    private func takeBatch(_ state: inout State) -> [Waiting] {
        if state.isResting, !Self.hasEnough(state) { return [] }
        // A call that is overdue keeps nobody waiting; large ones are mostly sent and parsed, which two can be at once.
        let worthwhile = state.spacing.isAssured ? CallSpacing.enough : Self.leastBeside
        guard
            state.taken.count == state.overdue.count || state.line.count >= worthwhile
                || state.load.waitingBytes >= Self.mostBytes
        else { return [] }
        var batch: [Waiting] = []
        var rest: [Waiting] = []
        var bytes = 0
        for (index, waiting) in state.line.enumerated() {
            let prepared = waiting.prepared
            let fits = batch.isEmpty || (batch.count < Self.mostRequests && bytes + prepared.bytes <= Self.mostBytes)
            guard fits else {
                rest += state.line[index...]
                break
            }
            guard state.taken.insert(prepared.append.stream).inserted else {
                rest.append(waiting)
                continue
            }
            batch.append(waiting)
            bytes += prepared.bytes
        }
        state.line = rest
        state.load.waiting = rest.count
        state.load.waitingBytes -= bytes
        state.load.inFlight += batch.count
        if !batch.isEmpty { (state.begun, state.arrived.before) = (time.now(), state.arrived.all) }
        return batch
    }
}
