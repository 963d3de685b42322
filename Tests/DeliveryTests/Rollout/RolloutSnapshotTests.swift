import EventSourcing
import Foundation
import TestKit
import Testing

@testable import Delivery

@Suite struct RolloutSnapshotTests {
    private static let events = Result { EventfulRollout.recorded(try EventfulRollout.told(releases: 16)) }

    private static func reading(of events: some Sequence<RecordedEvent>) throws -> RolloutReading {
        var reading = RolloutReading(EventfulRollout.name)
        for event in events { try reading.fold(event) }
        return reading
    }

    @Test func `at every version a snapshot gives back the reading, and the fold that goes on from it is the same`()
        throws
    {
        let events = try Self.events.get()
        let last = try Self.reading(of: events)
        #expect(last.earlierRuns.values.joined().count > 3 && last.measurementCount > 10)
        var reading = RolloutReading(EventfulRollout.name)
        for (index, event) in events.enumerated() {
            try reading.fold(event)
            let again = try RolloutSnapshot(reading).reading()
            #expect(again == reading && again.view == reading.view, "version \(event.version)")
            guard index.isMultiple(of: 40) else { continue }
            var onward = again
            for event in events[(index + 1)...] { try onward.fold(event) }
            #expect(onward == last && onward.view == last.view, "from version \(event.version)")
        }
    }

    @Test func `what a snapshot takes does not grow with the length of the stream`() throws {
        let events = EventfulRollout.recorded(try EventfulRollout.told(releases: 60))
        var reading = RolloutReading(EventfulRollout.name)
        var sizes: [Int] = []
        for (index, event) in events.enumerated() {
            try reading.fold(event)
            guard index.isMultiple(of: 11) else { continue }
            let snapshot = RolloutSnapshot(reading)
            sizes.append(snapshot.state.utf8.count + snapshot.packed.count)
        }
        // Once there are as many revisions as are kept; what happens to them differs from one to the next.
        let (early, late) = (
            try #require(sizes[..<(sizes.count / 2)].max()), try #require(sizes[(sizes.count / 2)...].max())
        )
        #expect(Double(late) < 1.3 * Double(early), "\(early) and \(late) bytes")
    }

    @Test func `a measurement takes few bytes`() throws {
        let reading = try Self.reading(of: try Self.events.get())
        let snapshot = RolloutSnapshot(reading)
        #expect(snapshot.packed.count < 60 * reading.measurementCount + 2000)
    }

    @Test func `bytes that nobody packed are refused, whatever they are`() throws {
        let snapshot = RolloutSnapshot(try Self.reading(of: try Self.events.get()))
        for count in stride(from: 0, to: snapshot.packed.count, by: 37) {
            let short = RolloutSnapshot(state: snapshot.state, packed: Array(snapshot.packed.prefix(count)))
            #expect(throws: (any Error).self) { try short.reading() }
        }
        #expect(throws: (any Error).self) {
            try RolloutSnapshot(state: snapshot.state, packed: snapshot.packed + [0]).reading()
        }
        var numbers = SystemRandomNumberGenerator()
        for _ in 0..<100 {
            var packed = snapshot.packed
            packed[Int.random(in: packed.indices, using: &numbers)] = UInt8.random(in: 0...255, using: &numbers)
            // A value or an error, both are right, for what tells them apart is the digest: that it ends is what is asked.
            _ = try? RolloutSnapshot(state: snapshot.state, packed: packed).reading()
        }
        #expect(throws: (any Error).self) { try RolloutSnapshot(state: "{}", packed: snapshot.packed).reading() }
    }

    @Test(arguments: [0, 1, -1, 63, 64, -64, -65, 127, 128, Int.max, Int.min])
    func `whole numbers of any size come back`(number: Int) throws {
        var writer = PackedWriter()
        writer.put(number)
        writer.put(Instant(microseconds: Int64(number)))
        writer.put(Instant(microseconds: 1))
        var reader = PackedReader(writer.bytes)
        #expect(try reader.int() == number)
        #expect(try reader.instant().microseconds == Int64(number))
        #expect(try reader.instant().microseconds == 1)
        try reader.end()
    }
}
