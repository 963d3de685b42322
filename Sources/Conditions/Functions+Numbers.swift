extension Functions {
    static let numbers: [String: Function] = {
        var table: [String: Function] = [
            "int": Function(
                check: { (natures) throws(Complaint) in
                    try one("int", natures, orString: true)
                    return .int
                },
                apply: { (arguments, _) throws(Complaint) in
                    guard case .string(let text) = arguments[0] else {
                        return .int(try Arithmetic.integer(arguments[0]))
                    }
                    guard let number = Int64(text) else { throw Complaint("invalid operation: int(\(text))") }
                    return .int(number)
                }),
            "float": Function(
                check: { (natures) throws(Complaint) in
                    try one("float", natures, orString: true)
                    return .float
                },
                apply: { (arguments, _) throws(Complaint) in
                    guard case .string(let text) = arguments[0] else {
                        return .double(try Arithmetic.float(arguments[0]))
                    }
                    do throws(Complaint) {
                        return .double(try GoNumber.parseFloat(text))
                    } catch {
                        throw Complaint("invalid operation: float(\(text))")
                    }
                }),
            "abs": Function(
                check: { (natures) throws(Complaint) in
                    try one("abs", natures)
                    return natures[0]
                },
                apply: { (arguments, _) throws(Complaint) in
                    switch arguments[0] {
                    case .int(let value): return .int(value < 0 ? 0 &- value : value)
                    case .double(let value): return .double(value < 0 ? -value : value)
                    default: throw Complaint("invalid argument for abs (type \(arguments[0].typeName))")
                    }
                }),
            "max": aggregate("max") { (values) throws(Complaint) in try extreme("max", "<", values) },
            "min": aggregate("min") { (values) throws(Complaint) in try extreme("min", ">", values) },
            "mean": aggregate("mean") { (values) throws(Complaint) in
                let numbers = try flat("mean", values)
                return .double(numbers.isEmpty ? 0 : numbers.reduce(0, +) / Double(numbers.count))
            },
            "median": aggregate("median") { (values) throws(Complaint) in
                .double(median(try flat("median", values)))
            },
        ]
        let roundings: [(String, FloatingPointRoundingRule)] = [
            ("ceil", .up), ("floor", .down), ("round", .toNearestOrAwayFromZero),
        ]
        for (name, rule) in roundings {
            table[name] = Function(
                check: { (natures) throws(Complaint) in
                    try one(name, natures)
                    return .float
                },
                apply: { (arguments, _) throws(Complaint) in
                    guard let number = arguments[0].number else {
                        throw Complaint("invalid argument for \(name) (type \(arguments[0].typeName))")
                    }
                    return .double(number.rounded(rule))
                })
        }
        return table
    }()

    private static func one(_ name: String, _ natures: [Nature], orString: Bool = false) throws(Complaint) {
        try exactly(1, natures)
        let nature = natures[0]
        guard nature.isNumber || nature == .unknown || (orString && nature == .string) else {
            throw Complaint("invalid argument for \(name) (type \(nature == .null ? "<nil>" : nature.name))")
        }
    }

    /// A function over numbers and lists of numbers, mixed (expr-lang `validateAggregateFunc`).
    private static func aggregate(
        _ name: String, _ apply: @escaping @Sendable ([Value]) throws(Complaint) -> Value
    ) -> Function {
        Function(
            check: { (natures) throws(Complaint) in
                guard !natures.isEmpty else { throw Complaint("not enough arguments to call \(name)") }
                for nature in natures {
                    if nature == .unknown || nature.isArray { return .unknown }
                    guard nature.isNumber else {
                        throw Complaint(
                            "invalid argument for \(name) (type \(nature == .null ? "<nil>" : nature.name))")
                    }
                }
                return natures.allSatisfy { $0 == natures[0] } ? natures[0] : .unknown
            },
            apply: { (arguments, _) throws(Complaint) in try apply(arguments) })
    }

    /// The first value that no later one exceeds; a NaN neither exceeds nor is exceeded.
    ///
    /// Nil for no numbers.
    private static func extreme(_ name: String, _ worse: String, _ values: [Value]) throws(Complaint) -> Value {
        var best: Value?
        for value in values {
            let candidate: Value
            switch value {
            case .int, .double: candidate = value
            case .array(let elements):
                candidate = try extreme(name, worse, elements)
                if candidate.isNull { continue }
            default: throw Complaint("invalid argument for \(name) (type \(value.typeName))")
            }
            if let current = best, try !Arithmetic.compare(worse, current, candidate) { continue }
            best = candidate
        }
        return best ?? .null
    }

    private static func flat(_ name: String, _ values: [Value]) throws(Complaint) -> [Double] {
        var numbers: [Double] = []
        for value in values {
            if case .array(let elements) = value {
                numbers += try flat(name, elements)
            } else if let number = value.number {
                numbers.append(number)
            } else {
                throw Complaint("invalid argument for \(name) (type \(value.typeName))")
            }
        }
        return numbers
    }

    /// The middle value, or the mean of the middle two; NaN sorts first, as in Go; 0 for none.
    private static func median(_ numbers: [Double]) -> Double {
        guard !numbers.isEmpty else { return 0 }
        let sorted = numbers.filter(\.isNaN) + numbers.filter { !$0.isNaN }.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    static let bits: [String: Function] = {
        @Sendable func word(_ name: String, _ value: Value) throws(Complaint) -> Int64 {
            guard case .int(let number) = value else {
                throw Complaint("cannot use \(value.typeName) as argument (type int) to call \(name)")
            }
            return number
        }
        func binary(
            _ name: String, shift: Bool = false, _ apply: @escaping @Sendable (Int64, Int64) -> Int64
        ) -> (String, Function) {
            let function = Function(
                check: signature(name, [.int, .int], .int),
                apply: { (arguments, _) throws(Complaint) in
                    let right = try word(name, arguments[1])
                    if shift, right < 0 {
                        throw Complaint("invalid operation: negative shift count \(right) (type int)")
                    }
                    return .int(apply(try word(name, arguments[0]), right))
                })
            return (name, function)
        }
        let all = [
            binary("bitand") { $0 & $1 }, binary("bitor") { $0 | $1 }, binary("bitxor") { $0 ^ $1 },
            binary("bitnand") { $0 & ~$1 }, binary("bitshl", shift: true) { $0 << $1 },
            binary("bitshr", shift: true) { $0 >> $1 },
            binary("bitushr", shift: true) { Int64(bitPattern: UInt64(bitPattern: $0) >> UInt64($1)) },
            (
                "bitnot",
                Function(
                    check: signature("bitnot", [.int], .int),
                    apply: { (arguments, _) throws(Complaint) in .int(~(try word("bitnot", arguments[0]))) })
            ),
        ]
        return Dictionary(all) { first, _ in first }
    }()
}
