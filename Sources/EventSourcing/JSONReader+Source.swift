import Foundation

extension JSONReader {
    /// The bytes of one JSON text, which is known to be one.
    final class Source {
        private let bytes: UnsafeBufferPointer<UInt8>
        /// Whether there was something that `JSONDecoder` may read in another way, so that what came of it does not count.
        private(set) var isOdd = false

        init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

        /// Marks the text as one for `JSONDecoder`.
        func odd() -> GivenUp {
            isOdd = true
            return GivenUp()
        }

        private func byte(_ at: Int) -> UInt8 { at < bytes.count ? bytes[at] : 0 }

        func afterSpace(_ at: Int) -> Int {
            var at = at
            while [0x20, 0x09, 0x0A, 0x0D].contains(byte(at)) { at += 1 }
            return at
        }

        // MARK: Values

        func value<Value: Decodable>(_ type: Value.Type, at: Int) throws -> Value {
            if type == JSONValue.self {
                var at = at
                if let value = try json(&at) as? Value { return value }
            }
            if type == Date.self || type == Data.self || type == URL.self || type == Decimal.self { throw odd() }
            return try Value(from: JSONReader(source: self, start: at))
        }

        func isNull(at: Int) -> Bool { byte(at) == UInt8(ascii: "n") }

        func bool(at: Int) throws -> Bool {
            switch byte(at) {
            case UInt8(ascii: "t"): true
            case UInt8(ascii: "f"): false
            default: throw GivenUp()
            }
        }

        func string(at: Int) throws -> String {
            guard byte(at) == UInt8(ascii: "\"") else { throw GivenUp() }
            let (end, isPlain) = endOfString(at)
            let inner = UnsafeBufferPointer(rebasing: bytes[at + 1..<end - 1])
            return isPlain
                ? String(decoding: inner, as: UTF8.self) : String(decoding: JSONText.unescaped(inner), as: UTF8.self)
        }

        func integer<Number: FixedWidthInteger>(at: Int) throws -> Number {
            let isNegative = byte(at) == UInt8(ascii: "-")
            var (next, value) = (isNegative ? at + 1 : at, Number.zero)
            guard isDigit(byte(next)) else { throw GivenUp() }
            while isDigit(byte(next)) {
                let digit = Number(truncatingIfNeeded: byte(next) - 0x30)
                let (tens, isTooLarge) = value.multipliedReportingOverflow(by: 10)
                let (sum, isBeyond) =
                    isNegative ? tens.subtractingReportingOverflow(digit) : tens.addingReportingOverflow(digit)
                // `JSONDecoder` may know more of numbers that do not fit, and of `1.0`.
                if isTooLarge || isBeyond { throw odd() }
                value = sum
                next += 1
            }
            if isInNumber(byte(next)) { throw odd() }
            return value
        }

        func double(at: Int) throws -> Double {
            guard byte(at) == UInt8(ascii: "-") || isDigit(byte(at)) else { throw GivenUp() }
            let text = String(decoding: bytes[at..<endOfNumber(at)], as: UTF8.self)
            guard let number = Double(text), number.isFinite else { throw odd() }
            return number
        }

        /// As `JSONValue` reads itself, in one pass however deep it is; `at` goes behind it.
        private func json(_ at: inout Int) throws -> JSONValue {
            switch byte(at) {
            case UInt8(ascii: "{"):
                var object: [String: JSONValue] = [:]
                at = afterSpace(at + 1)
                while byte(at) != UInt8(ascii: "}") {
                    let name = try string(at: at)
                    at = afterSpace(afterSpace(endOfString(at).end) + 1)
                    guard object.updateValue(try json(&at), forKey: name) == nil else { throw odd() }
                    at = afterSpace(at)
                    if byte(at) == UInt8(ascii: ",") { at = afterSpace(at + 1) }
                }
                at += 1
                return .object(object)
            case UInt8(ascii: "["):
                var elements: [JSONValue] = []
                at = afterSpace(at + 1)
                while byte(at) != UInt8(ascii: "]") {
                    elements.append(try json(&at))
                    at = afterSpace(at)
                    if byte(at) == UInt8(ascii: ",") { at = afterSpace(at + 1) }
                }
                at += 1
                return .array(elements)
            default:
                let start = at
                at = end(of: at)
                return try scalar(start..<at)
            }
        }

        private func scalar(_ place: Range<Int>) throws -> JSONValue {
            switch byte(place.lowerBound) {
            case UInt8(ascii: "\""): return .string(try string(at: place.lowerBound))
            case UInt8(ascii: "n"): return .null
            case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool(try bool(at: place.lowerBound))
            default:
                if bytes[place].allSatisfy({ isDigit($0) || $0 == UInt8(ascii: "-") }) {
                    return .int(try integer(at: place.lowerBound))
                }
                let number = try double(at: place.lowerBound)
                // `1.0` and `1e3` are whole numbers to some and not to others.
                guard Int64(exactly: number) == nil else { throw odd() }
                return .double(number)
            }
        }

