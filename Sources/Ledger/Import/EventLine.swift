internal import EventSourcing
internal import Foundation
internal import Transparency

/// One event as a line of JSON, in the form that `rollbook export` writes.
///
/// The members are those of the API's event object. `data` and `metadata` are taken byte for byte as they stand in the
/// line, because these bytes are what is hashed; where they hold line breaks they stand as text in `dataText` and
/// `metadataText` instead. `contentHash` (base64) is compared, never taken over.
struct EventLine {
    var position: Int64?
    var epoch: Int64?
    var stream = LineText.empty
    var version: Int64 = 0
    var id = UUID.zero
    var type = LineText.empty
    var occurredAt: Int64 = 0
    var recordedAt: Int64?
    var actor = LineActor()
    var causation: UUID?
    var correlation = UUID.zero
    var data = LineText.empty
    var metadata = LineText.unescaped(Array("{}".utf8))
    var contentHash: MerkleHash?

    private struct Given: OptionSet {
        let rawValue: UInt16
        static let position = Given(rawValue: 1 << 0)
        static let epoch = Given(rawValue: 1 << 1)
        static let stream = Given(rawValue: 1 << 2)
        static let version = Given(rawValue: 1 << 3)
        static let id = Given(rawValue: 1 << 4)
        static let type = Given(rawValue: 1 << 5)
        static let occurredAt = Given(rawValue: 1 << 6)
        static let recordedAt = Given(rawValue: 1 << 7)
        static let actor = Given(rawValue: 1 << 8)
        static let causation = Given(rawValue: 1 << 9)
        static let correlation = Given(rawValue: 1 << 10)
        static let data = Given(rawValue: 1 << 11)
        static let metadata = Given(rawValue: 1 << 12)
        static let contentHash = Given(rawValue: 1 << 13)

        static let needed: [(Given, String)] = [
            (.stream, "stream"), (.version, "version"), (.id, "id"), (.type, "type"), (.occurredAt, "occurredAt"),
            (.actor, "actor"), (.correlation, "correlation"), (.data, "data"),
        ]
    }

    /// Reads a line, without its line break; `clock` remembers the last day, which most lines share.
    init(_ bytes: UnsafeBufferPointer<UInt8>, _ clock: inout LineClock) throws(LineProblem) {
        try Self.checkEncoding(bytes)
        var scanner = LineScanner(bytes)
        var given: Given = []
        try scanner.members(of: "") { scanner, name throws(LineProblem) in
            let member = name.withBytes { Self.member($0) }
            guard let (field, field_) = member else {
                throw LineProblem(
                    field: name.string, problem: "an event has no such member",
                    fix: "leave it out, or import with a version that knows it")
            }
            guard given.insert(field).inserted else {
                throw LineProblem(field: field_, problem: "it stands there twice", fix: "leave one of them out")
            }
            try read(field, field_, name, &scanner, &clock)
        }
        scanner.space()
        guard scanner.isAtEnd else {
            throw LineProblem(
                field: "", value: scanner.value(from: scanner.at), problem: "the line goes on after the event",
                fix: "write one event in a line")
        }
        for (field, name) in Given.needed where !given.contains(field) {
            throw LineProblem(field: name, problem: "it is missing", fix: "write each event as `rollbook export` does")
        }
        let size = data.count + metadata.count
        guard size <= Append.largestEvent else {
            throw LineProblem(
                field: "data", problem: "data and metadata have \(size) bytes",
                fix: "at most \(Append.largestEvent) fit: keep large bodies elsewhere and name them by digest")
        }
    }

