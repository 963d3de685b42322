/// A function that a condition can call.
struct Function: Sendable {
    /// The nature of its answer for arguments of these natures, or why it cannot take them.
    let check: @Sendable ([Nature]) throws(Complaint) -> Nature
    /// Its answer; the second argument is the metric's whole result.
    let apply: @Sendable ([Value], Value) throws(Complaint) -> Value
}

/// All functions without a predicate: Argo's own and expr-lang's built-ins that we have.
///
/// Left out, and so an `unknown name` when compiled: the time, JSON, base64 and pair functions, `groupBy`, `$env`.
enum Functions {
    /// Functions that Argo Rollouts puts into the environment (utils/evaluate/evaluate.go).
    static let ofArgo: Set<String> = ["asInt", "asFloat", "isNaN", "isInf", "isNil", "default"]

    static let table: [String: Function] = {
        var all = argo
        for group in [numbers, texts, lists, bits] {
            all.merge(group) { first, _ in first }
        }
        return all
    }()

    // MARK: Argo's own

    /// `isNil` and `default` ask about the whole result and ignore their first argument, as Argo's do (reference §7.1).
    private static let argo: [String: Function] = [
        "asInt": Function(
            check: signature("asInt", [.any], .int),
            apply: { (arguments, _) throws(Complaint) in
                switch arguments[0] {
                case .int(let value): return .int(value)
                case .double(let value): return .int(Arithmetic.truncated(value))
                case .string(let text): return .int(try GoNumber.parseInt(text))
                default: throw unsupported("asInt", arguments[0])
                }
            }),
        "asFloat": Function(
            check: signature("asFloat", [.any], .float),
            apply: { (arguments, _) throws(Complaint) in
                if let number = arguments[0].number { return .double(number) }
                guard case .string(let text) = arguments[0] else { throw unsupported("asFloat", arguments[0]) }
                return .double(try GoNumber.parseFloat(text))
            }),
        "isNaN": Function(
            check: signature("isNaN", [.float], .bool),
            apply: { (arguments, _) throws(Complaint) in .bool(try floatArgument("isNaN", arguments[0]).isNaN) }),
        "isInf": Function(
            check: signature("isInf", [.float], .bool),
            apply: { (arguments, _) throws(Complaint) in .bool(try floatArgument("isInf", arguments[0]).isInfinite) }),
        "isNil": Function(
            check: signature("isNil", [.any], .bool),
            apply: { (_, result) throws(Complaint) in .bool(result.isNull) }),
        "default": Function(
            check: signature("default", [.any, .any], .unknown),
            apply: { (arguments, result) throws(Complaint) in result.isNull ? arguments[1] : result }),
    ]

    private static func unsupported(_ name: String, _ value: Value) -> Complaint {
        Complaint("\(name)() not supported on \(value.typeName) \(value.goText)")
    }

    private static func floatArgument(_ name: String, _ value: Value) throws(Complaint) -> Double {
        guard let number = value.number else {
            throw Complaint("cannot use \(value.typeName) as argument (type float64) to call \(name) ")
        }
        return number
    }

    // MARK: Signatures

    /// What a parameter takes.
    enum Parameter {
        case any, float, int, string, array

        var name: String {
            switch self {
            case .any: "interface {}"
            case .float: "float64"
            case .int: "int"
            case .string: "string"
            case .array: "[]interface {}"
            }
        }

        func takes(_ nature: Nature) -> Bool {
            switch self {
            case .any: true
            case .float: nature.isNumber
            case .int: nature == .int
            case .string: nature == .string
            case .array: nature.isArray
            }
        }
    }

    /// Checks arguments against parameters, the last `optional` of which may be missing.
    static func signature(
        _ name: String, _ parameters: [Parameter], optional: Int = 0, _ result: Nature
    ) -> @Sendable ([Nature]) throws(Complaint) -> Nature {
        { (natures) throws(Complaint) in
            if natures.count > parameters.count { throw Complaint("too many arguments to call \(name)") }
            if natures.count < parameters.count - optional { throw Complaint("not enough arguments to call \(name)") }
            for (nature, parameter) in zip(natures, parameters) where nature != .unknown {
                if nature == .null, parameter != .any {
                    throw Complaint("cannot use nil as argument (type \(parameter.name)) to call \(name)")
                }
                guard parameter.takes(nature) else {
                    throw Complaint("cannot use \(nature.name) as argument (type \(parameter.name)) to call \(name) ")
                }
            }
            return result
        }
    }

    static func exactly(_ count: Int, _ natures: [Nature]) throws(Complaint) {
        guard natures.count == count else {
            throw Complaint("invalid number of arguments (expected \(count), got \(natures.count))")
        }
    }
}