        // MARK: Structure

        /// The members of the object at `start`.
        func members(at start: Int) throws -> Members {
            guard byte(start) == UInt8(ascii: "{") else { throw GivenUp() }
            let members = Members(self)
            var at = afterSpace(start + 1)
            while byte(at) != UInt8(ascii: "}") {
                let (end, isPlain) = endOfString(at)
                let value = afterSpace(afterSpace(end) + 1)
                members.all.append(Members.Member(name: at + 1..<end - 1, isPlain: isPlain, value: value))
                at = afterSpace(self.end(of: value))
                if byte(at) == UInt8(ascii: ",") { at = afterSpace(at + 1) }
            }
            if members.repeats { throw odd() }
            return members
        }

        /// Where the first element of the list at `start` is; `nil` if it is empty.
        func firstElement(_ start: Int) -> Int? {
            let at = afterSpace(start + 1)
            return byte(at) == UInt8(ascii: "]") ? nil : at
        }

        /// Where the element after the one at `place` is; `nil` after the last.
        func element(after place: Int) -> Int? {
            let at = afterSpace(end(of: place))
            return byte(at) == UInt8(ascii: ",") ? afterSpace(at + 1) : nil
        }

        func isList(at: Int) -> Bool { byte(at) == UInt8(ascii: "[") }

        func name(_ range: Range<Int>) -> UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(rebasing: bytes[range]) }

        /// Where the value at `start` has its end.
        private func end(of start: Int) -> Int {
            switch byte(start) {
            case UInt8(ascii: "\""): return endOfString(start).end
            case UInt8(ascii: "t"), UInt8(ascii: "n"): return start + 4
            case UInt8(ascii: "f"): return start + 5
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                var (at, depth) = (start, 0)
                repeat {
                    switch bytes[at] {
                    case UInt8(ascii: "\""):
                        at = endOfString(at).end
                        continue
                    case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
                    case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
                    default: break
                    }
                    at += 1
                } while depth > 0
                return at
            default: return endOfNumber(start)
            }
        }

        private func endOfString(_ start: Int) -> (end: Int, isPlain: Bool) {
            var (at, isPlain) = (start + 1, true)
            while bytes[at] != UInt8(ascii: "\"") {
                if bytes[at] == UInt8(ascii: "\\") {
                    isPlain = false
                    at += 1
                }
                at += 1
            }
            return (at + 1, isPlain)
        }

        private func endOfNumber(_ start: Int) -> Int {
            var at = start
            while isInNumber(byte(at)) { at += 1 }
            return at
        }

        private func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

        private func isInNumber(_ byte: UInt8) -> Bool {
            isDigit(byte) || byte == UInt8(ascii: ".") || byte | 0x20 == UInt8(ascii: "e") || byte == UInt8(ascii: "+")
                || byte == UInt8(ascii: "-")
        }
    }

    /// The members of one object, found but not read.
    final class Members {
        struct Member {
            /// The name's bytes, without the quotes.
            let name: Range<Int>
            /// Whether the name stands there as it is, without escapes.
            let isPlain: Bool
            let value: Int
        }

        private let source: Source
        fileprivate(set) var all: [Member] = []
        /// Members are often asked for in the order in which they stand.
        private var guess = 0

        init(_ source: Source) { self.source = source }

        func name(_ member: Member) -> String {
            let bytes = source.name(member.name)
            return String(decoding: member.isPlain ? Array(bytes) : JSONText.unescaped(bytes), as: UTF8.self)
        }

        /// Where the value of that name is.
        func place(of name: String) -> Int? {
            var name = name
            return name.withUTF8 { wanted in
                for offset in all.indices {
                    let index = (guess + offset) % all.count
                    if isNamed(all[index], wanted) {
                        guess = index + 1
                        return all[index].value
                    }
                }
                return nil
            }
        }

        private func isNamed(_ member: Member, _ wanted: UnsafeBufferPointer<UInt8>) -> Bool {
            if member.isPlain {
                guard member.name.count == wanted.count else { return false }
                guard let mine = source.name(member.name).baseAddress, let others = wanted.baseAddress else {
                    return true
                }
                return memcmp(mine, others, wanted.count) == 0
            }
            return Array(name(member).utf8).elementsEqual(wanted)
        }

        /// Whether a name stands more than once; canonical JSON has them in order.
        fileprivate var repeats: Bool {
            let isAscending = zip(all, all.dropFirst()).allSatisfy { first, second in
                first.isPlain && second.isPlain
                    && source.name(first.name).lexicographicallyPrecedes(source.name(second.name))
            }
            return !isAscending && Set(all.map(name)).count < all.count
        }
    }
}
