extension Functions {
    static let lists: [String: Function] = [
        "len": Function(
            check: { (natures) throws(Complaint) in
                try exactly(1, natures)
                let nature = natures[0]
                guard nature.isArray || nature == .map || nature == .string || nature == .unknown else {
                    throw Complaint("invalid argument for len (type \(nature == .null ? "<nil>" : nature.name))")
                }
                return .int
            },
            apply: { (arguments, _) throws(Complaint) in
                switch arguments[0] {
                case .array(let elements): return .int(Int64(elements.count))
                case .map(let members): return .int(Int64(members.count))
                case .string(let text): return .int(Int64(text.unicodeScalars.count))
                default: throw Complaint("invalid argument for len (type \(arguments[0].typeName))")
                }
            }),
        "first": end("first", .int(0)),
        "last": end("last", .int(-1)),
        "get": Function(
            check: { (natures) throws(Complaint) in
                try exactly(2, natures)
                switch natures[0] {
                case .unknown: return .unknown
                case .map:
                    guard natures[1] == .string || natures[1] == .unknown else {
                        throw Complaint("cannot use \(natures[1].name) to get an element from \(natures[0].name)")
                    }
                    return .unknown
                case .array(let element, _):
                    guard natures[1] == .int || natures[1] == .unknown else {
                        throw Complaint("non-integer slice index \(natures[1].name)")
                    }
                    return element
                default: throw Complaint("type \(natures[0].name) does not support indexing")
                }
            },
            apply: { (arguments, _) throws(Complaint) in
                switch arguments[0] {
                case .array, .string: _ = try Arithmetic.integer(arguments[1])
                case .map: break
                default: return .null
                }
                do throws(Complaint) {
                    return try Arithmetic.fetch(arguments[0], arguments[1])
                } catch {
                    // What is missing is nil here; that is what `get` is for.
                    return .null
                }
            }),
        "take": list("take from", also: [.int]) { (elements, rest) throws(Complaint) in
            let count = try Arithmetic.integer(rest[0])
            guard count >= 0 else { throw Complaint("reflect.Value.Slice: slice index out of bounds") }
            return .array(Array(elements.prefix(Int(clamping: count))))
        },
        "reverse": list("reverse") { (elements, _) in .array(elements.reversed()) },
        "uniq": list("uniq") { (elements, _) in
            var unique: [Value] = []
            for element in elements where !unique.contains(where: { Arithmetic.equal(element, $0) }) {
                unique.append(element)
            }
            return .array(unique)
        },
        "flatten": list("flatten") { (elements, _) in .array(flattened(elements)) },
        "concat": Function(
            check: { (natures) throws(Complaint) in
                guard !natures.isEmpty else {
                    throw Complaint("invalid number of arguments (expected at least 1, got 0)")
                }
                for nature in natures where !nature.isArray && nature != .unknown {
                    throw Complaint("cannot concat \(nature.name)")
                }
                return .list
            },
            apply: { (arguments, _) throws(Complaint) in
                var all: [Value] = []
                for argument in arguments { all += try elements(of: argument, "concat") }
                return .array(all)
            }),
        "sort": Function(
            check: signature("sort", [.array, .string], optional: 1, .list),
            apply: { (arguments, _) throws(Complaint) in
                let all = try elements(of: arguments[0], "sort")
                return .array(
                    try Sorting.order(all, arguments.count > 1 ? arguments[1] : .string("asc")).map { all[$0] })
            }),
        "keys": members("get keys from") { .string($0.key) },
        "values": members("get values from") { $0.value },
    ]

    private static func elements(of value: Value, _ verb: String) throws(Complaint) -> [Value] {
        guard case .array(let elements) = value else { throw Complaint("cannot \(verb) \(value.typeName)") }
        return elements
    }

    private static func flattened(_ elements: [Value]) -> [Value] {
        elements.flatMap { element -> [Value] in
            if case .array(let inner) = element { flattened(inner) } else { [element] }
        }
    }

    /// The element at an end of a list; nil when there is none.
    private static func end(_ name: String, _ index: Value) -> Function {
        Function(
            check: { (natures) throws(Complaint) in
                try exactly(1, natures)
                guard natures[0].isArray || natures[0] == .unknown else {
                    throw Complaint("cannot get \(name) element from \(natures[0].name)")
                }
                return natures[0].element
            },
            apply: { (arguments, _) throws(Complaint) in
                do throws(Complaint) {
                    return try Arithmetic.fetch(arguments[0], index)
                } catch {
                    // expr-lang recovers from every failed fetch here.
                    return .null
                }
            })
    }

    private static func list(
        _ verb: String, also rest: [Parameter] = [],
        _ apply: @escaping @Sendable ([Value], [Value]) throws(Complaint) -> Value
    ) -> Function {
        Function(
            check: { (natures) throws(Complaint) in
                try exactly(1 + rest.count, natures)
                guard natures[0].isArray || natures[0] == .unknown else {
                    throw Complaint("cannot \(verb) \(natures[0].name)")
                }
                for (nature, parameter) in zip(natures.dropFirst(), rest)
                where nature != .unknown && !parameter.takes(nature) {
                    throw Complaint("cannot take \(nature.name) elements")
                }
                return .list
            },
            apply: { (arguments, _) throws(Complaint) in
                try apply(try elements(of: arguments[0], verb), Array(arguments.dropFirst()))
            })
    }

    /// A list made of a map's members, sorted by key (Go leaves the order open).
    private static func members(
        _ verb: String, _ part: @escaping @Sendable ((key: String, value: Value)) -> Value
    ) -> Function {
        Function(
            check: { (natures) throws(Complaint) in
                try exactly(1, natures)
                guard natures[0] == .map || natures[0] == .unknown else {
                    throw Complaint("cannot \(verb) \(natures[0].name)")
                }
                return .list
            },
            apply: { (arguments, _) throws(Complaint) in
                guard case .map(let members) = arguments[0] else {
                    throw Complaint("cannot \(verb) \(arguments[0].typeName)")
                }
                return .array(members.sorted { $0.key < $1.key }.map(part))
            })
    }
}

/// `sort` and `sortBy`.
enum Sorting {
    /// The positions of `keys` in sorted order; equal keys keep theirs.
    static func order(_ keys: [Value], _ order: Value) throws(Complaint) -> [Int] {
        guard case .string(let word) = order else {
            throw Complaint("sort order argument must be a string (got \(order.typeName))")
        }
        guard word == "asc" || word == "desc" else {
            throw Complaint("invalid order \(word), expected asc or desc")
        }
        // All must be comparable with the first; then all are comparable with each other.
        for key in keys { _ = try Arithmetic.compare("<", keys[0], key) }
        return keys.indices.sorted { a, b in
            let (left, right) = word == "asc" ? (keys[a], keys[b]) : (keys[b], keys[a])
            if case .string(let x) = left, case .string(let y) = right {
                return x.utf8.lexicographicallyPrecedes(y.utf8)
            }
            return (left.number ?? 0) < (right.number ?? 0)
        }
    }
}
