import EventSourcing
import Foundation
import Synchronization
import TestKit
import Testing

@testable import Ledger

/// When a second call begins beside the one that is under way.
@Suite struct AppendQueueTests {
    @Test("a few wait for the call that is under way, and then go together")
    func fewWait() async throws {
        let queue = AppendQueue(patience: .seconds(3600))
        defer { queue.close() }
        async let first = queue.put(append(0))
        let under = await queue.next()
        async let beside = queue.next()
        let others = (1..<AppendQueue.leastBeside).map { index in Task { await queue.put(append(index)) } }
        #expect(try await eventually { queue.load.waiting == others.count })

        #expect(queue.load.inFlight == 1)
        queue.finish(under, answers(under), calls: 1)
        let batch = await beside
        #expect(batch.count == others.count)
        queue.finish(batch, answers(batch), calls: 1)
        for other in others { _ = await other.value }
        _ = await first
    }

    @Test("a good many go beside it")
    func manyGo() async throws {
        let queue = AppendQueue(patience: .seconds(3600))
        defer { queue.close() }
        async let first = queue.put(append(0))
        let under = await queue.next()
        let others = (1...AppendQueue.leastBeside).map { index in Task { await queue.put(append(index)) } }
        let batch = await queue.next()
        #expect(batch.count == AppendQueue.leastBeside)
        for batch in [under, batch] { queue.finish(batch, answers(batch), calls: 1) }
        for other in others { _ = await other.value }
        _ = await first
    }

    @Test("whoever waits for a call that is never answered goes beside it after a while, whatever came first")
    func silentCall() async throws {
        let queue = AppendQueue(patience: .milliseconds(5))
        defer { queue.close() }
        async let first = queue.put(append(0))
        let silent = await queue.next()
        async let second = queue.put(append(1))
        #expect(try await eventually { queue.load.waiting == 1 })
        // The other lane comes only now: nobody was idle when the append was put in line.
        let batch = await queue.next()
        #expect(batch.count == 1)
        queue.finish(batch, answers(batch), calls: 1)
        _ = await second
        queue.finish(silent, answers(silent), calls: 1)
        _ = await first
    }

    @Test(
        "a call that has outlived the patience is waited for no more, whatever else is answered",
        .timeLimit(.minutes(1)))
    func overdueCall() async throws {
        let queue = AppendQueue(patience: .seconds(3600))
        defer { queue.close() }
        async let first = queue.put(append(0))
        let silent = await queue.next()
        queue.look(answered: 0)
        for index in 1..<5 {
            async let other = queue.put(append(index))
            let batch = await queue.next()
            #expect(batch.map(\.prepared.append.stream) == [SampleEvents.stream("a-\(index)")])
            queue.finish(batch, answers(batch), calls: 1)
            _ = await other
        }
        queue.finish(silent, answers(silent), calls: 1)
        _ = await first
    }

