import Testing

@testable import Ledger

@Suite struct CallSpacingTests {
    @Test("a lane rests only if sixteen came since the last call began, and for a millisecond or more")
    func begins() {
        var spacing = CallSpacing()
        spacing.callEnded(came: 15)
        #expect(spacing.rest(after: .milliseconds(1)) == nil)
        spacing.callEnded(came: 16)
        #expect(spacing.rest(after: .milliseconds(1)) == .milliseconds(2))
        #expect(spacing.rest(after: .milliseconds(2)) == .milliseconds(1))
        #expect(spacing.rest(after: .microseconds(2001)) == nil)
        #expect(spacing.rest(after: .milliseconds(5)) == nil)
        spacing.callEnded(came: 0)
        #expect(spacing.rest(after: .milliseconds(1)) == nil)
    }

    @Test("three rests in which too few came, one after the other, are the last for 256 calls")
    func vain() {
        var spacing = CallSpacing()
        for _ in 1...2 {
            // Eight in one and a half milliseconds are enough, or as many by time.
            for late in [7, 7, 8, 7, 7, 8] { ended(&spacing, late: late, in: .microseconds(1500)) }
            ended(&spacing, late: 4, in: .microseconds(750))
            for _ in 1...3 {
                spacing.callEnded(came: 64)
                #expect(spacing.isOn)
                spacing.restEnded(late: 3, in: .microseconds(750))
            }
            #expect(!spacing.isOn)
            for _ in 1...256 {
                spacing.callEnded(came: 64)
                #expect(!spacing.isOn)
            }
        }
        spacing.callEnded(came: 64)
        #expect(spacing.isOn)
    }

    @Test("a rest in which enough came speaks for 64 calls, as long as many come")
    func assured() {
        var spacing = CallSpacing()
        spacing.callEnded(came: 64)
        #expect(!spacing.isAssured, "nothing has shown yet that they are others than those who were answered")
        spacing.restEnded(late: 20, in: .milliseconds(1))
        #expect(spacing.isAssured)
        for _ in 1..<64 {
            spacing.callEnded(came: 64)
            #expect(spacing.isAssured)
        }
        spacing.callEnded(came: 64)
        #expect(!spacing.isAssured)
        spacing.restEnded(late: 20, in: .milliseconds(1))
        spacing.callEnded(came: 2)
        #expect(!spacing.isAssured)
    }

    private func ended(_ spacing: inout CallSpacing, late: Int, in half: Duration) {
        spacing.callEnded(came: 64)
        spacing.restEnded(late: late, in: half)
    }
}
