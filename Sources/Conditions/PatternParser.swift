/// A regular expression as a tree.
indirect enum PatternNode {
    case set(CharacterSet)
    case assertion(Pattern.Assertion)
    case sequence([PatternNode])
    case choice([PatternNode])
    case loop(PatternNode, min: Int, max: Int?)
}

/// Reads Go's regular expression syntax (regexp/syntax, Perl flags).
struct PatternParser {
    private let scalars: [Unicode.Scalar]
    private var position = 0
    private var depth = 0
    private var ignoresCase = false
    private var multiline = false
    private var dotAll = false

    static func parse(_ text: String) throws(Complaint) -> PatternNode {
        var parser = PatternParser(scalars: Array(text.unicodeScalars))
        let node = try parser.choice()
        if parser.peek() == ")" { throw parser.fault("unexpected )", text) }
        return node
    }

    private init(scalars: [Unicode.Scalar]) {
        self.scalars = scalars
    }

    private func peek(_ ahead: Int = 0) -> Unicode.Scalar? {
        position + ahead < scalars.count ? scalars[position + ahead] : nil
    }

    private func text(_ range: Range<Int>) -> String {
        String(String.UnicodeScalarView(scalars[range]))
    }

    private func fault(_ reason: String, _ part: String) -> Complaint {
        Complaint("error parsing regexp: \(reason): `\(part)`")
    }

    // MARK: Structure

    private mutating func choice() throws(Complaint) -> PatternNode {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 200 else { throw fault("expression nests too deeply", text(0..<scalars.count)) }
        var branches = [try sequence()]
        while peek() == "|" {
            position += 1
            branches.append(try sequence())
        }
        return branches.count == 1 ? branches[0] : .choice(branches)
    }

    private mutating func sequence() throws(Complaint) -> PatternNode {
        var parts: [PatternNode] = []
        while let scalar = peek(), scalar != "|", scalar != ")" {
            let start = position
            if let atom = try atom(scalar) {
                parts.append(try repeated(atom, from: start))
            }
        }
        return .sequence(parts)
    }

    private mutating func atom(_ scalar: Unicode.Scalar) throws(Complaint) -> PatternNode? {
        position += 1
        switch scalar {
        case "(": return try group()
        case "[": return .set(try characterClass())
        case ".": return .set(dotAll ? .everything : .everythingButNewline)
        case "^": return .assertion(multiline ? .lineStart : .textStart)
        case "$": return .assertion(multiline ? .lineEnd : .textEnd)
        case "*", "+", "?": throw fault("missing argument to repetition operator", String(scalar))
        case "\\": return try escape()
        case "{":
            position -= 1
            if let (_, _, end) = try bounds() {
                throw fault("missing argument to repetition operator", text(position..<end))
            }
            position += 1
            return literal(scalar)
        default: return literal(scalar)
        }
    }

    private func literal(_ scalar: Unicode.Scalar) -> PatternNode {
        .set(CharacterSet(ranges: [scalar.value...scalar.value], ignoresCase: ignoresCase))
    }

    private mutating func repeated(_ atom: PatternNode, from start: Int) throws(Complaint) -> PatternNode {
        var node = atom
        var previous: Int?
        while let scalar = peek() {
            let begin = position
            switch scalar {
            case "*":
                position += 1
                node = .loop(node, min: 0, max: nil)
            case "+":
                position += 1
                node = .loop(node, min: 1, max: nil)
            case "?":
                position += 1
                node = .loop(node, min: 0, max: 1)
            case "{":
                guard let (low, high, end) = try bounds() else { return node }
                position = end
                node = .loop(node, min: low, max: high)
            default: return node
            }
            // Lazy or greedy is the same to a yes-or-no question.
            if peek() == "?" { position += 1 }
            if let previous { throw fault("invalid nested repetition operator", text(previous..<position)) }
            previous = begin
        }
        return node
    }

    /// `{2}`, `{2,}`, `{2,5}` at the position, and where it ends; nil if it is a literal brace.
    private func bounds() throws(Complaint) -> (Int, Int?, Int)? {
        var index = position + 1
        func number() -> Int? {
            let start = index
            while index < scalars.count, "0"..."9" ~= scalars[index] { index += 1 }
            return start == index ? nil : Int(text(start..<index)) ?? .max
        }
        guard let low = number() else { return nil }
        var high: Int? = low
        if index < scalars.count, scalars[index] == "," {
            index += 1
            high = index < scalars.count && scalars[index] == "}" ? nil : number()
            if high == nil, index >= scalars.count || scalars[index] != "}" { return nil }
        }
        guard index < scalars.count, scalars[index] == "}" else { return nil }
        if low > 1000 || (high ?? 0) > 1000 || (high.map { $0 < low } ?? false) {
            throw fault("invalid repeat count", text(position..<(index + 1)))
        }
        return (low, high, index + 1)
    }

    private mutating func group() throws(Complaint) -> PatternNode? {
        let whole = text(0..<scalars.count)
        let flags = (ignoresCase, multiline, dotAll)
        if peek() == "?" {
            let start = position - 1
            if peek(1) == "P" && peek(2) == "<" || peek(1) == "<" && peek(2) != "=" && peek(2) != "!" {
                position += peek(1) == "P" ? 3 : 2
                let nameStart = position
                while let scalar = peek(), CharacterSet.word.contains(scalar) { position += 1 }
                guard peek() == ">", position > nameStart else {
                    throw fault("invalid named capture", text(start..<min(scalars.count, position + 1)))
                }
                position += 1
            } else if try !options(from: start) {
                return nil
            }
        }
        let inner = try choice()
        guard peek() == ")" else { throw fault("missing closing )", whole) }
        position += 1
        (ignoresCase, multiline, dotAll) = flags
        return inner
    }

