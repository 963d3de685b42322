import EventSourcing
import Testing

@Suite(.timeLimit(.minutes(5))) struct HeadSignalTests {
    private static let long = Duration.seconds(3600)

    @Test func `whoever waits is woken by what lies beyond his place, and by nothing else`() async {
        let signal = HeadSignal()
        let (near, far) = (
            Task { await signal.wait(beyond: GlobalPosition(1), atMost: Self.long) },
            Task { await signal.wait(beyond: GlobalPosition(5)) }
        )
        signal.raise(to: GlobalPosition(2))
        await near.value
        signal.raise(to: GlobalPosition(1))
        // Cancelled, since nothing else ends its wait.
        far.cancel()
        await far.value
        await signal.wait(beyond: GlobalPosition(1))
    }

    @Test func `patience ends, the shorter before the longer, however long others wait`() async {
        let signal = HeadSignal()
        let patient = Task { await signal.wait(beyond: .start, atMost: Self.long) }
        for patience in [Duration.milliseconds(30), .milliseconds(1), .zero, .milliseconds(15)] {
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<20 { group.addTask { await signal.wait(beyond: .start, atMost: patience) } }
            }
        }
        signal.raise(to: GlobalPosition(1))
        await patient.value
    }

    @Test func `a cancelled wait ends, also where nobody has begun to look yet`() async {
        let signal = HeadSignal()
        let waits = (0..<50).map { _ in Task { await signal.wait(beyond: .start, atMost: Self.long) } }
        for wait in waits { wait.cancel() }
        for wait in waits { await wait.value }
    }

    @Test func `a log that was cut short is waited for anew`() async {
        let signal = HeadSignal()
        signal.raise(to: GlobalPosition(9))
        signal.set(to: GlobalPosition(3))
        let wait = Task { await signal.wait(beyond: GlobalPosition(3), atMost: Self.long) }
        signal.raise(to: GlobalPosition(4))
        await wait.value
    }
}
