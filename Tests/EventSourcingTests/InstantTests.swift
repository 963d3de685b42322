import EventSourcing
import Testing

@Suite struct InstantTests {
    private let noon = Instant("2026-11-24T12:00:00Z")!

    @Test(arguments: [
        Duration.seconds(Int64.max), .seconds(9_300_000_000_000), .seconds(999_999_999_999), .seconds(260_000_000_000),
    ])
    func `however far an instant is moved, it can be written and read again`(by duration: Duration) {
        #expect(noon + duration == .latest)
        #expect(noon - duration == .earliest)
        #expect(noon + (.zero - duration) == .earliest)
        #expect(noon - (.zero - duration) == .latest)
        for instant in [Instant.earliest, .latest] { #expect(Instant(instant.description) == instant) }
    }

    @Test func `an instant is moved by microseconds, rounded towards zero`() {
        #expect((noon + .nanoseconds(1999)).since(noon) == .microseconds(1))
        #expect((noon - .nanoseconds(1999)).since(noon) == .microseconds(-1))
        #expect(noon + .seconds(2_147_483_647) == Instant("2094-12-12T15:14:07Z"))
    }

    @Test func `an offset does not lead out of what can be written`() {
        #expect(Instant("9999-12-31T23:59:59-01:00") == nil)
        #expect(Instant("0000-01-01T00:00:00+01:00") == nil)
        #expect(Instant("9999-12-31T23:59:59.999999Z") == .latest)
        #expect(Instant("0000-01-01T00:00:00Z") == .earliest)
    }
}
