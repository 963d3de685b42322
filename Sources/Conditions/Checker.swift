/// Finds what is wrong with a condition for every value of a type, before it runs (expr-lang's `checker/checker.go`).
struct Checker {
    private let result: Nature
    private var variables: [(name: String, nature: Nature)] = []
    private var scopes: [(element: Nature, names: [String: Nature])] = []

    /// Checks `node` for a `result` of this nature; `unknown` finds only what is wrong for every result.
    static func check(_ node: Node, result: Nature) throws(Fault) {
        var checker = Checker(result: result)
        _ = try checker.visit(node)
    }

    private init(result: Nature) {
        self.result = result
    }

    private mutating func visit(_ node: Node) throws(Fault) -> Nature {
        switch node.form {
        case .null: return .null
        case .bool: return .bool
        case .int: return .int
        case .float: return .float
        case .string: return .string
        case .identifier(let name): return try identifier(name, at: node)
        case .unary(let name, let operand): return try unary(name, operand, at: node)
        case .binary(let name, let left, let right): return try binary(name, left, right, at: node)
        case .chain(let inner): return try visit(inner)
        case .member(let base, let property, _): return try member(base, property, at: node)
        case .slice(let base, let from, let to): return try slice(base, from, to, at: node)
        case .call(let name, let arguments): return try call(name, arguments, at: node)
        case .invoke(let callee, let name, let arguments): return try invoke(callee, name, arguments, at: node)
        case .predicate(let name, let arguments): return try predicate(name, arguments, at: node)
        case .pointer(let name): return try pointer(name, at: node)
        case .declare(let name, let value, let rest): return try declare(name, value, rest, at: node)
        case .sequence(let parts):
            var last = Nature.null
            for part in parts { last = try visit(part) }
            return last
        case .conditional(let condition, let then, let otherwise):
            return try conditional(condition, then, otherwise)
        case .array(let elements): return try array(elements)
        case .map(let pairs):
            for pair in pairs {
                _ = try visit(pair.key)
                _ = try visit(pair.value)
            }
            return .map
        }
    }

    private func fault(_ node: Node, _ message: String) -> Fault {
        Fault(message: message, offset: node.offset)
    }

    // MARK: Names

    private func identifier(_ name: String, at node: Node) throws(Fault) -> Nature {
        if let variable = variables.last(where: { $0.name == name }) { return variable.nature }
        if name == "result" { return result }
        if Functions.table[name] != nil { return .function }
        throw fault(node, "unknown name \(name)")
    }

    private mutating func declare(_ name: String, _ value: Node, _ rest: Node, at node: Node) throws(Fault) -> Nature {
        if name == "result" || Functions.ofArgo.contains(name) { throw fault(node, "cannot redeclare \(name)") }
        if Functions.table[name] != nil || Parser.predicates[name] != nil {
            throw fault(node, "cannot redeclare builtin \(name)")
        }
        if variables.contains(where: { $0.name == name }) { throw fault(node, "cannot redeclare variable \(name)") }
        variables.append((name, try visit(value)))
        defer { variables.removeLast() }
        return try visit(rest)
    }

    private func pointer(_ name: String, at node: Node) throws(Fault) -> Nature {
        guard let scope = scopes.last else { throw fault(node, "cannot use pointer accessor outside predicate") }
        if name.isEmpty { return scope.element }
        guard let nature = scope.names[name] else { throw fault(node, "unknown pointer #\(name)") }
        return nature
    }

    // MARK: Operators

    private mutating func unary(_ name: String, _ operand: Node, at node: Node) throws(Fault) -> Nature {
        let nature = try visit(operand)
        switch name {
        case "!", "not":
            if nature == .bool || nature == .unknown { return .bool }
        default:
            if nature.isNumber || nature == .unknown { return nature }
        }
        throw fault(node, "invalid operation: \(name) (mismatched type \(nature.name))")
    }

    private mutating func binary(_ name: String, _ left: Node, _ right: Node, at node: Node) throws(Fault) -> Nature {
        let l = try visit(left)
        let r = try visit(right)
        let numbers = l.isNumber && r.isNumber
        let strings = l == .string && r == .string
        let sum: Nature = l == .float || r == .float ? .float : .int
        switch name {
        case "==", "!=":
            if l.comparable(to: r) { return .bool }
        case "or", "||", "and", "&&":
            if (l == .bool && r == .bool) || l.maybe(r, { $0 == .bool }) { return .bool }
        case "<", ">", ">=", "<=":
            if numbers || strings || l.maybe(r, { $0.isNumber || $0 == .string }) { return .bool }
        case "-", "*":
            if numbers { return sum }
            if l.maybe(r, \.isNumber) { return .unknown }
        case "/", "**", "^":
            if numbers || l.maybe(r, \.isNumber) { return .float }
        case "%":
            if (l == .int && r == .int) || l.maybe(r, { $0 == .int }) { return .int }
        case "+":
            if numbers { return sum }
            if strings { return .string }
            if l.maybe(r, { $0.isNumber || $0 == .string }) { return .unknown }
        case "in":
            if try contains(l, in: r, at: node) { return .bool }
        case "matches":
            try checkPattern(right)
            if strings || l.maybe(r, { $0 == .string }) { return .bool }
        case "contains", "startsWith", "endsWith":
            if strings || l.maybe(r, { $0 == .string }) { return .bool }
        case "..":
            if (l == .int && r == .int) || l.maybe(r, { $0 == .int }) { return .array(.int, typed: true) }
        case "??":
            if l == .null { return r }
            return r == .null || l == r ? l : .unknown
        default:
            throw fault(node, "unknown operator (\(name))")
        }
        throw fault(node, "invalid operation: \(name) (mismatched types \(l.name) and \(r.name))")
    }

