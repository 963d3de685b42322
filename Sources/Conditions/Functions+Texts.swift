extension Functions {
    static let texts: [String: Function] = [
        "string": Function(
            check: signature("string", [.any], .string),
            apply: { (arguments, _) throws(Complaint) in .string(arguments[0].goText) }),
        "type": Function(
            check: signature("type", [.any], .string),
            apply: { (arguments, _) throws(Complaint) in .string(typeWord(arguments[0])) }),
        "upper": text("upper") { .string($0.uppercased()) },
        "lower": text("lower") { .string($0.lowercased()) },
        "trim": text("trim", [.string], optional: 1, .string) { (text, rest) throws(Complaint) in
            if rest.isEmpty { return .string(trim(text) { $0.properties.isWhitespace }) }
            let cut = try Arithmetic.text(rest[0]).unicodeScalars
            return .string(trim(text) { cut.contains($0) })
        },
        "trimPrefix": text("trimPrefix", [.string], optional: 1, .string) { (text, rest) throws(Complaint) in
            let prefix = rest.isEmpty ? " " : try Arithmetic.text(rest[0])
            guard text.utf8.starts(with: prefix.utf8) else { return .string(text) }
            return .string(String(decoding: text.utf8.dropFirst(prefix.utf8.count), as: UTF8.self))
        },
        "trimSuffix": text("trimSuffix", [.string], optional: 1, .string) { (text, rest) throws(Complaint) in
            let suffix = rest.isEmpty ? " " : try Arithmetic.text(rest[0])
            guard text.utf8.reversed().starts(with: suffix.utf8.reversed()) else { return .string(text) }
            return .string(String(decoding: text.utf8.dropLast(suffix.utf8.count), as: UTF8.self))
        },
        "hasPrefix": text("hasPrefix", [.string], .bool) { (text, rest) throws(Complaint) in
            .bool(text.utf8.starts(with: try Arithmetic.text(rest[0]).utf8))
        },
        "hasSuffix": text("hasSuffix", [.string], .bool) { (text, rest) throws(Complaint) in
            .bool(text.utf8.reversed().starts(with: try Arithmetic.text(rest[0]).utf8.reversed()))
        },
        "indexOf": text("indexOf", [.string], .int) { (text, rest) throws(Complaint) in
            .int(Int64(TextSearch.first(of: try Arithmetic.text(rest[0]), in: text) ?? -1))
        },
        "lastIndexOf": text("lastIndexOf", [.string], .int) { (text, rest) throws(Complaint) in
            .int(Int64(TextSearch.all(of: try Arithmetic.text(rest[0]), in: text, overlapping: true).last ?? -1))
        },
        "split": text("split", [.string, .int], optional: 1, .array(.string, typed: true)) {
            (text, rest) throws(Complaint) in
            let limit = rest.count > 1 ? try Arithmetic.integer(rest[1]) : -1
            return .array(TextSearch.split(text, by: try Arithmetic.text(rest[0]), limit: limit, keeping: false))
        },
        "splitAfter": text("splitAfter", [.string, .int], optional: 1, .array(.string, typed: true)) {
            (text, rest) throws(Complaint) in
            let limit = rest.count > 1 ? try Arithmetic.integer(rest[1]) : -1
            return .array(TextSearch.split(text, by: try Arithmetic.text(rest[0]), limit: limit, keeping: true))
        },
        "replace": text("replace", [.string, .string, .int], optional: 1, .string) { (text, rest) throws(Complaint) in
            let limit = rest.count > 2 ? try Arithmetic.integer(rest[2]) : -1
            let new = try Arithmetic.text(rest[1])
            return .string(TextSearch.replace(try Arithmetic.text(rest[0]), by: new, in: text, limit: limit))
        },
        "repeat": text("repeat", [.int], .string) { (text, rest) throws(Complaint) in
            let count = try Arithmetic.integer(rest[0])
            guard count >= 0 else {
                throw Complaint("invalid argument for repeat (expected positive integer, got \(count))")
            }
            guard count <= 1_000_000, Int(count) * text.utf8.count <= Evaluator.memoryBudget else {
                throw Complaint("memory budget exceeded")
            }
            return .string(String(repeating: text, count: Int(count)))
        },
        "join": Function(
            check: signature("join", [.array, .string], optional: 1, .string),
            apply: { (arguments, _) throws(Complaint) in
                guard case .array(let elements) = arguments[0] else {
                    throw Complaint("invalid argument for join (type \(arguments[0].typeName))")
                }
                var parts: [String] = []
                for element in elements { parts.append(try Arithmetic.text(element)) }
                return .string(parts.joined(separator: arguments.count > 1 ? try Arithmetic.text(arguments[1]) : ""))
            }),
    ]

    private static func text(_ name: String, _ apply: @escaping @Sendable (String) -> Value) -> Function {
        text(name, [], .string) { (text, _) throws(Complaint) in apply(text) }
    }

    /// A function whose first parameter is a text; `apply` gets the further arguments.
    private static func text(
        _ name: String, _ parameters: [Parameter], optional: Int = 0, _ result: Nature,
        _ apply: @escaping @Sendable (String, [Value]) throws(Complaint) -> Value
    ) -> Function {
        Function(
            check: signature(name, [.string] + parameters, optional: optional, result),
            apply: { (arguments, _) throws(Complaint) in
                try apply(try Arithmetic.text(arguments[0]), Array(arguments.dropFirst()))
            })
    }

    private static func typeWord(_ value: Value) -> String {
        switch value {
        case .null: "nil"
        case .bool: "bool"
        case .int: "int"
        case .double: "float"
        case .string: "string"
        case .array: "array"
        case .map: "map"
        }
    }

    private static func trim(_ text: String, _ isCut: (Unicode.Scalar) -> Bool) -> String {
        let head = text.unicodeScalars.drop(while: isCut)
        let tail = head.reversed().drop(while: isCut)
        return String(String.UnicodeScalarView(tail.reversed()))
    }
}

