import Synchronization
import Testing

@testable import Ledger

@Suite struct CourtesyTests {
    /// A line that is so long at one look after the other, and then as at the last one.
    private final class Line: Sendable {
        private let lengths: [Int]
        private let count = Mutex(0)

        init(_ lengths: [Int]) { self.lengths = lengths }

        var looks: Int { count.withLock { $0 } }

        func look() -> AppendLoad {
            let look = count.withLock { count in
                count += 1
                return count
            }
            var load = AppendLoad()
            load.waiting = lengths[min(look, lengths.count) - 1]
            return load
        }
    }

    @Test func `who gives way goes on at once while few stand in line`() async {
        let line = Line([95])
        await Courtesy(atMost: .seconds(60), line.look).giveWay()
        #expect(line.looks == 1)
    }

    @Test func `who gives way waits until few stand in line`() async {
        let line = Line([5000, 96, 95])
        await Courtesy(atMost: .seconds(60), line.look).giveWay()
        #expect(line.looks == 3)
    }

    @Test func `nobody gives way for longer than was said, all in all`() async {
        let line = Line([5000])
        let courtesy = Courtesy(atMost: .milliseconds(1), line.look)
        await courtesy.giveWay()
        let looks = line.looks
        await courtesy.giveWay()
        #expect(line.looks == looks + 1)
    }

    @Test func `who is cancelled goes on`() async {
        let line = Line([5000])
        let waiting = Task { await Courtesy(atMost: .seconds(3600), line.look).giveWay() }
        waiting.cancel()
        await waiting.value
        #expect(line.looks > 0)
    }
}