    private func contains(_ l: Nature, in r: Nature, at node: Node) throws(Fault) -> Bool {
        switch r {
        case .map:
            guard l == .unknown || l == .string else {
                throw fault(node, "cannot use \(l.name) as type string in map key")
            }
            return true
        case .array(let element, _):
            guard l.comparable(to: element) else {
                throw fault(node, "cannot use \(l.name) as type \(element.name) in array")
            }
            return true
        case .unknown: return true
        default: return l == .unknown && r == .string
        }
    }

    private func checkPattern(_ node: Node) throws(Fault) {
        guard case .string(let text) = node.form else { return }
        do throws(PatternError) {
            _ = try Pattern(text)
        } catch {
            throw fault(node, error.message)
        }
    }

    private mutating func conditional(_ condition: Node, _ then: Node, _ otherwise: Node) throws(Fault) -> Nature {
        let c = try visit(condition)
        guard c == .bool || c == .unknown else {
            throw fault(condition, "non-bool expression (type \(c.name)) used as condition")
        }
        let first = try visit(then)
        let second = try visit(otherwise)
        if first == .null { return second }
        return second == .null || first == second ? first : .unknown
    }

    // MARK: Lists and members

    private mutating func array(_ elements: [Node]) throws(Fault) -> Nature {
        var natures: [Nature] = []
        for element in elements { natures.append(try visit(element)) }
        guard let last = natures.last else { return .array(.unknown, typed: false) }
        let sameKind = natures.allSatisfy { $0 == last || ($0.isArray && last.isArray) }
        return .array(sameKind ? last : .unknown, typed: false)
    }

    private mutating func member(_ base: Node, _ property: Node, at node: Node) throws(Fault) -> Nature {
        let b = try visit(base)
        let p = try visit(property)
        var name: String?
        if case .string(let text) = property.form { name = text }
        switch b {
        case .unknown: return .unknown
        case .null where name != nil: throw fault(node, "type nil has no field \(name ?? "")")
        case .map:
            guard p == .string || p == .unknown else {
                throw fault(property, "cannot use \(p.name) to get an element from \(b.name)")
            }
            return .unknown
        case .array(let element, _):
            guard p == .int || p == .unknown else {
                throw fault(property, "array elements can only be selected using an integer (got \(p.name))")
            }
            return element
        default:
            if let name { throw fault(node, "type \(b.name) has no field \(name)") }
            throw fault(node, "type \(b.name)[\(p.name)] is undefined")
        }
    }

    private mutating func slice(_ base: Node, _ from: Node?, _ to: Node?, at node: Node) throws(Fault) -> Nature {
        let b = try visit(base)
        guard b == .unknown || b == .string || b.isArray else { throw fault(node, "cannot slice \(b.name)") }
        for bound in [from, to].compactMap({ $0 }) {
            let nature = try visit(bound)
            guard b == .unknown || nature == .int || nature == .unknown else {
                throw fault(bound, "non-integer slice index \(nature.name)")
            }
        }
        return b
    }

    // MARK: Calls

    private mutating func call(_ name: String, _ arguments: [Node], at node: Node) throws(Fault) -> Nature {
        if let variable = variables.last(where: { $0.name == name }), variable.nature != .unknown {
            throw fault(node, "\(variable.nature.name) is not callable")
        }
        guard let function = Functions.table[name] else {
            if name == "result" { throw fault(node, "\(result.name) is not callable") }
            throw fault(node, "unknown name \(name)")
        }
        var natures: [Nature] = []
        for argument in arguments { natures.append(try visit(argument)) }
        do throws(Complaint) {
            return try function.check(natures)
        } catch {
            throw fault(node, error.message)
        }
    }

    private mutating func invoke(
        _ callee: Node, _ name: String, _ arguments: [Node], at node: Node
    ) throws(Fault) -> Nature {
        if case .member(let base, _, _) = callee.form {
            let nature = try visit(base)
            if nature != .unknown, nature != .map {
                throw fault(node, "type \(nature == .null ? "nil" : nature.name) has no method \(name)")
            }
        }
        _ = try visit(callee)
        for argument in arguments { _ = try visit(argument) }
        return .unknown
    }

    private mutating func predicate(_ name: String, _ arguments: [Node], at node: Node) throws(Fault) -> Nature {
        // Known to the grammar, so that its name is what the message tells; its maps have keys of any type, ours not.
        if name == "groupBy" { throw fault(node, "unknown name \(name)") }
        let list = try visit(arguments[0])
        guard list.isArray || list == .unknown else {
            throw fault(arguments[0], "builtin \(name) takes only array (got \(list.name))")
        }
        guard arguments.count > 1 else { return name == "count" ? .int : list.element }
        var names: [String: Nature] = [:]
        if name == "map" || name == "reduce" { names["index"] = .int }
        if name == "reduce" { names["acc"] = .unknown }
        scopes.append((list.element, names))
        let body = try visit(arguments[1])
        scopes.removeLast()
        if arguments.count > 2 {
            let third = try visit(arguments[2])
            if name == "sortBy", third != .string, third != .unknown {
                throw fault(arguments[2], "sortBy order argument must be a string (got \(third.name))")
            }
        }
        switch name {
        case "map": return .array(body, typed: false)
        case "sum", "reduce": return body
        case "sortBy": return list.isArray ? list : .list
        default: break
        }
        guard body == .bool || body == .unknown else {
            throw fault(
                arguments[1],
                body == .null
                    ? "predicate should has one input and one output param"
                    : "predicate should return boolean (got \(body.name))")
        }
        switch name {
        case "all", "none", "any", "one": return .bool
        case "count", "findIndex", "findLastIndex": return .int
        case "filter": return list.isArray ? .array(list.element, typed: false) : .list
        default: return list.element
        }
    }
}