    @Test("much goes beside it, however few requests it is", .timeLimit(.minutes(1)))
    func muchGoes() async throws {
        let queue = AppendQueue(patience: .seconds(3600))
        defer { queue.close() }
        async let first = queue.put(append(0))
        let under = await queue.next()
        let long = SampleEvents.event(data: #"{"long":"\#(String(repeating: "x", count: 1 << 20))"}"#)
        async let second = queue.put(
            PreparedAppend(Append(stream: SampleEvents.stream("a-1"), expecting: .exactly(.none), events: [long])))
        let batch = await queue.next()
        #expect(batch.count == 1)
        for batch in [under, batch] { queue.finish(batch, answers(batch), calls: 1) }
        _ = await (first, second)
    }

    @Test("while many keep coming, calls keep their distance, and each takes along what came", .timeLimit(.minutes(1)))
    func distance() async throws {
        let time = SlowTime()
        let queue = AppendQueue(patience: .seconds(3600), time: time.time)
        defer { queue.close() }
        let under = await begun(beside: 20, in: queue)
        time.advance(.milliseconds(1))
        // As many as are wanted come in the second half of the rest.
        time.onPass(2) {
            for index in 100..<108 { Task { await queue.put(self.append(index)) } }
            Self.spin { queue.load.waiting == 28 }
        }
        let batch = await next(after: under, in: queue)
        #expect(time.passed == [.milliseconds(1), .milliseconds(1)])
        #expect(batch.count == 28)

        // So they are likely to go on, and more than a few wait for the call that is under way.
        async let beside = queue.next()
        for index in 200..<200 + CallSpacing.enough - 1 { Task { await queue.put(append(index)) } }
        #expect(try await eventually { queue.load.waiting == CallSpacing.enough - 1 })
        #expect(queue.load.inFlight == 28)
        Task { await queue.put(append(999)) }
        let other = await beside
        #expect(other.count == CallSpacing.enough)

        // The last of two calls is followed by a rest, and the one before it is not.
        queue.finish(batch, answers(batch), calls: 1)
        for index in 1000..<1020 { Task { await queue.put(append(index)) } }
        #expect(try await eventually { queue.load.waiting == 20 })
        time.advance(.microseconds(500))
        let last = await next(after: other, in: queue)
        #expect(time.passed.dropFirst(2) == [.microseconds(1250), .microseconds(1250)])
        #expect(last.count == 20)
        queue.finish(last, answers(last), calls: 1)
    }

    @Test("calls keep no distance for long where those who were answered are all who come", .timeLimit(.minutes(1)))
    func noDistance() async throws {
        let time = SlowTime()
        let queue = AppendQueue(patience: .seconds(3600), time: time.time)
        defer { queue.close() }
        var batch = await begun(beside: 20, in: queue)
        for round in 1...6 {
            batch = await next(after: batch, in: queue)
            #expect(batch.count == 20)
            for index in 0..<20 { Task { await queue.put(append(round * 100 + index)) } }
            #expect(try await eventually { queue.load.waiting == 20 })
        }
        #expect(time.passed.count == 6, "three rests, in which nobody came")
        queue.finish(batch, answers(batch), calls: 1)
        let last = await queue.next()
        queue.finish(last, answers(last), calls: 1)
    }

    @Test("those who came before a call and found no room in it are no sign that more will come")
    func leftBehind() async throws {
        let time = SlowTime()
        let queue = AppendQueue(patience: .seconds(3600), time: time.time)
        defer { queue.close() }
        // All of one stream, of which one goes in a call.
        for _ in 1...40 { Task { await queue.put(append(0)) } }
        #expect(try await eventually { queue.load.waiting == 40 })
        var batch = await queue.next()
        for _ in 2...40 {
            batch = await next(after: batch, in: queue)
            #expect(batch.count == 1)
        }
        queue.finish(batch, answers(batch), calls: 1)
        #expect(time.passed.isEmpty)
    }

    @Test("a lane whose connection may be gone does not rest first")
    func cutOff() async throws {
        let time = SlowTime()
        let queue = AppendQueue(patience: .seconds(3600), time: time.time)
        defer { queue.close() }
        let under = await begun(beside: 20, in: queue)
        let batch = await queue.next(after: under, [.failure(.outcomeUnknown("cut off"))], calls: 1)
        #expect(batch.count == 20)
        #expect(time.passed.isEmpty)
        queue.finish(batch, answers(batch), calls: 1)
    }

    @Test("as many as are enough for a call do not wait for the distance", .timeLimit(.minutes(1)))
    func enough() async throws {
        let time = SlowTime()
        let queue = AppendQueue(patience: .seconds(3600), time: time.time)
        defer { queue.close() }
        let under = await begun(beside: 20, in: queue)
        // Another lane is idle, and takes them while the first one rests.
        async let beside = queue.next()
        time.onPass(1) {
            for index in 100..<100 + CallSpacing.enough - 20 { Task { await queue.put(self.append(index)) } }
            Self.spin { queue.load.inFlight + Int(queue.load.answered) > CallSpacing.enough }
        }
        async let mine = next(after: under, in: queue)
        let batch = await beside
        #expect(batch.count == CallSpacing.enough)
        queue.finish(batch, answers(batch), calls: 1)
        async let last = queue.put(append(999))
        let rest = await mine
        #expect(rest.map(\.prepared.append.stream) == [SampleEvents.stream("a-999")])
        queue.finish(rest, answers(rest), calls: 1)
        _ = await last
    }

    /// Waits on a thread that may be kept waiting; what never comes shows in what is expected afterwards.
    private static func spin(until condition: () -> Bool) {
        let end = ContinuousClock.now + .seconds(20)
        while !condition(), ContinuousClock.now < end { sched_yield() }
    }

    /// The next batch of a lane, which has a thread of its own to rest on.
    private func next(after batch: [AppendQueue.Waiting], in queue: AppendQueue) async -> [AppendQueue.Waiting] {
        await withTaskExecutorPreference(ReaderExecutor.shared) {
            await queue.next(after: batch, answers(batch), calls: 1)
        }
    }

    /// A call for one append that was alone when it began, and so many that came since.
    private func begun(beside count: Int, in queue: AppendQueue) async -> [AppendQueue.Waiting] {
        Task { await queue.put(append(0)) }
        let under = await queue.next()
        for index in 1...count { Task { await queue.put(append(index)) } }
        while queue.load.waiting < count { await Task.yield() }
        return under
    }

    private func append(_ index: Int) -> PreparedAppend { PreparedAppend(SampleEvents.append(to: "a-\(index)")) }

    private func answers(_ batch: [AppendQueue.Waiting]) -> [AppendQueue.Answer] {
        batch.map { _ in .failure(.unavailable("a test's answer")) }
    }
}

/// Time that passes only when somebody lets it.
private final class SlowTime: Sendable {
    private struct State {
        var now = ContinuousClock.now
        var passed: [Duration] = []
        var events: [Int: @Sendable () -> Void] = [:]
    }

    private let state = Mutex(State())

    var passed: [Duration] { state.withLock { $0.passed } }

    var time: AppendQueue.Time {
        AppendQueue.Time(
            now: { self.state.withLock { $0.now } },
            pass: { duration in
                let event = self.state.withLock { state in
                    state.passed.append(duration)
                    state.now += duration
                    return state.events[state.passed.count]
                }
                event?()
            })
    }

    /// Lets so much time pass.
    func advance(_ duration: Duration) { state.withLock { $0.now += duration } }

    /// Has something happen the so-manieth time that somebody lets time pass.
    func onPass(_ number: Int, _ event: @escaping @Sendable () -> Void) { state.withLock { $0.events[number] = event } }
}
