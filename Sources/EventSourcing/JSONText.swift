/// Looks whether text is JSON that the ledger can keep: RFC 8259, and nothing that PostgreSQL's text cannot hold.
///
/// One pass over the bytes, no value is built.
public struct JSONText {
    /// Why text was not accepted.
    public struct Problem: Error, Sendable, Equatable, CustomStringConvertible {
        /// Byte offset, from 0.
        public var offset: Int
        /// What is wrong there, and what to do.
        public var description: String
    }

    /// How deeply arrays and objects may stand in each other.
    public static let deepest = 512

    private let bytes: UnsafeBufferPointer<UInt8>
    private var at = 0
    private var depth = 0

    /// Accepts `text`, or says where and why not.
    public static func check(_ text: String) throws(Problem) {
        var text = text
        let problem = text.withUTF8 { bytes -> Problem? in
            var scan = JSONText(bytes: bytes)
            do throws(Problem) {
                try scan.value()
                scan.space()
                if scan.at != bytes.count { throw scan.problem("text goes on after the value") }
                return nil
            } catch {
                return error
            }
        }
        if let problem { throw problem }
    }

    /// Where the JSON value that begins at `start` (after white space) ends: the offset behind its last byte.
    ///
    /// - Throws: ``Problem``, with an offset into `bytes`.
    public static func end(
        ofValueIn bytes: UnsafeBufferPointer<UInt8>, from start: Int
    ) throws(Problem) -> Int {
        var scan = JSONText(bytes: bytes)
        scan.at = start
        try scan.value()
        return scan.at
    }

    private init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    private var next: UInt8? { at < bytes.count ? bytes[at] : nil }

    private func problem(_ words: String) -> Problem { Problem(offset: at, description: "\(words) (byte \(at))") }

    private mutating func space() {
        while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { at += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        at += 1
        return true
    }

    private mutating func value() throws(Problem) {
        space()
        switch next {
        case UInt8(ascii: "{"): try object()
        case UInt8(ascii: "["): try array()
        case UInt8(ascii: "\""): try string()
        case UInt8(ascii: "t"): try word("true")
        case UInt8(ascii: "f"): try word("false")
        case UInt8(ascii: "n"): try word("null")
        default: try number()
        }
    }

    private mutating func object() throws(Problem) {
        try enter()
        space()
        if !take(UInt8(ascii: "}")) {
            repeat {
                space()
                guard next == UInt8(ascii: "\"") else { throw problem("a member begins with its name in quotes") }
                try string()
                space()
                guard take(UInt8(ascii: ":")) else { throw problem("a colon stands after a member's name") }
                try value()
                space()
            } while take(UInt8(ascii: ","))
            guard take(UInt8(ascii: "}")) else { throw problem("an object ends with a brace") }
        }
        depth -= 1
    }

    private mutating func array() throws(Problem) {
        try enter()
        space()
        if !take(UInt8(ascii: "]")) {
            repeat {
                try value()
                space()
            } while take(UInt8(ascii: ","))
            guard take(UInt8(ascii: "]")) else { throw problem("an array ends with a bracket") }
        }
        depth -= 1
    }

    private mutating func enter() throws(Problem) {
        at += 1
        depth += 1
        if depth > Self.deepest { throw problem("arrays and objects stand deeper than \(Self.deepest) in each other") }
    }

    private mutating func word(_ word: StaticString) throws(Problem) {
        for index in 0..<word.utf8CodeUnitCount where !take(word.utf8Start[index]) {
            throw problem("a value is an object, an array, text in quotes, a number, true, false or null")
        }
    }

    private mutating func number() throws(Problem) {
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")), digits() == 0 {
            throw problem("a value is an object, an array, text in quotes, a number, true, false or null")
        }
        if take(UInt8(ascii: ".")), digits() == 0 { throw problem("digits stand after a decimal point") }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            if digits() == 0 { throw problem("digits stand after an exponent sign") }
        }
    }

    private mutating func digits() -> Int {
        let start = at
        while let byte = next, (0x30...0x39).contains(byte) { at += 1 }
        return at - start
    }

    private mutating func string() throws(Problem) {
        at += 1
        while let byte = next {
            at += 1
            switch byte {
            case UInt8(ascii: "\""): return
            case UInt8(ascii: "\\"): try escape()
            case 0..<0x20:
                at -= 1
                throw problem("a control character in text must be escaped")
            default: continue
            }
        }
        throw problem("text has no closing quote")
    }

    private mutating func escape() throws(Problem) {
        guard let byte = next else { throw problem("text has no closing quote") }
        at += 1
        switch byte {
        case UInt8(ascii: "u"):
            let unit = try hexadecimal()
            switch unit {
            case 0: throw problem("U+0000 cannot be kept; replace it, for example by U+FFFD")
            case 0xD800..<0xDC00:
                guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")), (0xDC00..<0xE000).contains(try hexadecimal())
                else { throw problem("a lone surrogate is no character; replace it, for example by U+FFFD") }
            case 0xDC00..<0xE000: throw problem("a lone surrogate is no character; replace it, for example by U+FFFD")
            default: return
            }
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return
        default: throw problem("an escape is one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX")
        }
    }

    private mutating func hexadecimal() throws(Problem) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(UnicodeScalar(byte)).hexDigitValue else {
                throw problem("four hexadecimal digits stand after \\u")
            }
            unit = unit << 4 | UInt16(digit)
            at += 1
        }
        return unit
    }
}
