extension Parser {
    /// The predicates, with how many arguments may follow the list: `all(list, predicate)`.
    static let predicates: [String: (atLeast: Int, atMost: Int)] = [
        "all": (2, 2), "none": (2, 2), "any": (2, 2), "one": (2, 2), "filter": (2, 2), "map": (2, 2),
        "count": (1, 2), "sum": (1, 2), "find": (2, 2), "findIndex": (2, 2), "findLast": (2, 2),
        "findLastIndex": (2, 2), "sortBy": (2, 3), "reduce": (2, 3), "groupBy": (2, 2),
    ]

    mutating func primary() throws(Fault) -> Node {
        let token = try current()
        if token.kind == .op, let precedence = Operators.unary[token.text] {
            try advance()
            let operand = try expression(precedence)
            return try postfix(node(.unary(token.text, operand), at: token.offset, over: operand))
        }
        if token.isBracket("(") {
            try advance()
            let inner = try sequence()
            try expect(.bracket, ")")
            return try postfix(inner)
        }
        if predicateDepth > 0, token.isOperator("#") || token.isOperator(".") {
            var name = ""
            if token.text == "#" {
                try advance()
                // `#index` is one word; `# in x` is two.
                let next = try current()
                if next.kind == .identifier, next.offset == token.offset + 1 {
                    name = next.text
                    try advance()
                }
            }
            return try postfix(node(.pointer(name), at: token.offset))
        }
        if token.isOperator("::") {
            try advance()
            let name = try current()
            try expect(.identifier)
            return try postfix(call(name, piping: []))
        }
        return try secondary(token)
    }

    private mutating func secondary(_ token: Token) throws(Fault) -> Node {
        switch token.kind {
        case .identifier:
            try advance()
            switch token.text {
            case "true": return try node(.bool(true), at: token.offset)
            case "false": return try node(.bool(false), at: token.offset)
            case "nil": return try node(.null, at: token.offset)
            default:
                if try current().isBracket("(") { return try postfix(call(token, piping: [])) }
                return try postfix(node(.identifier(token.text), at: token.offset))
            }
        case .number:
            let literal = try number(token)
            try advance()
            return try node(literal, at: token.offset)
        case .string:
            try advance()
            return try postfix(node(.string(token.text), at: token.offset))
        case .bracket where token.text == "[": return try postfix(array())
        case .bracket where token.text == "{": return try postfix(map())
        default: throw unexpected(token)
        }
    }

    private func number(_ token: Token) throws(Fault) -> Node.Form {
        let text = token.text.filter { $0 != "_" }
        let lower = text.lowercased()
        func fault(_ kind: String, _ function: String, _ reason: String) -> Fault {
            Fault(
                message: "invalid \(kind) literal: strconv.\(function): parsing \(quoted(text)): \(reason)",
                offset: token.offset)
        }
        for (prefix, radix, kind) in [("0x", 16, "hex"), ("0b", 2, "binary"), ("0o", 8, "octal")]
        where lower.hasPrefix(prefix) {
            let digits = lower.dropFirst(2)
            if let value = Int64(digits, radix: radix) { return .int(value) }
            let wellFormed = !digits.isEmpty && digits.allSatisfy { ($0.hexDigitValue ?? 99) < radix }
            throw fault(kind, "ParseInt", wellFormed ? "value out of range" : "invalid syntax")
        }
        if lower.contains(where: { $0 == "." || $0 == "e" }) {
            guard let value = Double(lower) else { throw fault("float", "ParseFloat", "invalid syntax") }
            guard value.isFinite else { throw fault("float", "ParseFloat", "value out of range") }
            return .float(value)
        }
        guard let value = Int64(text) else { throw fault("integer", "ParseInt", "value out of range") }
        return .int(value)
    }

    // MARK: Calls

    mutating func call(_ name: Token, piping first: [Node]) throws(Fault) -> Node {
        guard let shape = Parser.predicates[name.text] else {
            let arguments = try self.arguments(first)
            return try node(.call(name.text, arguments), at: name.offset, over: arguments)
        }
        var arguments = first
        try expect(.bracket, "(")
        while arguments.count < shape.atMost {
            if try current().isBracket(")") {
                guard arguments.count < shape.atLeast else { break }
                throw Fault(
                    message: "expected at least \(shape.atLeast) arguments", offset: try current().offset)
            }
            if arguments.count > first.count { try expect(.op, ",") }
            if arguments.count >= shape.atLeast, try current().isBracket(")") { break }
            arguments.append(arguments.count == 1 ? try predicate() : try expression(0))
        }
        if try current().isOperator(",") { try advance() }
        try expect(.bracket, ")")
        return try node(.predicate(name.text, arguments), at: name.offset, over: arguments)
    }

