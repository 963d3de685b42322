import EventSourcing
import Foundation
import Postgres
import Transparency

/// The rows of many rollouts' lives, as `COPY ledger.event FROM STDIN (FORMAT binary)` takes them.
///
/// All rollouts live the same tale, each at its own pace of others: they begin one after the other and go on side by
/// side, so that a stream's events lie scattered over the log as they do in a real one.
struct BenchLife: Sendable {
    /// The columns of the rows, in order.
    static let columns = """
        "position", stream_id, version, recorded_at, occurred_at, event_id, correlation, causation, type_id, actor_id,
        epoch, content_hash, data, metadata
        """
    /// Events that are recorded in one append transaction, and how far apart these are.
    static let batch = 10
    static let microsecondsBetweenBatches: Int64 = 40_000
    static let persons = 200

    /// What the ids of names are in the database.
    struct Names: Sendable {
        var streams: [Int64]
        var types: [String: Int32]
        var controller: Int32
        /// The ids of persons, in order.
        var persons: [Int32]
    }

    private struct Chapter: Sendable {
        var type: [UInt8]
        var typeID: Int32
        var isPerson: Bool
        var correlation: [UInt8]
        var isRelease: Bool
        var data: [UInt8]
        /// Where the eight digits of the rollout stand.
        var rollouts: [Int]
        /// Where numbers of a reason stand.
        var numbers: [(place: Int, digits: Int, kind: Number)]
    }

    private enum Number: Sendable { case incident, team, word }

    private struct ActorBytes: Sendable {
        var subject: [UInt8]
        var issuer: [UInt8]
        var method: [UInt8]

        init(_ actor: EventActor) {
            (subject, issuer, method) = (
                Array(actor.subject.utf8), Array(actor.issuer.utf8), Array(actor.method.rawValue.utf8)
            )
        }
    }

    private let names: Names
    private let chapters: [Chapter]
    private let metadata = Array(BenchEvents.metadata.utf8)
    private let subjects = (0..<BenchLife.persons).map { Array(BenchLife.person($0).subject.utf8) }
    private let person = ActorBytes(BenchTale.person)
    private let controller = ActorBytes(BenchTale.controller)
    private let start: Int64
    private var ids: BenchEvents
    private var parts = HashedParts()
    // Where it stands: the round, and whose turn it is in it.
    private var round = 0
    private var rollout = 0
    private(set) var position: Int64 = 0

    /// Rollouts begin at one of so many rounds.
    private static let stagger = 500
    private static let postgresEpoch: Int64 = 946_684_800_000_000

    /// - Parameter start: When the first event was recorded.
    init(_ tale: [RecordedEvent], _ names: Names, start: Instant) throws {
        self.names = names
        self.start = start.microseconds
        ids = BenchEvents(seed: 42)
        chapters = try tale.map { recorded in
            let event = recorded.event
            guard let type = names.types[event.type] else { throw BenchFailure("there is no type \(event.type)") }
            let data = Array(event.data.utf8)
            let marks: [(String, Int, Number)] = [("incident-", 5, .incident), ("team", 2, .team), ("word", 6, .word)]
            return Chapter(
                type: Array(event.type.utf8), typeID: type, isPerson: event.actor == BenchTale.person,
                correlation: Self.bytes(event.correlation),
                isRelease: event.correlation.description.hasPrefix("00000000-0000-7000-8000-"), data: data,
                rollouts: Self.places(of: "00000000-0000-7000-8000-", in: data),
                numbers: marks.flatMap { mark, digits, kind in
                    Self.places(of: mark + String(repeating: "0", count: digits), in: data)
                        .map { ($0 + mark.utf8.count, digits, kind) }
                })
        }
    }

    /// When the event at `position` was recorded.
    static func recorded(_ position: Int64, since start: Instant) -> Instant {
        Instant(microseconds: start.microseconds + (position - 1) / Int64(batch) * microsecondsBetweenBatches)
    }

