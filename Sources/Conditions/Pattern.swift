/// A regular expression in Go's syntax (RE2), for `matches` and for rules that name metrics by pattern.
///
/// Unanchored and case-sensitive, like Go's `regexp.MatchString`; it runs in time linear in the text, whatever the
/// pattern. Groups, classes, Perl and POSIX classes, repetition, anchors and the flags `i`, `m`, `s`, `U` are there;
/// Unicode classes (`\p{…}`) are refused with an error.
///
/// - Source: Go, regexp/syntax; Pike's simulation as in Russ Cox, "Regular Expression Matching: the Virtual Machine
///   Approach".
public struct Pattern: Sendable {
    /// The pattern's text.
    public let text: String
    private let program: [Instruction]

    enum Instruction: Sendable {
        case set(CharacterSet)
        case split(Int, Int)
        case jump(Int)
        case assert(Assertion)
        case match
    }

    enum Assertion: Sendable {
        case textStart, textEnd, lineStart, lineEnd, wordBoundary, noWordBoundary
    }

    /// Compiles a pattern.
    ///
    /// - Throws: With Go's text, e.g. ``error parsing regexp: missing closing ): `(` ``.
    public init(_ text: String) throws(PatternError) {
        do throws(Complaint) {
            var compiler = PatternCompiler()
            program = try compiler.compile(try PatternParser.parse(text))
            self.text = text
        } catch {
            throw PatternError(message: error.message)
        }
    }

    /// Whether the pattern matches anywhere in `subject`.
    public func matches(_ subject: String) -> Bool {
        let scalars = Array(subject.unicodeScalars)
        var current: [Int] = []
        var seen = [Int](repeating: -1, count: program.count)
        for position in 0...scalars.count {
            // A match may begin at any position.
            if follow(0, position, scalars, &seen, &current) { return true }
            guard position < scalars.count else { return false }
            var next: [Int] = []
            for index in current {
                guard case .set(let set) = program[index], set.contains(scalars[position]) else { continue }
                if follow(index + 1, position + 1, scalars, &seen, &next) { return true }
            }
            current = next
        }
        return false
    }

    /// Adds the states that `start` reaches without reading; true when one of them is the match.
    private func follow(
        _ start: Int, _ position: Int, _ scalars: [Unicode.Scalar], _ seen: inout [Int], _ states: inout [Int]
    ) -> Bool {
        var pending = [start]
        while let index = pending.popLast() {
            if seen[index] == position { continue }
            seen[index] = position
            switch program[index] {
            case .match: return true
            case .set: states.append(index)
            case .jump(let target): pending.append(target)
            case .split(let first, let second):
                pending.append(second)
                pending.append(first)
            case .assert(let assertion):
                if Pattern.holds(assertion, position, scalars) { pending.append(index + 1) }
            }
        }
        return false
    }

    private static func holds(_ assertion: Assertion, _ position: Int, _ scalars: [Unicode.Scalar]) -> Bool {
        let before = position > 0 ? scalars[position - 1] : nil
        let after = position < scalars.count ? scalars[position] : nil
        func isWord(_ scalar: Unicode.Scalar?) -> Bool { scalar.map(CharacterSet.word.contains) ?? false }
        switch assertion {
        case .textStart: return before == nil
        case .textEnd: return after == nil
        case .lineStart: return before == nil || before == "\n"
        case .lineEnd: return after == nil || after == "\n"
        case .wordBoundary: return isWord(before) != isWord(after)
        case .noWordBoundary: return isWord(before) == isWord(after)
        }
    }
}

/// Why a text is no regular expression.
public struct PatternError: Error, Equatable, Sendable {
    /// The reason in Go's words.
    public let message: String

    /// An error with this reason.
    public init(message: String) {
        self.message = message
    }
}

/// A set of characters, as ranges.
struct CharacterSet: Sendable {
    var ranges: [ClosedRange<UInt32>] = []
    var isNegated = false
    var ignoresCase = false

    func contains(_ scalar: Unicode.Scalar) -> Bool {
        holds(scalar) != isNegated
    }

    private func holds(_ scalar: Unicode.Scalar) -> Bool {
        if includes(scalar) { return true }
        guard ignoresCase else { return false }
        let properties = scalar.properties
        return [properties.lowercaseMapping, properties.uppercaseMapping].contains { mapping in
            let folded = mapping.unicodeScalars
            return folded.count == 1 && folded.first.map(includes) ?? false
        }
    }

    private func includes(_ scalar: Unicode.Scalar) -> Bool {
        ranges.contains { $0.contains(scalar.value) }
    }

    /// Adds what `other` contains; a negated `other` as its complement.
    mutating func add(_ other: CharacterSet) {
        ranges += other.isNegated ? CharacterSet.complement(of: other.ranges) : other.ranges
    }

    private static func complement(of ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
        var out: [ClosedRange<UInt32>] = []
        var next: UInt32 = 0
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if range.lowerBound > next { out.append(next...(range.lowerBound - 1)) }
            next = max(next, range.upperBound + 1)
        }
        if next <= 0x10FFFF { out.append(next...0x10FFFF) }
        return out
    }

    static func of(_ scalars: (Unicode.Scalar, Unicode.Scalar)..., negated: Bool = false) -> CharacterSet {
        CharacterSet(ranges: scalars.map { $0.0.value...$0.1.value }, isNegated: negated)
    }

    static let digit = of(("0", "9"))
    static let word = of(("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z"))
    static let space = of(("\t", "\n"), ("\u{0c}", "\r"), (" ", " "))
    static let everything = CharacterSet(isNegated: true)
    static let everythingButNewline = of(("\n", "\n"), negated: true)

    /// `[:name:]` inside a class.
    static let posix: [String: CharacterSet] = [
        "alnum": of(("0", "9"), ("A", "Z"), ("a", "z")), "alpha": of(("A", "Z"), ("a", "z")),
        "ascii": of(("\u{00}", "\u{7f}")), "blank": of(("\t", "\t"), (" ", " ")),
        "cntrl": of(("\u{00}", "\u{1f}"), ("\u{7f}", "\u{7f}")), "digit": digit, "graph": of(("!", "~")),
        "lower": of(("a", "z")), "print": of((" ", "~")), "punct": of(("!", "/"), (":", "@"), ("[", "`"), ("{", "~")),
        "space": of(("\t", "\r"), (" ", " ")), "upper": of(("A", "Z")), "word": word,
        "xdigit": of(("0", "9"), ("A", "F"), ("a", "f")),
    ]
}
