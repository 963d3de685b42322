import Synchronization
import Testing

@testable import Ledger

@Suite struct CourtesyTests {
    /// A line that is so long at one look after the other, and then as at the last one.
    private final class Line: Sendable {
        private let lengths: [Int]
        private let inFlight: Int
        private let count = Mutex(0)

        init(_ lengths: [Int], inFlight: Int = 0) { (self.lengths, self.inFlight) = (lengths, inFlight) }

        var looks: Int { count.withLock { $0 } }

        func look() -> AppendLoad {
            let look = count.withLock { count in
                count += 1
                return count
            }
            var load = AppendLoad()
            load.inFlight = inFlight
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

    /// Time that passes when somebody works or waits, and what was waited.
    private final class Hours: Sendable {
        private let state = Mutex((now: ContinuousClock.now, waits: [Duration]()))

        var waits: [Duration] { state.withLock { $0.waits } }

        var time: Courtesy.Time {
            Courtesy.Time(now: { self.state.withLock { $0.now } }, rest: self.wait, pass: self.wait)
        }

        private func wait(_ duration: Duration) {
            state.withLock { state in
                state.now += duration
                state.waits.append(duration)
            }
        }

        func work(_ microseconds: Int) { state.withLock { $0.now += .microseconds(microseconds) } }
    }

    @Test(arguments: [
        ([300, 1200], [300, 1200]),
        // What is too short for a rest comes to the next one.
        ([150, 100, 150, 30, 20], [250, 200]),
        // Who was held up rests no longer than others.
        ([90_000, 4000], [5000, 4000]),
        // All in all no longer than was said: 12 ms.
        ([6000, 4000, 4000, 4000], [5000, 4000, 3000]),
    ])
    func `who has worked while appends are under way rests for as long`(work: [Int], rests: [Int]) async {
        let (hours, line) = (Hours(), Line([0], inFlight: 1))
        let courtesy = Courtesy(atMost: .milliseconds(12), time: hours.time, line.look)
        for microseconds in work {
            hours.work(microseconds)
            await courtesy.giveWay()
        }
        #expect(hours.waits == rests.map { .microseconds($0) })
    }

    @Test func `what was worked while no append was under way needs no rest`() async {
        let hours = Hours()
        let inFlight = Mutex(0)
        let courtesy = Courtesy(atMost: .seconds(60), time: hours.time) {
            var load = AppendLoad()
            load.inFlight = inFlight.withLock { $0 }
            return load
        }
        hours.work(3000)
        await courtesy.giveWay()
        inFlight.withLock { $0 = 1 }
        hours.work(700)
        await courtesy.giveWay()
        #expect(hours.waits == [.microseconds(700)])
    }

    @Test func `who stands in line for a call that is about to begin counts as under way`() async {
        let (hours, line) = (Hours(), Line([40]))
        let courtesy = Courtesy(atMost: .seconds(60), time: hours.time, line.look)
        hours.work(700)
        await courtesy.giveWay()
        #expect(hours.waits == [.microseconds(700)])
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
