import EventSourcing
import Foundation
import TestKit
import Testing

@testable import Delivery

/// The fold that reads few fields says what the fold that reads everything says.
@Suite struct RolloutSummaryFoldTests {
    private static let name = RolloutName(namespace: "default", name: "shop")!

    /// Stories that meet every kind of event that a summary depends on.
    private static func stories() throws -> [[RolloutEvent]] {
        var good = try Story.settled(Plans.shop())
        try good.setImage("2")
        try good.obey()
        good.pass(.seconds(120))
        try good.when(.wake)
        try good.obey()
        for _ in 1...5 { try good.measure(0.001) }
        try good.obey()
        try good.when(.promote(full: false, reason: "looks \"good\"\n"))
        try good.obey()

        var bad = try Story.settled(Plans.shop(tag: "1", background: nil))
        try bad.setImage("2")
        try bad.obey()
        bad.pass(.seconds(120))
        try bad.when(.wake)
        try bad.obey()
        for _ in 1...3 { try bad.measure(0.5) }
        try bad.obey()
        bad.pass(.seconds(30))
        try bad.when(.wake)
        try bad.obey()
        try bad.when(.retry(newRelease: bad.newRelease()))
        try bad.obey()
        try bad.setImage("3")
        try bad.when(.pause(reason: "look"))
        try bad.when(.resume(reason: nil))
        try bad.obey()
        try bad.when(.abort(reason: "é\u{1F600}"))
        try bad.obey()
        try bad.when(.undo(toRevision: nil, newRelease: bad.newRelease()))
        try bad.obey()

        var late = try Story.settled(Plans.shop())
        try late.setImage("2")
        late.pass(.seconds(61))
        try late.when(.wake)
        try late.when(.promote(full: true, reason: nil))
        try late.obey()
        return [good.spec.events, bad.spec.events, late.spec.events]
    }

    private static func recorded(_ events: [RolloutEvent], _ data: (String) -> String = { $0 }) -> [RecordedEvent] {
        events.enumerated().map { index, event in
            let coded = RolloutDecider.encode(event)
            return RecordedEvent(
                position: GlobalPosition(Int64(10 * index + 1)), epoch: 1, stream: name.stream,
                version: StreamVersion(Int64(index + 1)), recordedAt: event.at,
                event: NewEvent(
                    id: Identifier(UUID()), type: coded.type, occurredAt: coded.occurredAt,
                    actor: EventActor(subject: "actor-\(index)", issuer: "test", method: .token), causation: nil,
                    correlation: Identifier(UUID()), data: data(coded.data)))
        }
    }

    private static func take(_ recorded: RecordedEvent, _ fold: inout RolloutSummaryFold) throws {
        let type = try #require(RolloutSummaryFold.EventType(recorded.event.type))
        let payload = type.needsPayload ? Array(recorded.event.data.utf8) : []
        try payload.withUnsafeBytes { bytes in
            try fold.fold(
                type,
                at: RolloutSummaryFold.Place(
                    version: recorded.version, position: recorded.position, occurredAt: recorded.event.occurredAt,
                    recordedAt: recorded.recordedAt),
                by: recorded.event.actor, payload: bytes)
        }
    }

    private static func compare(_ events: [RecordedEvent], takingEnded: Bool) throws {
        var (reading, history) = (RolloutReading(name), ReleaseHistory())
        var fold = RolloutSummaryFold(name)
        var releases: [Identifier: ReleaseRow] = [:]
        for (index, recorded) in events.enumerated() {
            history.fold(recorded, try reading.fold(recorded))
            try take(recorded, &fold)
            #expect(fold.summary == reading.summary)
            let taken = takingEnded ? fold.takeEndedReleases() : fold.takeChangedReleases()
            for row in taken { releases[row.release] = row }
            if !takingEnded { #expect(releases.count == history.rows.count) }
            // What is written down and read again goes on in the same way.
            if index % 7 == 0 { fold = try CanonicalJSON.read(from: CanonicalJSON.text(fold)) }
        }
        for row in fold.takeChangedReleases() { releases[row.release] = row }
        #expect(history.rows.allSatisfy { releases[$0.release] == $0 })
        #expect(releases.count == history.rows.count)
    }

    @Test(arguments: 0..<3, [false, true])
    func `rows are the same after every event`(_ story: Int, _ takingEnded: Bool) throws {
        try Self.compare(Self.recorded(try Self.stories()[story]), takingEnded: takingEnded)
    }

    @Test(arguments: 0..<3) func `they are so too if payloads are written in another way`(_ story: Int) throws {
        let events = Self.recorded(try Self.stories()[story]) { text in
            // A member that nobody knows, and white space.
            text == "{}" ? text : "{ \"zzz\": [1.5e3, null, {\"a\": \"\\\"\"}], " + text.dropFirst()
        }
        try Self.compare(events, takingEnded: false)
    }

    @Test func `the short way is taken for every type that it knows`() throws {
        for event in try Self.stories().joined() {
            let coded = RolloutDecider.encode(event)
            guard case .fields(let read) = SummaryNeed(coded.type) else { continue }
            try Array(coded.data.utf8).withUnsafeBytes { bytes in
                var scanner = PayloadScanner(bytes)
                let fact = try read(&scanner, "shop")
                try scanner.end()
                #expect(fact.wireName == coded.type)
            }
        }
    }

    @Test func `a payload that does not fit its type is unreadable`() throws {
        var fold = RolloutSummaryFold(Self.name)
        var events = Self.recorded(try Self.stories()[0])
        let index = try #require(events.firstIndex { $0.event.type == "rollout.weight-decided.v1" })
        events[index].event.data = "{\"canary\":5}"
        for recorded in events[..<index] { try Self.take(recorded, &fold) }
        let before = fold
        #expect(throws: UnreadableEvent.self) { try Self.take(events[index], &fold) }
        #expect(fold == before)
    }

    @Test(arguments: [
        "", "{", "[", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":tru}", "{\"a\":\"x}", "{\"a\":1}}", "{\"a\":1.5}",
        "{\"a\":12345678901234567890}", "{\"a\\n\":1}", "{\"a\":-}", " {\"a\":1}",
    ])
    func `the scanner gives up on what it does not expect`(_ text: String) {
        #expect(throws: PayloadScanner.GivenUp.self) {
            try Array(text.utf8).withUnsafeBytes { bytes in
                var scanner = PayloadScanner(bytes)
                try scanner.members { scanner, _ throws(PayloadScanner.GivenUp) in _ = try scanner.int() }
                try scanner.end()
            }
        }
    }
}
