import Testing

@testable import Postgres

@Suite struct PoolMachineTests {
    private typealias Machine = PoolMachine<Int, String>
    private let start = ContinuousClock.now

    private func machine(_ limit: Int) -> Machine {
        Machine(
            options: PoolOptions(
                maximumConnections: limit, maximumAge: .seconds(60), firstBackOff: .seconds(1),
                longestBackOff: .seconds(5)))
    }

    private func pooled(_ connection: Int) -> PoolGrant<Int>.Pooled {
        PoolGrant.Pooled(connection: connection, opened: start, idleSince: start)
    }

    private func words(_ actions: [Machine.Action]) -> [String] {
        actions.map { action in
            switch action {
            case .resume(let waiter, .use(let pooled)): "\(waiter) uses \(pooled.connection)"
            case .resume(let waiter, .open): "\(waiter) opens"
            case .resume(let waiter, .closed): "\(waiter) is told of the end"
            case .resume(let waiter, .gaveUp): "\(waiter) gave up"
            case .discard(let connection): "discard \(connection)"
            case .drained: "drained"
            }
        }
    }

    @Test func `callers are served in the order of asking`() {
        var machine = machine(1)
        guard case .open(nil)? = machine.acquire() else {
            Issue.record("the first caller opens")
            return
        }
        for (id, name) in [(1, "a"), (2, "b"), (3, "c")] as [(UInt64, String)] {
            if machine.acquire() != nil { Issue.record("granted past the limit") }
            machine.wait(id, name)
        }
        #expect(words(machine.giveBack(pooled(7), at: start)) == ["a uses 7"])
        #expect(machine.leave(2) == "b")
        #expect(machine.leave(2) == nil)
        #expect(words(machine.giveBack(pooled(7), at: start)) == ["c uses 7"])
        #expect(words(machine.giveBack(pooled(7), at: start)) == [])
        #expect(machine.lent == 0 && machine.idle.count == 1 && machine.waiting == 0)
    }

    @Test func `a broken connection's slot goes to the next in line, who opens`() {
        var machine = machine(1)
        _ = machine.acquire()
        machine.wait(1, "a")
        #expect(words(machine.lost(attemptFailed: false, at: start)) == ["a opens"])
        #expect(machine.lent == 1)
    }

    @Test func `pauses between failing attempts double up to the longest, and end with success`() {
        var machine = machine(1)
        for expected in [1, 2, 4, 5, 5] {
            _ = machine.acquire()
            _ = machine.lost(attemptFailed: true, at: start)
            guard case .open(let notBefore)? = machine.acquire() else {
                Issue.record("no grant")
                return
            }
            #expect(notBefore == start + .seconds(expected))
            _ = machine.lost(attemptFailed: false, at: start)
        }
        _ = machine.acquire()
        machine.opened()
        _ = machine.lost(attemptFailed: false, at: start)
        guard case .open(nil)? = machine.acquire() else {
            Issue.record("no pause is left")
            return
        }
    }

    @Test func `old connections are replaced, and closing lets everyone go`() {
        var machine = machine(2)
        _ = machine.acquire()
        _ = machine.acquire()
        machine.wait(1, "a")
        #expect(words(machine.giveBack(pooled(1), at: start + .seconds(61))) == ["discard 1", "a opens"])
        machine.wait(2, "b")
        #expect(words(machine.close()) == ["b is told of the end"])
        #expect(words(machine.giveBack(pooled(2), at: start)) == ["discard 2"])
        #expect(words(machine.lost(attemptFailed: false, at: start)) == ["drained"])
        guard case .closed? = machine.acquire() else {
            Issue.record("a closed pool grants nothing")
            return
        }
    }
}
