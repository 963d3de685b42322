/// Reads the JSON that payloads are written in, byte by byte, and gives up on whatever it does not expect.
///
/// A short cut for folds that look at millions of events and need few of their fields: who gives up is read by
/// `Codable`, which has the last word. So this never decides that a payload is wrong, and a field that it does not know
/// of costs time, not truth.
struct PayloadScanner {
    /// The payload is not as expected; `Codable` is to read it.
    struct GivenUp: Error {}

    /// The name of a member, as it stands in the payload.
    struct Key {
        fileprivate let bytes: UnsafeRawBufferPointer

        static func ~= (name: StaticString, key: Key) -> Bool {
            guard key.bytes.count == name.utf8CodeUnitCount, let start = key.bytes.baseAddress else { return false }
            let wanted = UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
            return UnsafeRawBufferPointer(start: start, count: wanted.count).elementsEqual(wanted)
        }
    }

    private let bytes: UnsafeRawBufferPointer
    private var at = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    private var next: UInt8 { at < bytes.count ? bytes[at] : 0 }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte, at < bytes.count else { return false }
        at += 1
        return true
    }

    private mutating func expect(_ byte: UInt8) throws(GivenUp) {
        guard take(byte) else { throw GivenUp() }
    }

    /// Gives each member of the object that comes next to `body`, which must read its value.
    @inline(__always)
    mutating func members(_ body: (inout PayloadScanner, Key) throws(GivenUp) -> Void) throws(GivenUp) {
        try expect(UInt8(ascii: "{"))
        if take(UInt8(ascii: "}")) { return }
        repeat {
            let key = Key(bytes: try plainString())
            try expect(UInt8(ascii: ":"))
            try body(&self, key)
        } while take(UInt8(ascii: ","))
        try expect(UInt8(ascii: "}"))
    }

    /// Gives each element of the list that comes next to `body`, which must read it.
    @inline(__always)
    mutating func elements(_ body: (inout PayloadScanner) throws(GivenUp) -> Void) throws(GivenUp) {
        try expect(UInt8(ascii: "["))
        if take(UInt8(ascii: "]")) { return }
        repeat { try body(&self) } while take(UInt8(ascii: ","))
        try expect(UInt8(ascii: "]"))
    }

    /// Nothing may follow.
    func end() throws(GivenUp) {
        guard at == bytes.count else { throw GivenUp() }
    }

    /// A whole number.
    mutating func int() throws(GivenUp) -> Int {
        let isNegative = take(UInt8(ascii: "-"))
        let start = at
        var value = 0
        // Eighteen digits always fit; more, a fraction or an exponent are read by others.
        while (0x30...0x39).contains(next), at - start < 18 {
            value = value * 10 + Int(next - 0x30)
            at += 1
        }
        guard at > start, !(0x30...0x39).contains(next), next != UInt8(ascii: "."), next | 0x20 != UInt8(ascii: "e")
        else {
            throw GivenUp()
        }
        return isNegative ? -value : value
    }

    /// `true` or `false`.
    mutating func bool() throws(GivenUp) -> Bool {
        if literal("true") { return true }
        guard literal("false") else { throw GivenUp() }
        return false
    }

    /// Text.
    mutating func string() throws(GivenUp) -> String {
        let start = at
        try expect(UInt8(ascii: "\""))
        while at < bytes.count {
            switch bytes[at] {
            case UInt8(ascii: "\""):
                let text = UnsafeRawBufferPointer(rebasing: bytes[start + 1..<at])
                at += 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                at = start
                return try escapedString()
            default: at += 1
            }
        }
        throw GivenUp()
    }

    /// Text that is one word of a closed list.
    mutating func word<Word: RawRepresentable<String>>(_ type: Word.Type = Word.self) throws(GivenUp) -> Word {
        guard let word = Word(rawValue: try string()) else { throw GivenUp() }
        return word
    }

    /// An object of texts, such as images by container.
    mutating func texts() throws(GivenUp) -> [String: String] {
        var texts: [String: String] = [:]
        try members { scanner, key throws(GivenUp) in
            texts[String(decoding: key.bytes, as: UTF8.self)] = try scanner.string()
        }
        return texts
    }

    /// Passes over any value.
    mutating func skip() throws(GivenUp) {
        var depth = 0
        repeat {
            guard at < bytes.count else { throw GivenUp() }
            switch bytes[at] {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                at += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                guard depth > 0 else { throw GivenUp() }
                depth -= 1
                at += 1
            case UInt8(ascii: "\""): try skipString()
            case UInt8(ascii: ","), UInt8(ascii: ":"):
                guard depth > 0 else { throw GivenUp() }
                at += 1
            case UInt8(ascii: "t"), UInt8(ascii: "f"):
                _ = try bool()
            case UInt8(ascii: "n"):
                guard literal("null") else { throw GivenUp() }
            case UInt8(ascii: "-"), 0x30...0x39:
                at += 1
                while at < bytes.count, isInNumber(bytes[at]) { at += 1 }
            default: throw GivenUp()
            }
        } while depth > 0
    }

    private func isInNumber(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || byte == UInt8(ascii: ".") || byte | 0x20 == UInt8(ascii: "e")
            || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
    }

    private mutating func literal(_ word: StaticString) -> Bool {
        guard at + word.utf8CodeUnitCount <= bytes.count else { return false }
        for index in 0..<word.utf8CodeUnitCount where bytes[at + index] != word.utf8Start[index] { return false }
        at += word.utf8CodeUnitCount
        return true
    }

    private mutating func plainString() throws(GivenUp) -> UnsafeRawBufferPointer {
        try expect(UInt8(ascii: "\""))
        let start = at
        while at < bytes.count {
            let byte = bytes[at]
            if byte == UInt8(ascii: "\"") {
                at += 1
                return UnsafeRawBufferPointer(rebasing: bytes[start..<at - 1])
            }
            guard byte != UInt8(ascii: "\\") else { throw GivenUp() }
            at += 1
        }
        throw GivenUp()
    }

    private mutating func skipString() throws(GivenUp) {
        at += 1
        while at < bytes.count {
            switch bytes[at] {
            case UInt8(ascii: "\""):
                at += 1
                return
            case UInt8(ascii: "\\"): at += 2
            default: at += 1
            }
        }
        throw GivenUp()
    }

    private mutating func escapedString() throws(GivenUp) -> String {
        var text: [UInt8] = []
        at += 1
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                switch next {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(next)
                case UInt8(ascii: "n"): text.append(0x0A)
                case UInt8(ascii: "t"): text.append(0x09)
                case UInt8(ascii: "r"): text.append(0x0D)
                default: throw GivenUp()
                }
                at += 1
            default: text.append(byte)
            }
        }
        throw GivenUp()
    }
}
