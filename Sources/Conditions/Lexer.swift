/// Cuts a condition into tokens by the rules of expr-lang (`parser/lexer/state.go`, v1.17).
///
/// A lexical error does not hide a grammatical one before it: the tokens up to the error are kept,
/// and the parser meets the error when it gets there.
struct Lexer {
    private let scalars: [Unicode.Scalar]
    private var start = 0
    private var position = 0
    private var tokens: [Token] = []

    init(_ source: String) {
        scalars = Array(source.unicodeScalars)
    }

    /// The tokens before the first error (the last one is `end` when there is none), and that error.
    static func scan(_ source: String) -> (tokens: [Token], error: Fault?) {
        var lexer = Lexer(source)
        do throws(Fault) {
            try lexer.run()
            return (lexer.tokens, nil)
        } catch {
            return (lexer.tokens, error)
        }
    }

    private mutating func run() throws(Fault) {
        while let scalar = peek() {
            start = position
            try token(startingWith: scalar)
        }
        tokens.append(Token(kind: .end, text: "", offset: scalars.count))
    }

    private mutating func token(startingWith scalar: Unicode.Scalar) throws(Fault) {
        switch scalar {
        case _ where scalar.properties.isWhitespace:
            position += 1
        case "'", "\"":
            position += 1
            emit(.string, try text(until: scalar))
        case "`":
            position += 1
            emit(.string, try rawText())
        case "b" where peek(1) == "'" || peek(1) == "\"", "B" where peek(1) == "'" || peek(1) == "\"":
            throw fault("byte strings are not supported here: remove the b before the quote")
        case "0"..."9":
            try number()
        case "?":
            position += 1
            accept(".?")
            emit(.op)
        case "/":
            try slash()
        case "#":
            pointer()
        case "|", ":":
            position += 1
            accept(scalar == "|" ? "|" : ":")
            emit(.op)
        case "(", "[", "{", ")", "]", "}":
            position += 1
            emit(.bracket)
        case ",", ";", "%", "+", "-", "^":
            position += 1
            emit(.op)
        case "&", "!", "=", "*", "<", ">":
            position += 1
            accept("&=*")
            emit(.op)
        case ".":
            try dot()
        case _ where isWordPart(scalar):
            word()
        default:
            throw fault("unrecognized character: \(codePoint(scalar))")
        }
    }

    private mutating func number() throws(Fault) {
        var digits = "0123456789_"
        if accept("0") {
            if accept("xX") {
                digits = "0123456789abcdefABCDEF_"
            } else if accept("oO") {
                digits = "01234567_"
            } else if accept("bB") {
                digits = "01_"
            }
        }
        acceptRun(digits)
        // `1..2` is a range, not a number with a dot.
        if peek() == ".", peek(1) != "." {
            position += 1
            acceptRun(digits)
        } else if peek() == "." {
            return emit(.number)
        }
        if accept("eE") {
            accept("+-")
            acceptRun(digits)
        }
        if let next = peek(), isWordPart(next) {
            position += 1
            throw fault("bad number syntax: \(quoted(current))")
        }
        emit(.number)
    }

    private mutating func dot() throws(Fault) {
        if let next = peek(1), "0"..."9" ~= next { return try number() }
        position += 1
        accept(".")
        emit(.op)
    }

    private mutating func slash() throws(Fault) {
        position += 1
        if accept("/") {
            while let scalar = peek(), scalar != "\n" { advance(over: scalar) }
        } else if accept("*") {
            while !(peek() == "*" && peek(1) == "/") {
                guard peek() != nil else { throw fault("unclosed comment") }
                position += 1
            }
            position += 2
        } else {
            emit(.op)
        }
    }

    private mutating func pointer() {
        position += 1
        accept("#")
        emit(.op)
        start = position
        while let next = peek(), isWordPart(next) { position += 1 }
        if position > start { emit(.identifier) }
    }

    private mutating func word() {
        while let next = peek(), isWordPart(next) { position += 1 }
        switch current {
        case "not", "in", "or", "and", "matches", "contains", "startsWith", "endsWith", "let", "if", "else":
            emit(.op)
        default:
            emit(.identifier)
        }
    }
}

// MARK: - Strings

extension Lexer {
    private mutating func rawText() throws(Fault) -> String {
        var text = String.UnicodeScalarView()
        while let scalar = peek() {
            position += 1
            if scalar == "`" {
                guard peek() == "`" else { return String(text) }
                position += 1
            }
            text.append(scalar)
        }
        throw fault("literal not terminated")
    }

