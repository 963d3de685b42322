import Synchronization
import TestKit
import Testing

@testable import EventSourcing

@Suite(.timeLimit(.minutes(5))) struct HeadSignalTests {
    private static let long = Duration.seconds(3600)

    /// Returns once so many wait.
    private func expectWaiting(_ count: Int, for signal: HeadSignal) async throws {
        let came = try await eventually { signal.waiting == count }
        #expect(came, "\(signal.waiting) wait")
    }

    @Test func `whoever waits is woken by what lies beyond his place, and by nothing else`() async throws {
        let signal = HeadSignal()
        let near = Task { await signal.wait(beyond: GlobalPosition(1), atMost: Self.long) }
        let far = Task { await signal.wait(beyond: GlobalPosition(5)) }
        try await expectWaiting(2, for: signal)
        signal.raise(to: GlobalPosition(1))
        #expect(signal.waiting == 2)
        signal.raise(to: GlobalPosition(2))
        await near.value
        signal.raise(to: GlobalPosition(5))
        #expect(signal.waiting == 1)
        signal.raise(to: GlobalPosition(6))
        await far.value
        // What lies beyond already is not waited for.
        await signal.wait(beyond: GlobalPosition(5))
        #expect(signal.waiting == 0)
    }

    @Test func `patience ends, the shorter before the longer, and never too soon`() async throws {
        let signal = HeadSignal()
        let patient = Task { await signal.wait(beyond: .start, atMost: Self.long) }
        try await expectWaiting(1, for: signal)
        for patience in [Duration.milliseconds(30), .milliseconds(1), .zero, .milliseconds(15)] {
            let began = ContinuousClock.now
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<20 { group.addTask { await signal.wait(beyond: .start, atMost: patience) } }
            }
            #expect(ContinuousClock.now - began >= patience)
            #expect(signal.waiting == 1)
        }
        signal.raise(to: GlobalPosition(1))
        await patient.value
    }

    @Test func `a cancelled wait ends`() async throws {
        let signal = HeadSignal()
        let waits = (0..<50).map { _ in Task { await signal.wait(beyond: .start, atMost: Self.long) } }
        try await expectWaiting(50, for: signal)
        for wait in waits { wait.cancel() }
        for wait in waits { await wait.value }
        #expect(signal.waiting == 0)
    }

    @Test func `a log that was cut short is waited for anew`() async throws {
        let signal = HeadSignal()
        signal.raise(to: GlobalPosition(9))
        signal.raise(to: GlobalPosition(3))
        #expect(signal.head == GlobalPosition(9))
        signal.set(to: GlobalPosition(3))
        #expect(signal.head == GlobalPosition(3))
        let wait = Task { await signal.wait(beyond: GlobalPosition(3), atMost: Self.long) }
        try await expectWaiting(1, for: signal)
        signal.set(to: GlobalPosition(4))
        await wait.value
        // Who waits for more than there is any more is woken, to see for himself.
        let lost = Task { await signal.wait(beyond: GlobalPosition(4), atMost: Self.long) }
        try await expectWaiting(1, for: signal)
        signal.set(to: GlobalPosition(3))
        await lost.value
    }
}
