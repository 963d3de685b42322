/// Builds the tree of a condition by precedence climbing, after expr-lang's `parser/parser.go` (v1.17).
///
/// Operators and predicates live here; literals, calls and access chains in `Parser+Primary.swift`.
struct Parser {
    /// An expression may nest this deep; expr-lang has no such limit, but a condition that comes near it is a mistake.
    static let maximumDepth = 300
    /// expr-lang's limit on the nodes of one expression (`conf.DefaultMaxNodes`).
    static let maximumNodes = 10_000

    private let tokens: [Token]
    private let lexicalError: Fault?
    private var index = 0
    private var nodes = 0
    private var nesting = 0
    /// How many predicates we are in; `#` means something only there.
    var predicateDepth = 0

    static func parse(_ source: String) throws(Fault) -> Node {
        let (tokens, error) = Lexer.scan(source)
        var parser = Parser(tokens: tokens, lexicalError: error)
        _ = try parser.current()
        let node = try parser.sequence()
        let rest = try parser.current()
        guard rest.kind == .end else { throw parser.unexpected(rest) }
        return node
    }

    private init(tokens: [Token], lexicalError: Fault?) {
        self.tokens = tokens
        self.lexicalError = lexicalError
    }

    // MARK: Tokens

    func current() throws(Fault) -> Token {
        if index < tokens.count { return tokens[index] }
        if let lexicalError { throw lexicalError }
        return Token(kind: .end, text: "", offset: tokens.last?.offset ?? 0)
    }

    func following() -> Token? {
        index + 1 < tokens.count ? tokens[index + 1] : nil
    }

    mutating func advance() throws(Fault) {
        index += 1
        _ = try current()
    }

    func unexpected(_ token: Token) -> Fault {
        Fault(message: "unexpected token \(token.shown)", offset: token.offset)
    }

    mutating func expect(_ kind: Token.Kind, _ text: String? = nil) throws(Fault) {
        let token = try current()
        guard token.kind == kind, text == nil || token.text == text else { throw unexpected(token) }
        if index < tokens.count - 1 || lexicalError != nil { try advance() }
    }

    mutating func node(_ form: Node.Form, at offset: Int, over children: Node...) throws(Fault) -> Node {
        try node(form, at: offset, over: children)
    }

    mutating func node(_ form: Node.Form, at offset: Int, over children: [Node]) throws(Fault) -> Node {
        nodes += 1
        guard nodes <= Parser.maximumNodes else {
            throw Fault(message: "compilation failed: expression exceeds maximum allowed nodes", offset: offset)
        }
        let depth = 1 + (children.map(\.depth).max() ?? 0)
        guard depth <= Parser.maximumDepth else { throw tooDeep(at: offset) }
        return Node(form: form, offset: offset, depth: depth)
    }

    private func tooDeep(at offset: Int) -> Fault {
        Fault(message: "expression is nested deeper than \(Parser.maximumDepth) levels", offset: offset)
    }

    // MARK: Expressions

    mutating func sequence() throws(Fault) -> Node {
        var parts = [try expression(0)]
        while try current().isOperator(";") {
            try advance()
            if try current().kind == .end { break }
            parts.append(try expression(0))
        }
        return parts.count == 1 ? parts[0] : try node(.sequence(parts), at: parts[0].offset, over: parts)
    }

    mutating func expression(_ precedence: Int) throws(Fault) -> Node {
        nesting += 1
        defer { nesting -= 1 }
        let first = try current()
        guard nesting <= Parser.maximumDepth else { throw tooDeep(at: first.offset) }
        if precedence == 0, first.isOperator("let") { return try declaration() }
        if precedence == 0, first.isOperator("if") { return try conditionalBlock() }

        var left = try primary()
        left = try operators(after: left, precedence)
        return precedence == 0 ? try ternary(after: left) : left
    }

    private mutating func operators(after first: Node, _ precedence: Int) throws(Fault) -> Node {
        var left = first
        var previous = ""
        while true {
            var token = try current()
            guard token.kind == .op else { return left }
            var negation: Token?
            if token.text == "not" {
                guard let suffix = following(), suffix.kind == .op, Operators.isNegatable(suffix.text) else {
                    try advance()
                    throw unexpected(try current())
                }
                guard let entry = Operators.binary[suffix.text], entry.precedence >= precedence else { return left }
                negation = token
                try advance()
                token = suffix
            }
            guard let entry = Operators.binary[token.text], entry.precedence >= precedence else { return left }
            try advance()
            if token.text == "|" {
                let name = try current()
                try expect(.identifier)
                left = try call(name, piping: [left])
            } else if previous == "??", token.text != "??" {
                throw Fault(
                    message: "Operator (\(token.text)) and coalesce expressions (??) cannot be mixed. "
                        + "Wrap either by parentheses.",
                    offset: token.offset)
            } else if Operators.isComparison(token.text) {
                left = try comparison(left, token, entry.precedence)
            } else {
                let right = try expression(entry.rightAssociative ? entry.precedence : entry.precedence + 1)
                left = try node(.binary(token.text, left, right), at: token.offset, over: left, right)
                if let negation {
                    left = try node(.unary("not", left), at: negation.offset, over: left)
                }
            }
            previous = token.text
        }
    }

    /// A chain of comparisons is their conjunction: `1 < result < 10`.
    private mutating func comparison(_ first: Node, _ operatorToken: Token, _ precedence: Int) throws(Fault) -> Node {
        var left = first
        var token = operatorToken
        var root: Node?
        while true {
            let right = try expression(precedence + 1)
            let link = try node(.binary(token.text, left, right), at: token.offset, over: left, right)
            if let all = root {
                root = try node(.binary("&&", all, link), at: token.offset, over: all, link)
            } else {
                root = link
            }
            left = right
            token = try current()
            guard token.kind == .op, Operators.isComparison(token.text) else { return root ?? link }
            try advance()
        }
    }

    private mutating func declaration() throws(Fault) -> Node {
        try expect(.op, "let")
        let name = try current()
        try expect(.identifier)
        try expect(.op, "=")
        let value = try expression(0)
        try expect(.op, ";")
        let rest = try sequence()
        return try node(.declare(name.text, value, in: rest), at: name.offset, over: value, rest)
    }

    private mutating func conditionalBlock() throws(Fault) -> Node {
        let offset = try current().offset
        nesting += 1
        defer { nesting -= 1 }
        guard nesting <= Parser.maximumDepth else { throw tooDeep(at: offset) }
        try expect(.op, "if")
        let condition = try expression(0)
        try expect(.bracket, "{")
        let then = try sequence()
        try expect(.bracket, "}")
        try expect(.op, "else")
        let otherwise: Node
        if try current().isOperator("if") {
            otherwise = try conditionalBlock()
        } else {
            try expect(.bracket, "{")
            otherwise = try sequence()
            try expect(.bracket, "}")
        }
        return try node(
            .conditional(condition, then, otherwise), at: offset, over: condition, then, otherwise)
    }

    private mutating func ternary(after first: Node) throws(Fault) -> Node {
        var condition = first
        while try current().isOperator("?") {
            let offset = try current().offset
            try advance()
            let then: Node
            if try current().isOperator(":") {
                try advance()
                then = condition
            } else {
                then = try expression(0)
                try expect(.op, ":")
            }
            let otherwise = try expression(0)
            condition = try node(
                .conditional(condition, then, otherwise), at: offset, over: condition, then, otherwise)
        }
        return condition
    }
}
