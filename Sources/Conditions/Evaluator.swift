/// Runs a checked condition on one result.
struct Evaluator {
    /// Elements that ranges and lists of one evaluation may make, together (expr-lang's memory budget).
    static let memoryBudget = 1_000_000
    /// Nodes that one evaluation may visit; keeps nested predicates from running for ever.
    static let stepBudget = 20_000_000

    private let result: Value
    private var memory = 0
    private var steps = 0
    private var variables: [(name: String, value: Value)] = []
    var scopes: [Scope] = []

    struct Scope {
        var element: Value
        var index: Int
        var accumulator: Value
    }

    init(result: Value) {
        self.result = result
    }

    mutating func evaluate(_ node: Node) throws(Fault) -> Value {
        steps += 1
        guard steps <= Evaluator.stepBudget else {
            throw Fault(message: "evaluation takes more than \(Evaluator.stepBudget) steps", offset: node.offset)
        }
        switch node.form {
        case .null: return .null
        case .bool(let value): return .bool(value)
        case .int(let value): return .int(value)
        case .float(let value): return .double(value)
        case .string(let value): return .string(value)
        case .identifier(let name): return try identifier(name, node)
        case .unary(let name, let operand): return try unary(name, operand, node)
        case .binary(let name, let left, let right): return try binary(name, left, right, node)
        case .chain(let inner): return try link(inner) ?? .null
        case .member, .invoke: return try link(node) ?? .null
        case .slice(let base, let from, let to): return try slice(base, from, to, node)
        case .call(let name, let arguments): return try call(name, arguments, node)
        case .predicate(let name, let arguments): return try predicate(name, arguments, node)
        case .pointer(let name): return try pointer(name, node)
        case .declare(let name, let value, let rest):
            variables.append((name, try evaluate(value)))
            defer { variables.removeLast() }
            return try evaluate(rest)
        case .sequence(let parts):
            var last = Value.null
            for part in parts { last = try evaluate(part) }
            return last
        case .conditional(let condition, let then, let otherwise):
            return try evaluate(try truth(condition) ? then : otherwise)
        case .array(let elements): return try array(elements, node)
        case .map(let pairs): return try map(pairs, node)
        }
    }

    // MARK: Small parts

    private func identifier(_ name: String, _ node: Node) throws(Fault) -> Value {
        if let variable = variables.last(where: { $0.name == name }) { return variable.value }
        if name == "result" { return result }
        throw Fault(message: "function \(name) is not a value: call it as \(name)(…)", offset: node.offset)
    }

    private func pointer(_ name: String, _ node: Node) throws(Fault) -> Value {
        guard let scope = scopes.last else {
            throw Fault(message: "cannot use pointer accessor outside predicate", offset: node.offset)
        }
        switch name {
        case "index": return .int(Int64(scope.index))
        case "acc": return scope.accumulator
        default: return scope.element
        }
    }

    private mutating func truth(_ node: Node) throws(Fault) -> Bool {
        let value = try evaluate(node)
        return try at(node) { () throws(Complaint) in try Arithmetic.truth(value) }
    }

    func at<Result>(_ node: Node, _ body: () throws(Complaint) -> Result) throws(Fault) -> Result {
        do throws(Complaint) {
            return try body()
        } catch {
            throw Fault(message: error.message, offset: node.offset)
        }
    }

    mutating func spend(_ count: Int, _ node: Node) throws(Fault) {
        memory += count
        guard memory <= Evaluator.memoryBudget else {
            throw Fault(message: "memory budget exceeded", offset: node.offset)
        }
    }

    private mutating func array(_ elements: [Node], _ node: Node) throws(Fault) -> Value {
        try spend(elements.count, node)
        var values: [Value] = []
        for element in elements { values.append(try evaluate(element)) }
        return .array(values)
    }

    private mutating func map(_ pairs: [(key: Node, value: Node)], _ node: Node) throws(Fault) -> Value {
        try spend(pairs.count, node)
        var members: [String: Value] = [:]
        for pair in pairs {
            let key = try evaluate(pair.key)
            let name = try at(pair.key) { () throws(Complaint) in try Arithmetic.text(key) }
            members[name] = try evaluate(pair.value)
        }
        return .map(members)
    }

    // MARK: Access

    /// A step of an access chain; nil when a `?.` met nil, which ends the whole chain.
    private mutating func link(_ node: Node) throws(Fault) -> Value? {
        switch node.form {
        case .member(let base, let property, let optional):
            guard let value = try link(base) else { return nil }
            if optional, value.isNull { return nil }
            let key = try evaluate(property)
            return try at(node) { () throws(Complaint) in try Arithmetic.fetch(value, key) }
        case .invoke(let callee, _, let arguments):
            guard let value = try link(callee) else { return nil }
            for argument in arguments { _ = try evaluate(argument) }
            throw Fault(
                message: value.isNull
                    ? "invalid operation: cannot call nil"
                    : "invalid operation: cannot call non-function of type \(value.typeName)",
                offset: node.offset)
        default:
            return try evaluate(node)
        }
    }

