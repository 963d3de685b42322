import EventSourcing

/// Writes values one behind the other, without names: whole numbers in as few bytes as they need, each text once, times
/// as what has passed since the one before.
///
/// For what there is much of in a snapshot, measurements above all. What was packed is read by the same build's
/// ``PackedReader`` alone: a change of order or kind is a new version of the fold.
struct PackedWriter {
    private(set) var bytes: [UInt8] = []
    private var places: [String: Int] = [:]
    private var lastInstant: Int64 = 0

    /// A whole number: seven bits to a byte, the low ones first, the sign in the lowest.
    mutating func put(_ number: Int) {
        var rest = UInt64(bitPattern: Int64(number) << 1 ^ Int64(number) >> 63)
        while rest > 0x7F {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func put(_ flag: Bool) { bytes.append(flag ? 1 : 0) }

    /// A text: the place at which it was first written, or none and the text itself.
    mutating func put(_ text: String) {
        if let place = places[text] { return put(place) }
        places[text] = places.count + 1
        put(0)
        put(text.utf8.count)
        bytes.append(contentsOf: text.utf8)
    }

    mutating func put(_ instant: Instant) {
        // Wraps as it does in reading, so that no two times are too far apart.
        put(Int(instant.microseconds &- lastInstant))
        lastInstant = instant.microseconds
    }

    mutating func put(_ word: some RawRepresentable<String>) { put(word.rawValue) }

    mutating func put<Value>(_ value: Value?, _ write: (inout PackedWriter, Value) -> Void) {
        put(value != nil)
        if let value { write(&self, value) }
    }

    mutating func put<Element>(_ elements: [Element], _ write: (inout PackedWriter, Element) -> Void) {
        put(elements.count)
        for element in elements { write(&self, element) }
    }
}

/// Reads what ``PackedWriter`` wrote, and nothing else: whatever the bytes are, it ends.
struct PackedReader {
    /// The bytes are not what was written.
    struct Damage: Error, CustomStringConvertible {
        /// From 0.
        let offset: Int
        var description: String { "it is damaged, or of another build, at byte \(offset)" }
    }

    private let bytes: [UInt8]
    private var at = 0
    private var texts: [String] = []
    private var lastInstant: Int64 = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    private var damage: Damage { Damage(offset: at) }

    private mutating func byte() throws(Damage) -> UInt8 {
        guard at < bytes.count else { throw damage }
        defer { at += 1 }
        return bytes[at]
    }

    mutating func int() throws(Damage) -> Int {
        var (value, shift): (UInt64, UInt64) = (0, 0)
        while true {
            let byte = try byte()
            guard shift < 63 || byte <= 1 else { throw damage }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return Int(Int64(bitPattern: value >> 1) ^ -Int64(value & 1)) }
            shift += 7
        }
    }

    mutating func bool() throws(Damage) -> Bool {
        switch try byte() {
        case 0: false
        case 1: true
        default: throw damage
        }
    }

    mutating func string() throws(Damage) -> String {
        let place = try int()
        if place > 0, place <= texts.count { return texts[place - 1] }
        guard place == 0 else { throw damage }
        let count = try int()
        guard count >= 0, count <= bytes.count - at,
            let text = String(validating: bytes[at..<at + count], as: UTF8.self)
        else { throw damage }
        at += count
        texts.append(text)
        return text
    }

    mutating func instant() throws(Damage) -> Instant {
        let passed = try int()
        lastInstant &+= Int64(passed)
        return Instant(microseconds: lastInstant)
    }

    mutating func word<Word: RawRepresentable<String>>() throws(Damage) -> Word {
        guard let word = Word(rawValue: try string()) else { throw damage }
        return word
    }

    mutating func optional<Value>(
        _ read: (inout PackedReader) throws(Damage) -> Value
    ) throws(Damage) -> Value? {
        try bool() ? try read(&self) : nil
    }

    mutating func list<Element>(
        _ read: (inout PackedReader) throws(Damage) -> Element
    ) throws(Damage) -> [Element] {
        let count = try int()
        // Each element takes a byte at least.
        guard count >= 0, count <= bytes.count - at else { throw damage }
        var elements: [Element] = []
        elements.reserveCapacity(count)
        for _ in 0..<count { elements.append(try read(&self)) }
        return elements
    }

    /// Nothing may follow.
    func end() throws(Damage) {
        guard at == bytes.count else { throw damage }
    }
}
