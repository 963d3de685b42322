import Testing

@testable import Postgres

@Suite struct LookoutTests {
    private let start = ContinuousClock.now

    /// How often it looks, given how many microseconds each turn takes.
    private func looks(_ turns: [Int], atMost most: Duration = .milliseconds(1)) -> Int {
        var lookout = Lookout(from: start, until: start + most)
        var now = start
        return turns.prefix { turn in
            now += .microseconds(turn)
            return lookout.goesOn(at: now)
        }.count
    }

    @Test func `it looks on while nobody else had the core`() { #expect(looks([1, 2, 20, 3, 1]) == 5) }

    @Test func `it ends with the first turn that others had`() { #expect(looks([1, 2, 21, 1, 1]) == 2) }

    @Test func `it ends with its time`() {
        #expect(looks([20, 20, 20, 20], atMost: .microseconds(60)) == 2)
        #expect(looks([0], atMost: .zero) == 0)
    }
}