    private mutating func slice(_ base: Node, _ from: Node?, _ to: Node?, _ node: Node) throws(Fault) -> Value {
        let value = try evaluate(base)
        var lower: Value?
        var upper: Value?
        if let from { lower = try evaluate(from) }
        if let to { upper = try evaluate(to) }
        return try at(node) { () throws(Complaint) in try Arithmetic.slice(value, from: lower, to: upper) }
    }

    // MARK: Operators

    private mutating func unary(_ name: String, _ operand: Node, _ node: Node) throws(Fault) -> Value {
        if name == "not" || name == "!" { return .bool(!(try truth(operand))) }
        let value = try evaluate(operand)
        return name == "+" ? value : try at(node) { () throws(Complaint) in try Arithmetic.negate(value) }
    }

    private mutating func binary(_ name: String, _ left: Node, _ right: Node, _ node: Node) throws(Fault) -> Value {
        switch name {
        case "and", "&&": return try truth(left) ? try evaluate(right) : .bool(false)
        case "or", "||": return try truth(left) ? .bool(true) : try evaluate(right)
        case "??":
            let value = try evaluate(left)
            return value.isNull ? try evaluate(right) : value
        case "in":
            if case .binary("..", let from, let to) = right.form {
                return try isIn(left, from, to, node)
            }
        default: break
        }
        let a = try evaluate(left)
        let b = try evaluate(right)
        switch name {
        case "==": return .bool(Arithmetic.equal(a, b))
        case "!=": return .bool(!Arithmetic.equal(a, b))
        case "..": return try range(a, b, node)
        default:
            return try at(node) { () throws(Complaint) in try Evaluator.operate(name, a, b) }
        }
    }

    private static func operate(_ name: String, _ a: Value, _ b: Value) throws(Complaint) -> Value {
        switch name {
        case "<", ">", "<=", ">=": return .bool(try Arithmetic.compare(name, a, b))
        case "in": return .bool(try Arithmetic.contains(b, a))
        case "matches", "contains", "startsWith", "endsWith":
            if a.isNull || b.isNull { return .bool(false) }
            let text = try Arithmetic.text(a)
            let other = try Arithmetic.text(b)
            switch name {
            case "matches":
                do throws(PatternError) {
                    return .bool(try Pattern(other).matches(text))
                } catch {
                    throw Complaint(error.message)
                }
            case "contains": return .bool(TextSearch.first(of: other, in: text) != nil)
            case "startsWith": return .bool(text.utf8.starts(with: other.utf8))
            default: return .bool(text.utf8.reversed().starts(with: other.utf8.reversed()))
            }
        default: return try Arithmetic.calculate(name, a, b)
        }
    }

    private mutating func bounds(_ a: Value, _ b: Value, _ node: Node) throws(Fault) -> (Int64, Int64) {
        try at(node) { () throws(Complaint) in (try Arithmetic.integer(a), try Arithmetic.integer(b)) }
    }

    /// Membership of a range, without making it.
    private mutating func isIn(_ left: Node, _ from: Node, _ to: Node, _ node: Node) throws(Fault) -> Value {
        let needle = try evaluate(left)
        let (lower, upper) = try bounds(try evaluate(from), try evaluate(to), node)
        switch needle {
        case .int(let number): return .bool(lower <= number && number <= upper)
        case .double(let number):
            guard let whole = Int64(exactly: number) else { return .bool(false) }
            return .bool(lower <= whole && whole <= upper)
        default: return .bool(false)
        }
    }

    private mutating func range(_ a: Value, _ b: Value, _ node: Node) throws(Fault) -> Value {
        let (lower, upper) = try bounds(a, b, node)
        guard lower <= upper else { return .array([]) }
        let (distance, overflow) = upper.subtractingReportingOverflow(lower)
        try spend(overflow || distance >= Int64(Evaluator.memoryBudget) ? .max / 2 : Int(distance) + 1, node)
        return .array((lower...upper).map(Value.int))
    }

    // MARK: Calls

    private mutating func call(_ name: String, _ arguments: [Node], _ node: Node) throws(Fault) -> Value {
        guard let function = Functions.table[name] else {
            throw Fault(message: "unknown name \(name)", offset: node.offset)
        }
        var values: [Value] = []
        for argument in arguments { values.append(try evaluate(argument)) }
        let whole = result
        let value = try at(node) { () throws(Complaint) in try function.apply(values, whole) }
        switch value {
        case .array(let elements): try spend(elements.count, node)
        case .string(let text): try spend(text.utf8.count, node)
        default: break
        }
        return value
    }
}