    private mutating func text(until quote: Unicode.Scalar) throws(Fault) -> String {
        var text = String.UnicodeScalarView()
        var bytes: [UInt8] = []
        // `\xHH` and `\OOO` are bytes; a run of them is decoded as UTF-8 once it ends.
        func flush() {
            guard !bytes.isEmpty else { return }
            text.append(contentsOf: String(decoding: bytes, as: UTF8.self).unicodeScalars)
            bytes.removeAll()
        }
        while let scalar = peek(), scalar != "\n" {
            position += 1
            if scalar == quote {
                flush()
                return String(text)
            }
            guard scalar == "\\" else {
                flush()
                text.append(scalar)
                continue
            }
            switch try escape(in: quote) {
            case .byte(let byte): bytes.append(byte)
            case .scalar(let scalar):
                flush()
                text.append(scalar)
            }
        }
        throw fault("literal not terminated")
    }

    private enum Escape {
        case scalar(Unicode.Scalar)
        case byte(UInt8)
    }

    private mutating func escape(in quote: Unicode.Scalar) throws(Fault) -> Escape {
        guard let scalar = peek() else { throw fault("literal not terminated") }
        position += 1
        switch scalar {
        case "a": return .scalar("\u{07}")
        case "b": return .scalar("\u{08}")
        case "f": return .scalar("\u{0c}")
        case "n": return .scalar("\n")
        case "r": return .scalar("\r")
        case "t": return .scalar("\t")
        case "v": return .scalar("\u{0b}")
        case "\\", quote: return .scalar(scalar)
        case "0"..."7":
            position -= 1
            return try byte(digits: 3, radix: 8)
        case "x": return try byte(digits: 2, radix: 16)
        case "U": return try scalarEscape(digits: 8)
        case "u":
            guard accept("{") else { return try scalarEscape(digits: 4) }
            let begin = position
            while let next = peek(), next != "}" { advance(over: next) }
            let digits = String(String.UnicodeScalarView(scalars[begin..<position]))
            guard accept("}"), (1...6).contains(digits.count), let code = UInt32(digits, radix: 16),
                let scalar = Unicode.Scalar(code)
            else { throw fault("invalid char escape") }
            return .scalar(scalar)
        default: throw fault("invalid char escape")
        }
    }

    private mutating func byte(digits: Int, radix: Int) throws(Fault) -> Escape {
        guard let byte = UInt8(exactly: try code(digits: digits, radix: radix)) else {
            throw fault("invalid char escape")
        }
        return .byte(byte)
    }

    private mutating func scalarEscape(digits: Int) throws(Fault) -> Escape {
        guard let scalar = Unicode.Scalar(try code(digits: digits, radix: 16)) else {
            throw fault("invalid char escape")
        }
        return .scalar(scalar)
    }

    private mutating func code(digits: Int, radix: Int) throws(Fault) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<digits {
            guard let scalar = peek(), scalar.isASCII, let digit = Character(scalar).hexDigitValue, digit < radix else {
                throw fault("invalid char escape")
            }
            code = code &* UInt32(radix) &+ UInt32(digit)
            position += 1
        }
        return code
    }
}

// MARK: - Characters

extension Lexer {
    private var current: String { String(String.UnicodeScalarView(scalars[start..<position])) }

    private func peek(_ ahead: Int = 0) -> Unicode.Scalar? {
        position + ahead < scalars.count ? scalars[position + ahead] : nil
    }

    private mutating func advance(over _: Unicode.Scalar) { position += 1 }

    @discardableResult
    private mutating func accept(_ valid: String) -> Bool {
        guard let scalar = peek(), valid.unicodeScalars.contains(scalar) else { return false }
        position += 1
        return true
    }

    private mutating func acceptRun(_ valid: String) {
        while accept(valid) {}
    }

    private mutating func emit(_ kind: Token.Kind, _ text: String? = nil) {
        tokens.append(Token(kind: kind, text: text ?? current, offset: start))
        start = position
    }

    private func fault(_ message: String) -> Fault {
        Fault(message: message, offset: max(0, position - (peek() == nil ? 1 : 0)))
    }

    private func codePoint(_ scalar: Unicode.Scalar) -> String {
        let digits = String(scalar.value, radix: 16, uppercase: true)
        return "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits + " '\(scalar)'"
    }
}

/// Whether a scalar may stand in an identifier (`parser/utils`: letters, digits, `_`, `$`).
func isWordPart(_ scalar: Unicode.Scalar) -> Bool {
    if scalar == "_" || scalar == "$" { return true }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber:
        return true
    default: return false
    }
}