/// Search in text by its UTF-8 bytes, as Go's `strings` package does.
enum TextSearch {
    static func first(of needle: String, in text: String) -> Int? {
        all(of: needle, in: text, overlapping: true, limit: 1).first
    }

    /// The byte offsets at which `needle` stands in `text`, in order.
    static func all(of needle: String, in text: String, overlapping: Bool, limit: Int = .max) -> [Int] {
        let bytes = Array(text.utf8)
        let wanted = Array(needle.utf8)
        guard wanted.count <= bytes.count else { return [] }
        var found: [Int] = []
        var index = 0
        while index <= bytes.count - wanted.count, found.count < limit {
            if bytes[index..<(index + wanted.count)].elementsEqual(wanted) {
                found.append(index)
                index += overlapping ? 1 : max(1, wanted.count)
            } else {
                index += 1
            }
        }
        return found
    }

    /// Go's `SplitN` and `SplitAfterN`: at most `limit` parts, all when negative, none when 0.
    static func split(_ text: String, by separator: String, limit: Int64, keeping: Bool) -> [Value] {
        if limit == 0 { return [] }
        let most = limit < 0 ? Int.max : Int(limit)
        if separator.isEmpty {
            let scalars = Array(text.unicodeScalars)
            let singles = scalars.prefix(scalars.count > most ? most - 1 : scalars.count)
            let rest = String(String.UnicodeScalarView(scalars.dropFirst(singles.count)))
            return singles.map { .string(String($0)) } + (rest.isEmpty ? [] : [.string(rest)])
        }
        let bytes = Array(text.utf8)
        let width = separator.utf8.count
        var parts: [Value] = []
        var start = 0
        for cut in all(of: separator, in: text, overlapping: false, limit: most - 1) {
            parts.append(.string(String(decoding: bytes[start..<(keeping ? cut + width : cut)], as: UTF8.self)))
            start = cut + width
        }
        return parts + [.string(String(decoding: bytes[start...], as: UTF8.self))]
    }

    /// Go's `Replace`; an empty `old` matches before each character and at the end.
    static func replace(_ old: String, by new: String, in text: String, limit: Int64) -> String {
        let most = limit < 0 ? Int.max : Int(limit)
        guard old.isEmpty else {
            let parts = split(text, by: old, limit: most == .max ? -1 : Int64(most) + 1, keeping: false)
            return parts.compactMap { if case .string(let part) = $0 { part } else { nil } }.joined(separator: new)
        }
        var out = ""
        var done = 0
        for scalar in text.unicodeScalars {
            if done < most { out += new }
            done += 1
            out.unicodeScalars.append(scalar)
        }
        return done < most ? out + new : out
    }
}
