/// A word of a condition.
struct Token: Equatable {
    enum Kind: String {
        case identifier = "Identifier"
        case number = "Number"
        case string = "String"
        case op = "Operator"
        case bracket = "Bracket"
        case end = "EOF"
    }

    let kind: Kind
    let text: String
    /// Where it starts, in Unicode scalars from 0.
    let offset: Int

    func isOperator(_ text: String) -> Bool { kind == .op && self.text == text }

    func isBracket(_ text: String) -> Bool { kind == .bracket && self.text == text }

    /// As expr-lang shows a token in `unexpected token …`.
    var shown: String {
        text.isEmpty ? kind.rawValue : "\(kind.rawValue)(\(quoted(text)))"
    }
}

/// `text` in double quotes with the escapes of Go and JSON that both know.
func quoted(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": out += "\\\""
        case "\\": out += "\\\\"
        case "\n": out += "\\n"
        case "\r": out += "\\r"
        case "\t": out += "\\t"
        case _ where scalar.value < 0x20 || scalar.value == 0x7f:
            let digits = String(scalar.value, radix: 16)
            out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: out.unicodeScalars.append(scalar)
        }
    }
    return out + "\""
}
