internal import EventSourcing

/// `{{args.name}}` in the texts of a metric.
///
/// - Source: Argo Rollouts, utils/template/template.go `ResolveQuotedArgs`: one pass, a value is not looked through again.
enum ArgumentTags {
    /// Why a metric's tags cannot be replaced, in Argo's words.
    struct Unresolved: Error, Equatable {
        let message: String
    }

    /// The metric with every tag replaced.
    static func replace(in metric: JSONValue, with values: [String: String]) throws(Unresolved) -> JSONValue {
        var failure: Unresolved?
        let replaced = map(metric) { tag, isClosed in
            guard isClosed, let name = name(of: tag), let value = values[name] else {
                failure = Unresolved(message: "failed to resolve {{\(tag)\(isClosed ? "}}" : "")")
                return nil
            }
            if let escape = unknownEscape(in: value) {
                failure = Unresolved(message: "invalid character '\(escape)' in string escape code")
            }
            return value
        }
        if let failure { throw failure }
        return replaced
    }

    /// The metric with the tags replaced for which there are values; others stay.
    static func replaceKnown(in metric: JSONValue, with values: [String: String]) -> JSONValue {
        map(metric) { tag, isClosed in isClosed ? name(of: tag).flatMap { values[$0] } : nil }
    }

    /// The names of the arguments that the metric mentions, sorted.
    static func names(in metric: JSONValue) -> [String] {
        var names: Set<String> = []
        _ = map(metric) { tag, _ in
            if let name = name(of: tag) { names.insert(name) }
            return nil
        }
        return names.sorted()
    }

    private static func name(of tag: Substring) -> String? {
        let trimmed = tag.trimmingPrefix(while: \.isWhitespace)
        guard trimmed.hasPrefix("args.") else { return nil }
        var name = trimmed.dropFirst(5)
        while name.last?.isWhitespace == true { name.removeLast() }
        return String(name)
    }

    /// Argo looks through the metric in the order of its fields, and the last failure is the one that it tells.
    private static let order = [
        "name", "interval", "initialDelay", "count", "successCondition", "failureCondition", "failureLimit",
        "inconclusiveLimit", "consecutiveErrorLimit", "provider", "consecutiveSuccessLimit",
    ]

    private static func map(_ value: JSONValue, _ replace: (Substring, _ isClosed: Bool) -> String?) -> JSONValue {
        switch value {
        case .string(let text): return .string(map(text, replace))
        case .array(let elements): return .array(elements.map { map($0, replace) })
        case .object(let members):
            func rank(_ key: String) -> (Int, String) { (order.firstIndex(of: key) ?? order.count, key) }
            var mapped: [String: JSONValue] = [:]
            for key in members.keys.sorted(by: { rank($0) < rank($1) }) {
                mapped[key] = members[key].map { map($0, replace) }
            }
            return .object(mapped)
        case .null, .bool, .int, .double: return value
        }
    }

    private static func map(_ text: String, _ replace: (Substring, Bool) -> String?) -> String {
        guard text.contains("{{") else { return text }
        var result = ""
        var rest = text[...]
        while let open = rest.firstRange(of: "{{") {
            result += rest[..<open.lowerBound]
            let tail = rest[open.upperBound...]
            if let close = tail.firstRange(of: "}}") {
                let tag = tail[..<close.lowerBound]
                result += replace(tag, true) ?? "{{\(tag)}}"
                rest = tail[close.upperBound...]
            } else {
                result += replace(tail, false) ?? "{{\(tail)"
                rest = ""
            }
        }
        return result + rest
    }

    /// The letter of the first escape of Go's `strconv.Quote` that JSON does not know.
    private static func unknownEscape(in value: String) -> Character? {
        for scalar in value.unicodeScalars {
            switch scalar.value {
            case 0x07: return "a"
            case 0x0B: return "v"
            case 0x08, 0x09, 0x0A, 0x0C, 0x0D: continue
            case 0..<0x20, 0x7F: return "x"
            case 0x10000...:
                switch scalar.properties.generalCategory {
                case .control, .format, .unassigned, .privateUse, .surrogate: return "U"
                default: continue
                }
            default: continue
            }
        }
        return nil
    }
}
