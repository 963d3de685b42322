internal import EventSourcing
internal import Transparency

/// Text of a line: its bytes where they stand, or, where those held escapes, what they stand for.
///
/// Good as long as the line's memory is.
enum LineText: HashedPart {
    case inPlace(UnsafeRawBufferPointer)
    case unescaped([UInt8])

    static var empty: LineText { .unescaped([]) }

    var count: Int {
        switch self {
        case .inPlace(let bytes): bytes.count
        case .unescaped(let bytes): bytes.count
        }
    }

    var string: String { withBytes { String(decoding: $0, as: UTF8.self) } }

    func withBytes<Value>(_ body: (UnsafeRawBufferPointer) throws -> Value) rethrows -> Value {
        switch self {
        case .inPlace(let bytes): try body(bytes)
        case .unescaped(let bytes): try bytes.withUnsafeBytes(body)
        }
    }

    func add(to parts: inout HashedParts) { withBytes { parts.add($0) } }
}

/// Reads the JSON of one line, byte by byte, and says what is wrong where it is.
struct LineScanner {
    let bytes: UnsafeBufferPointer<UInt8>
    private(set) var at = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    private var next: UInt8 { at < bytes.count ? bytes[at] : 0 }
    var isAtEnd: Bool { at >= bytes.count }

    mutating func space() {
        while next == 0x20 || next == 0x09 || next == 0x0D || next == 0x0A, at < bytes.count { at += 1 }
    }

    mutating func take(_ byte: UInt8) -> Bool {
        guard at < bytes.count, bytes[at] == byte else { return false }
        at += 1
        return true
    }

    /// Gives the name of each member of the object that comes next to `body`, which must read its value.
    mutating func members(
        of object: String, _ body: (inout LineScanner, LineText) throws(LineProblem) -> Void
    ) throws(LineProblem) {
        space()
        guard take(UInt8(ascii: "{")) else {
            throw LineProblem(field: object, problem: "an object was expected", fix: "write {…}")
        }
        space()
        if take(UInt8(ascii: "}")) { return }
        repeat {
            space()
            let name = try text(object)
            space()
            guard take(UInt8(ascii: ":")) else {
                throw LineProblem(
                    field: object, problem: "no colon stands after a member's name (byte \(at))",
                    fix: "write valid JSON")
            }
            space()
            try body(&self, name)
            space()
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else {
            throw LineProblem(
                field: object, problem: "the object does not end (byte \(at))",
                fix: "write each event whole, in one line")
        }
    }

    /// Text in quotes.
    mutating func text(_ field: String) throws(LineProblem) -> LineText {
        let start = at
        guard next == UInt8(ascii: "\"") else {
            throw LineProblem(
                field: field, value: value(from: start), problem: "text was expected", fix: "put it in quotes")
        }
        let end = try end(of: field)
        at = end
        let inner = UnsafeBufferPointer(rebasing: bytes[start + 1..<end - 1])
        guard inner.contains(UInt8(ascii: "\\")) else { return .inPlace(UnsafeRawBufferPointer(inner)) }
        return .unescaped(JSONText.unescaped(inner))
    }

    /// Text in quotes, or nothing for `null`.
    mutating func textOrNull(_ field: String) throws(LineProblem) -> LineText? {
        if next == UInt8(ascii: "n") {
            at = try end(of: field)
            return nil
        }
        return try text(field)
    }

    /// Any value, as it stands.
    mutating func anything(_ field: String) throws(LineProblem) -> LineText {
        let start = at
        at = try end(of: field)
        return .inPlace(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[start..<at])))
    }

    /// A whole number from `least` on.
    mutating func number(_ field: String, from least: Int64) throws(LineProblem) -> Int64 {
        let start = at
        var value: Int64 = 0
        while (0x30...0x39).contains(next), at - start < 18 {
            value = value * 10 + Int64(next - 0x30)
            at += 1
        }
        let isWhole = at > start && !(0x30...0x39).contains(next) && next != UInt8(ascii: ".") && next | 0x20 != 0x65
        guard isWhole, value >= least else {
            throw LineProblem(
                field: field, value: self.value(from: start), problem: "it is no whole number from \(least) on",
                fix: "give the number that the event had")
        }
        return value
    }

    /// What stands at a place, for a message: up to the end of the value, or of the line.
    func value(from start: Int) -> String {
        let end: Int
        do { end = try JSONText.end(ofValueIn: bytes, from: start) } catch { end = min(bytes.count, start + 40) }
        return String(decoding: UnsafeBufferPointer(rebasing: bytes[min(start, end)..<end]), as: UTF8.self)
    }

    private func end(of field: String) throws(LineProblem) -> Int {
        do { return try JSONText.end(ofValueIn: bytes, from: at) } catch {
            throw LineProblem(
                field: field, problem: "it is no JSON: \(error)", fix: "write each event as `rollbook export` does")
        }
    }
}