    private mutating func read(
        _ field: Given, _ name: String, _ written: LineText, _ scanner: inout LineScanner, _ clock: inout LineClock
    ) throws(LineProblem) {
        switch field {
        case .position: position = try scanner.number(name, from: 1)
        case .epoch: epoch = try scanner.number(name, from: 1)
        case .stream: stream = try scanner.text(name)
        case .version: version = try scanner.number(name, from: 1)
        case .id: id = try Self.uuid(try scanner.text(name), name)
        case .type:
            type = try Self.filled(try scanner.text(name), name)
            // As `Append.check` has it.
            guard type.withBytes({ $0.allSatisfy { $0 < 0x80 } }) else {
                throw LineProblem(field: name, value: type.string, problem: "it is not ASCII", fix: "name it in ASCII")
            }
        case .occurredAt: occurredAt = try clock.instant(try scanner.text(name), name)
        case .recordedAt: recordedAt = try clock.instant(try scanner.text(name), name)
        case .actor: actor = try LineActor(&scanner)
        case .causation:
            causation = try scanner.textOrNull(name).map { text throws(LineProblem) in
                try Self.uuid(text, name)
            }
        case .correlation: correlation = try Self.uuid(try scanner.text(name), name)
        case .data: data = try Self.payload(written, name, &scanner)
        case .metadata: metadata = try Self.payload(written, name, &scanner)
        default:
            let text = try scanner.text(name)
            guard let hash = MerkleHash(base64: text.string) else {
                throw LineProblem(
                    field: name, value: text.string, problem: "it is no base64 of 32 bytes",
                    fix: "leave it out, or mend it")
            }
            contentHash = hash
        }
    }

    /// What is hashed and stored, with the hash.
    func hash(using parts: inout HashedParts) -> MerkleHash {
        EventContent(
            type: type, occurredAt: occurredAt, correlation: LineID(correlation),
            causation: causation.map { LineID($0) },
            subject: actor.subject, issuer: actor.issuer, method: actor.method, onBehalfOf: actor.onBehalfOf,
            data: data,
            metadata: metadata
        ).hash(using: &parts)
    }

    // MARK: - Pieces

    private static let members: [(StaticString, Given, String)] = [
        ("data", .data, "data"), ("stream", .stream, "stream"), ("version", .version, "version"), ("id", .id, "id"),
        ("type", .type, "type"), ("occurredAt", .occurredAt, "occurredAt"), ("actor", .actor, "actor"),
        ("recordedAt", .recordedAt, "recordedAt"), ("correlation", .correlation, "correlation"),
        ("causation", .causation, "causation"), ("metadata", .metadata, "metadata"),
        ("position", .position, "position"), ("epoch", .epoch, "epoch"), ("contentHash", .contentHash, "contentHash"),
        ("dataText", .data, "dataText"), ("metadataText", .metadata, "metadataText"),
    ]

    private static func member(_ name: UnsafeRawBufferPointer) -> (Given, String)? {
        for (known, field, text) in members where known.isSame(as: name) { return (field, text) }
        return nil
    }

    private static func payload(
        _ written: LineText, _ name: String, _ scanner: inout LineScanner
    ) throws(LineProblem) -> LineText {
        guard name.hasSuffix("Text") else { return try scanner.anything(name) }
        let text = try scanner.text(name)
        do { try JSONText.check(text.string) } catch {
            throw LineProblem(field: name, problem: "it holds no JSON: \(error)", fix: "mend it")
        }
        return text
    }

    static func filled(_ text: LineText, _ field: String) throws(LineProblem) -> LineText {
        guard text.count > 0 else {
            throw LineProblem(field: field, value: #""""#, problem: "it is empty", fix: "give what the event had")
        }
        return text
    }

    /// Hexadecimal digits in the groups 8-4-4-4-12.
    static func uuid(_ text: LineText, _ field: String) throws(LineProblem) -> UUID {
        let read = text.withBytes { bytes -> UUID? in
            guard bytes.count == 36 else { return nil }
            var uuid = UUID.zero.uuid
            let isWhole = withUnsafeMutableBytes(of: &uuid) { uuid in
                var at = 0
                for index in 0..<16 {
                    if index == 4 || index == 6 || index == 8 || index == 10 {
                        guard bytes[at] == UInt8(ascii: "-") else { return false }
                        at += 1
                    }
                    let (high, low) = (hexadecimal(bytes[at]), hexadecimal(bytes[at + 1]))
                    guard high | low < 16 else { return false }
                    uuid[index] = high << 4 | low
                    at += 2
                }
                return true
            }
            return isWhole ? UUID(uuid: uuid) : nil
        }
        guard let read else {
            throw LineProblem(
                field: field, value: text.string, problem: "it is no UUID", fix: "write 8-4-4-4-12 digits")
        }
        return read
    }

    private static func hexadecimal(_ byte: UInt8) -> UInt8 {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: 0xFF
        }
    }

