/// Cuts a condition into tokens by the rules of expr-lang (`parser/lexer/state.go`, v1.17).
///
/// A lexical error does not hide a grammatical one before it: the tokens up to the error are kept,
/// and the parser meets the error when it gets there.
struct Lexer {
    let scalars: [Unicode.Scalar]
    private var start = 0
    var position = 0
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

// MARK: - Characters

extension Lexer {
    private var current: String { String(String.UnicodeScalarView(scalars[start..<position])) }

    func peek(_ ahead: Int = 0) -> Unicode.Scalar? {
        position + ahead < scalars.count ? scalars[position + ahead] : nil
    }

    mutating func advance(over _: Unicode.Scalar) { position += 1 }

    @discardableResult
    mutating func accept(_ valid: String) -> Bool {
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

    func fault(_ message: String) -> Fault {
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
