import Control
import Delivery
import EventSourcing
import Synchronization
import TestKit
import Testing

/// Several rollouts, and a ledger that does not answer.
@Suite(.timeLimit(.minutes(5))) struct SilentLedgerTests {
    private let names = (1...4).map { RolloutName(namespace: "default", name: "other-\($0)")! }

    private func bring(_ name: RolloutName, intoServiceOf bench: Bench) async throws {
        try await bench.apply(tag: "1", of: name)
        try await bench.until("\(name) in service", of: name) {
            $0.contains { if case .completed = $0 { true } else { false } }
        }
    }

    @Test func `blindness does not wait behind what other rollouts ask of the ledger`() async throws {
        let bench = Bench()
        try await bench.while_(bench.control()) {
            for name in names {
                try await bring(name, intoServiceOf: bench)
                try await bench.apply(tag: "2", steps: [["pause": ["duration": 60]], ["setWeight": 50]], of: name)
                try await bench.until("\(name) pauses", of: name) {
                    $0.contains { if case .pauseBegan = $0 { true } else { false } }
                }
            }
            try await bench.expose()
            bench.store.goDown()
            let isNoticed = try await eventually(within: .seconds(60)) {
                bench.clock.advance(.milliseconds(100))
                return bench.messages.contains("ledger cannot be reached, the standing order holds")
            }
            #expect(isNoticed)
            bench.store.fallSilent()
            // The pauses end and the time of blindness is over; what is asked now is answered by nobody.
            bench.clock.advance(.seconds(70))
            let isRerouted = try await eventually(within: .seconds(10)) { bench.weights.last == 0 }
            #expect(isRerouted)
            bench.store.comeBack()
        }
    }

    @Test func `a shutdown waits for the ledger once, however many rollouts there are`() async throws {
        let bench = Bench()
        let control = bench.control()
        let isOver = Mutex(false)
        let run = Task {
            try await control.run()
            isOver.withLock { $0 = true }
        }
        for name in names { try await bring(name, intoServiceOf: bench) }
        bench.store.goDown()
        for name in names {
            let set = try #require(bench.workloads.sizes(of: name).keys.first)
            bench.workloads.lose(1, in: set, of: name)
        }
        let areOut = try await eventually(within: .seconds(60)) {
            bench.messages.count { $0.hasPrefix("ledger cannot be reached") } == names.count
        }
        #expect(areOut)
        bench.store.fallSilent()
        let isAsked = try await eventually(within: .seconds(60)) {
            bench.clock.advance(.milliseconds(250))
            return bench.store.waiting > 0
        }
        #expect(isAsked)
        run.cancel()
        bench.clock.advance(.seconds(5))
        let isDown = try await eventually(within: .seconds(10)) { isOver.withLock { $0 } }
        #expect(isDown)
        bench.store.comeBack()
        try await run.value
    }
}
