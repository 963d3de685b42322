internal import EventSourcing

/// What a plain YAML scalar stands for, as Kubernetes reads it: YAML 1.1 with booleans such as `yes`.
///
/// - Source: sigs.k8s.io/yaml, goyaml.v2/resolve.go. Dates stay text, as they do there on the way to JSON; `y` and `n` stay
///   text too, as in YAML 1.2, so that an argument may be called `n`.
enum YAMLScalar {
    /// A number or truth value that JSON has no word for, such as `.nan`.
    struct NotJSON: Error {}

    static func resolve(_ text: String) throws(NotJSON) -> JSONValue {
        if let word = words[text] { return word }
        if notNumbers.contains(text) { throw NotJSON() }
        guard let first = text.utf8.first, first == 43 || first == 45 || first == 46 || (48...57).contains(first)
        else { return .string(text) }
        let plain = text.replacing("_", with: "")
        if let number = integer(plain) { return number }
        guard isFloat(plain) else { return .string(text) }
        guard let number = Double(plain), number.isFinite else { throw NotJSON() }
        return value(of: number)
    }

    /// A number as JSON has it: without fraction where it has none.
    static func value(of number: Double) -> JSONValue {
        number.rounded() == number && abs(number) < 9_007_199_254_740_992 ? .int(Int64(number)) : .double(number)
    }

    private static let words: [String: JSONValue] = {
        var words: [String: JSONValue] = [:]
        for text in ["yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"] { words[text] = true }
        for text in ["no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"] {
            words[text] = false
        }
        for text in ["", "~", "null", "Null", "NULL"] { words[text] = .null }
        return words
    }()

    private static let notNumbers: Set<String> = [
        ".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF",
    ]

    /// A whole number in Go's notations: `0x`, `0o`, `0b`, a leading 0 for octal.
    private static func integer(_ text: String) -> JSONValue? {
        var digits = text[...]
        let isNegative = digits.hasPrefix("-")
        if isNegative || digits.hasPrefix("+") { digits.removeFirst() }
        var radix = 10
        let lowered = digits.lowercased()
        if lowered.hasPrefix("0x") || lowered.hasPrefix("0o") || lowered.hasPrefix("0b") {
            radix = lowered.hasPrefix("0x") ? 16 : lowered.hasPrefix("0o") ? 8 : 2
            digits.removeFirst(2)
        } else if digits.count > 1, digits.hasPrefix("0") {
            radix = 8
            digits.removeFirst()
        }
        guard let first = digits.first, first != "-", first != "+" else { return nil }
        if let number = Int64((isNegative ? "-" : "") + digits, radix: radix) { return .int(number) }
        if !isNegative, let number = UInt64(digits, radix: radix) { return .double(Double(number)) }
        return nil
    }

    /// Whether Go's YAML takes the text for a float: `1.`, `.5`, `1e3`, `-2.5E-1`.
    private static func isFloat(_ text: String) -> Bool {
        var bytes = Array(text.utf8)[...]
        func digits() -> Int {
            let before = bytes.count
            bytes = bytes.drop { (48...57).contains($0) }
            return before - bytes.count
        }
        if bytes.first == 43 || bytes.first == 45 { bytes.removeFirst() }
        let whole = digits()
        if bytes.first == 46 {
            bytes.removeFirst()
            if digits() == 0, whole == 0 { return false }
        } else if whole == 0 {
            return false
        }
        if bytes.first == 101 || bytes.first == 69 {
            bytes.removeFirst()
            if bytes.first == 43 || bytes.first == 45 { bytes.removeFirst() }
            if digits() == 0 { return false }
        }
        return bytes.isEmpty
    }
}