    /// The next events, with header and trailer.
    mutating func next(_ count: Int) -> [UInt8] {
        var bytes = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00] + [UInt8](repeating: 0, count: 8)
        bytes.reserveCapacity(count * 900)
        var left = count
        while left > 0 {
            if rollout == names.streams.count { (round, rollout) = (round + 1, 0) }
            let at = round - rollout * 37 % Self.stagger
            if chapters.indices.contains(at) {
                write(chapters[at], version: at + 1, to: &bytes)
                left -= 1
            }
            rollout += 1
        }
        bytes += [0xFF, 0xFF]
        return bytes
    }

    private mutating func write(_ chapter: Chapter, version: Int, to bytes: inout [UInt8]) {
        position += 1
        let recordedAt =
            start + (position - 1) / Int64(Self.batch) * Self.microsecondsBetweenBatches - Self.postgresEpoch
        let occurredAt = recordedAt - 1500
        var data = chapter.data
        for place in chapter.rollouts { Self.write(hexadecimal: rollout + 1, at: place, to: &data) }
        for number in chapter.numbers {
            let value =
                switch number.kind {
                case .incident: (rollout * 31 + version) % 5000
                case .team: rollout % 40
                case .word: Int(position % 100_000)
                }
            Self.write(decimal: value, digits: number.digits, at: number.place, to: &data)
        }
        var correlation = chapter.correlation
        if chapter.isRelease {
            for index in 0..<4 { correlation[index] = UInt8(truncatingIfNeeded: (rollout + 1) >> (24 - 8 * index)) }
        }
        let index = (rollout * 7 + version) % Self.persons
        let actor = chapter.isPerson ? person : controller
        let content = EventContent<[UInt8], [UInt8]>(
            type: chapter.type, occurredAt: occurredAt + Self.postgresEpoch, correlation: correlation,
            causation: correlation, subject: chapter.isPerson ? subjects[index] : actor.subject, issuer: actor.issuer,
            method: actor.method, onBehalfOf: nil, data: data, metadata: metadata)
        let hash = content.hash(using: &parts)
        let id = Identifier(
            at: Instant(microseconds: occurredAt + Self.postgresEpoch),
            random: (UInt16(truncatingIfNeeded: ids.next()), ids.next()))
        bytes += [0, 14]
        Self.field(position, to: &bytes)
        Self.field(names.streams[rollout], to: &bytes)
        Self.field(Int64(version), to: &bytes)
        Self.field(recordedAt, to: &bytes)
        Self.field(occurredAt, to: &bytes)
        Self.field(Self.bytes(id), to: &bytes)
        Self.field(correlation, to: &bytes)
        Self.field(correlation, to: &bytes)
        Self.field(chapter.typeID, to: &bytes)
        Self.field(chapter.isPerson ? names.persons[index] : names.controller, to: &bytes)
        Self.field(Int32(1), to: &bytes)
        Self.field(hash.bytes, to: &bytes)
        Self.field(data, to: &bytes)
        Self.field(metadata, to: &bytes)
    }

    /// One of the persons who order.
    static func person(_ index: Int) -> EventActor {
        EventActor(
            subject: "person\(index)@example.com", issuer: BenchTale.person.issuer, method: BenchTale.person.method)
    }

    // MARK: - Bytes

    private static func field(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: Int32(MemoryLayout.size(ofValue: value)).bigEndian) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    private static func field(_ value: [UInt8], to bytes: inout [UInt8]) {
        withUnsafeBytes(of: Int32(value.count).bigEndian) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: value)
    }

    private static func bytes(_ id: Identifier) -> [UInt8] { withUnsafeBytes(of: id.uuid.uuid) { Array($0) } }

    private static func write(hexadecimal value: Int, at place: Int, to bytes: inout [UInt8]) {
        for index in 0..<8 {
            let digit = UInt8(value >> (28 - 4 * index) & 15)
            bytes[place + index] = digit < 10 ? 48 + digit : 87 + digit
        }
    }

    private static func write(decimal value: Int, digits: Int, at place: Int, to bytes: inout [UInt8]) {
        var rest = value
        for index in (0..<digits).reversed() {
            bytes[place + index] = UInt8(48 + rest % 10)
            rest /= 10
        }
    }

    /// Where `text` stands.
    private static func places(of text: String, in bytes: [UInt8]) -> [Int] {
        let wanted = Array(text.utf8)
        guard bytes.count >= wanted.count else { return [] }
        return (0...bytes.count - wanted.count).filter { bytes[$0..<$0 + wanted.count].elementsEqual(wanted) }
    }
}