    /// `(?i)` sets flags to the end of the enclosing group, `(?i:…)` for one group; true when a group follows.
    private mutating func options(from start: Int) throws(Complaint) -> Bool {
        position += 1
        var value = true
        while let scalar = peek() {
            position += 1
            switch scalar {
            case "i": ignoresCase = value
            case "m": multiline = value
            case "s": dotAll = value
            case "U": continue
            case "-" where value: value = false
            case ":": return true
            case ")": return false
            default: throw fault("invalid or unsupported Perl syntax", text(start..<position))
            }
        }
        throw fault("missing closing )", text(0..<scalars.count))
    }

    // MARK: Characters

    private mutating func escape() throws(Complaint) -> PatternNode {
        guard let scalar = peek() else { throw fault("trailing backslash at end of expression", "") }
        switch scalar {
        case "A": position += 1; return .assertion(.textStart)
        case "z": position += 1; return .assertion(.textEnd)
        case "b": position += 1; return .assertion(.wordBoundary)
        case "B": position += 1; return .assertion(.noWordBoundary)
        case "Q":
            position += 1
            var parts: [PatternNode] = []
            while let next = peek(), !(next == "\\" && peek(1) == "E") {
                parts.append(literal(next))
                position += 1
            }
            position = min(scalars.count, position + 2)
            return .sequence(parts)
        default:
            if let set = perlClass(scalar) {
                position += 1
                return .set(set)
            }
            return literal(try escapedScalar())
        }
    }

    private func perlClass(_ scalar: Unicode.Scalar) -> CharacterSet? {
        var set: CharacterSet
        switch scalar {
        case "d", "D": set = .digit
        case "s", "S": set = .space
        case "w", "W": set = .word
        default: return nil
        }
        set.isNegated = ("A"..."Z").contains(scalar)
        return set
    }

    /// The character that the escape after a backslash stands for.
    private mutating func escapedScalar() throws(Complaint) -> Unicode.Scalar {
        guard let scalar = peek() else { throw fault("trailing backslash at end of expression", "") }
        let start = position - 1
        position += 1
        switch scalar {
        case "a": return "\u{07}"
        case "f": return "\u{0c}"
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "v": return "\u{0b}"
        case "x":
            var digits = ""
            if peek() == "{" {
                position += 1
                while let next = peek(), next != "}" {
                    digits.unicodeScalars.append(next)
                    position += 1
                }
                position += 1
            } else {
                while digits.count < 2, let next = peek() {
                    digits.unicodeScalars.append(next)
                    position += 1
                }
                if digits.count < 2 { digits = "" }
            }
            if let code = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(code) { return scalar }
        case "0"..."7":
            var code = UInt32(scalar.value - 0x30)
            guard code == 0 || peek().map({ "0"..."7" ~= $0 }) ?? false else { break }
            var taken = 1
            while taken < 3, let next = peek(), "0"..."7" ~= next {
                code = code * 8 + (next.value - 0x30)
                position += 1
                taken += 1
            }
            if let scalar = Unicode.Scalar(code) { return scalar }
        case _ where scalar.value < 0x80 && !CharacterSet.word.contains(scalar): return scalar
        default: break
        }
        throw fault("invalid escape sequence", text(start..<min(position, scalars.count)))
    }

    private mutating func characterClass() throws(Complaint) -> CharacterSet {
        let start = position - 1
        var set = CharacterSet(ignoresCase: ignoresCase)
        if peek() == "^" {
            set.isNegated = true
            position += 1
        }
        var isFirst = true
        while let scalar = peek(), scalar != "]" || isFirst {
            isFirst = false
            if scalar == "[", peek(1) == ":" {
                if let named = try posixClass() {
                    set.add(named)
                    continue
                }
            }
            if scalar == "\\", let next = peek(1), let perl = perlClass(next) {
                position += 2
                set.add(perl)
                continue
            }
            let begin = position
            let low = try classScalar(start)
            var high = low
            if peek() == "-", let next = peek(1), next != "]" {
                position += 1
                high = try classScalar(start)
            }
            guard low.value <= high.value else {
                throw fault("invalid character class range", text(begin..<position))
            }
            set.ranges.append(low.value...high.value)
        }
        guard peek() == "]" else { throw fault("missing closing ]", text(start..<scalars.count)) }
        position += 1
        return set
    }

    private mutating func classScalar(_ start: Int) throws(Complaint) -> Unicode.Scalar {
        guard let scalar = peek() else { throw fault("missing closing ]", text(start..<scalars.count)) }
        position += 1
        return scalar == "\\" ? try escapedScalar() : scalar
    }

    private mutating func posixClass() throws(Complaint) -> CharacterSet? {
        var index = position + 2
        let isNegated = index < scalars.count && scalars[index] == "^"
        if isNegated { index += 1 }
        let start = index
        while index < scalars.count, scalars[index] != ":" { index += 1 }
        guard index + 1 < scalars.count, scalars[index + 1] == "]" else { return nil }
        guard var set = CharacterSet.posix[text(start..<index)] else {
            throw fault("invalid character class range", text(position..<(index + 2)))
        }
        position = index + 2
        set.isNegated = isNegated
        return set
    }
}