    private mutating func arguments(_ first: [Node] = []) throws(Fault) -> [Node] {
        var arguments = first
        try expect(.bracket, "(")
        while try !current().isBracket(")") {
            if arguments.count > first.count { try expect(.op, ",") }
            if try current().isBracket(")") { break }
            arguments.append(try expression(0))
        }
        try expect(.bracket, ")")
        return arguments
    }

    private mutating func predicate() throws(Fault) -> Node {
        predicateDepth += 1
        defer { predicateDepth -= 1 }
        if try current().isBracket("{") {
            try advance()
            let body = try sequence()
            try expect(.bracket, "}")
            return body
        }
        let body = try expression(0)
        let next = try current()
        if next.isOperator(";") {
            throw Fault(message: "wrap predicate with brackets { and }", offset: next.offset)
        }
        return body
    }

    // MARK: Collections

    private mutating func array() throws(Fault) -> Node {
        let offset = try current().offset
        var elements: [Node] = []
        try expect(.bracket, "[")
        while try !current().isBracket("]") {
            if !elements.isEmpty { try expect(.op, ",") }
            if try current().isBracket("]") { break }
            elements.append(try expression(0))
        }
        try expect(.bracket, "]")
        return try node(.array(elements), at: offset, over: elements)
    }

    private mutating func map() throws(Fault) -> Node {
        let offset = try current().offset
        var pairs: [(key: Node, value: Node)] = []
        try expect(.bracket, "{")
        while try !current().isBracket("}") {
            if !pairs.isEmpty { try expect(.op, ",") }
            let token = try current()
            if token.isBracket("}") { break }
            let key: Node
            switch token.kind {
            case .number, .string, .identifier:
                key = try node(.string(token.text), at: token.offset)
                try advance()
            case .bracket where token.text == "(":
                key = try expression(0)
            default:
                throw Fault(
                    message: "a map key must be a quoted string, a number, a identifier, or an expression enclosed "
                        + "in parentheses (unexpected token \(token.shown))",
                    offset: token.offset)
            }
            try expect(.op, ":")
            pairs.append((key, try expression(0)))
        }
        try expect(.bracket, "}")
        return try node(.map(pairs), at: offset, over: pairs.flatMap { [$0.key, $0.value] })
    }

    // MARK: Access chains

    mutating func postfix(_ first: Node) throws(Fault) -> Node {
        var base = first
        while true {
            let token = try current()
            if token.isOperator(".") || token.isOperator("?.") {
                let optional = token.text == "?."
                try advance()
                if optional, try current().isBracket("[") {
                    base = try indexed(base, optional: true)
                } else {
                    base = try member(of: base, optional: optional)
                }
            } else if token.isBracket("[") {
                base = try indexed(base, optional: false)
            } else {
                return base
            }
        }
    }

    private mutating func member(of chained: Node, optional: Bool) throws(Fault) -> Node {
        let name = try current()
        let isName = name.kind == .identifier || (name.kind == .op && name.text.unicodeScalars.allSatisfy(isWordPart))
        guard isName else { throw Fault(message: "expected name", offset: name.offset) }
        try advance()
        var base = chained
        var isChain = optional
        if case .chain(let inner) = chained.form {
            base = inner
            isChain = true
        }
        let property = try node(.string(name.text), at: name.offset)
        var result = try node(
            .member(base, property, optional: optional), at: name.offset, over: base, property)
        if try current().isBracket("(") {
            let arguments = try self.arguments()
            result = try node(
                .invoke(result, name.text, arguments), at: name.offset, over: [result] + arguments)
        }
        return isChain ? try node(.chain(result), at: name.offset, over: result) : result
    }

    private mutating func indexed(_ base: Node, optional: Bool) throws(Fault) -> Node {
        let offset = try current().offset
        try expect(.bracket, "[")
        var from: Node?
        if try !current().isOperator(":") { from = try expression(0) }
        guard try current().isOperator(":") else {
            try expect(.bracket, "]")
            // The loop body above only leaves `from` empty in front of a colon.
            guard let index = from else { throw unexpected(try current()) }
            let result = try node(.member(base, index, optional: optional), at: offset, over: base, index)
            return optional ? try node(.chain(result), at: offset, over: result) : result
        }
        try advance()
        var to: Node?
        if try !current().isBracket("]") { to = try expression(0) }
        try expect(.bracket, "]")
        return try node(
            .slice(base, from: from, to: to), at: offset, over: [base, from, to].compactMap { $0 })
    }
}
