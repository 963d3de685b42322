import EventSourcing
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

    private func append(_ index: Int) -> PreparedAppend { PreparedAppend(SampleEvents.append(to: "a-\(index)")) }

    private func answers(_ batch: [AppendQueue.Waiting]) -> [AppendQueue.Answer] {
        batch.map { _ in .failure(.unavailable("a test's answer")) }
    }
}