    /// Refuses what is no UTF-8.
    private static func checkEncoding(_ bytes: UnsafeBufferPointer<UInt8>) throws(LineProblem) {
        let raw = UnsafeRawBufferPointer(bytes)
        var at = 0
        while at + 8 <= raw.count, raw.loadUnaligned(fromByteOffset: at, as: UInt64.self) & 0x8080_8080_8080_8080 == 0 {
            at += 8
        }
        while at < raw.count, raw[at] < 0x80 { at += 1 }
        guard at < raw.count, String(validating: bytes, as: UTF8.self) == nil else { return }
        throw LineProblem(field: "", problem: "the line is no UTF-8", fix: "write the file in UTF-8")
    }
}

/// The actor of a line.
struct LineActor {
    var subject = LineText.empty
    var issuer = LineText.empty
    var method = LineText.empty
    var onBehalfOf: LineText?

    init() {}

    init(_ scanner: inout LineScanner) throws(LineProblem) {
        var actor = LineActor()
        try scanner.members(of: "actor") { scanner, name throws(LineProblem) in
            let name = name.string
            switch name {
            case "subject": actor.subject = try scanner.text("actor.subject")
            case "issuer": actor.issuer = try scanner.text("actor.issuer")
            case "method": actor.method = try scanner.text("actor.method")
            case "onBehalfOf": actor.onBehalfOf = try scanner.textOrNull("actor.onBehalfOf")
            default:
                throw LineProblem(
                    field: "actor.\(name)", problem: "an actor has no such member",
                    fix: "leave it out, or import with a version that knows it")
            }
        }
        _ = try EventLine.filled(actor.subject, "actor.subject")
        self = actor
    }

    /// The actor as a value.
    func value() throws(LineProblem) -> EventActor {
        guard let method = EventActor.Method(rawValue: method.string) else {
            throw LineProblem(
                field: "actor.method", value: method.string, problem: "there is no such method",
                fix: "it is one of \(EventActor.Method.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return EventActor(
            subject: subject.string, issuer: issuer.string, method: method, onBehalfOf: onBehalfOf?.string)
    }
}

/// Reads instants, and remembers the last day.
struct LineClock {
    private var day: (UInt64, UInt16) = (0, 0)
    private var start: Int64 = 0

    mutating func instant(_ text: LineText, _ field: String) throws(LineProblem) -> Int64 {
        if let quick = text.withBytes({ quick($0) }) { return quick }
        guard let instant = Instant(text.string) else {
            throw LineProblem(
                field: field, value: text.string, problem: "it is no instant",
                fix: "write RFC 3339, such as 2026-11-24T09:30:00.000000Z")
        }
        return instant.microseconds
    }

    /// The one form that `Instant` writes; nil for any other.
    private mutating func quick(_ text: UnsafeRawBufferPointer) -> Int64? {
        guard text.count == 27, text[10] == UInt8(ascii: "T"), text[13] == UInt8(ascii: ":"),
            text[16] == UInt8(ascii: ":"), text[19] == UInt8(ascii: "."), text[26] == UInt8(ascii: "Z")
        else { return nil }
        let written = (
            text.loadUnaligned(fromByteOffset: 0, as: UInt64.self),
            text.loadUnaligned(fromByteOffset: 8, as: UInt16.self)
        )
        if written != day {
            let midnight = String(decoding: UnsafeRawBufferPointer(rebasing: text[0..<11]), as: UTF8.self) + "00:00:00Z"
            guard let first = Instant(midnight) else { return nil }
            (day, start) = (written, first.microseconds)
        }
        func digits(_ range: Range<Int>) -> Int64? {
            var value: Int64 = 0
            for at in range {
                guard (0x30...0x39).contains(text[at]) else { return nil }
                value = value * 10 + Int64(text[at] - 0x30)
            }
            return value
        }
        guard let hour = digits(11..<13), let minute = digits(14..<16), let second = digits(17..<19),
            let fraction = digits(20..<26), hour < 24, minute < 60, second < 60
        else { return nil }
        return start + ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction
    }
}

/// A UUID as what is hashed: its 16 bytes.
struct LineID: HashedPart {
    private let uuid: UUID
    init(_ uuid: UUID) { self.uuid = uuid }
    func add(to parts: inout HashedParts) { withUnsafeBytes(of: uuid.uuid) { parts.add($0) } }
}

extension UUID {
    /// All bits 0.
    static let zero = UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
}

extension StaticString {
    fileprivate func isSame(as bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count == utf8CodeUnitCount
            && UnsafeRawBufferPointer(start: utf8Start, count: utf8CodeUnitCount).elementsEqual(bytes)
    }
}
