/// Functions that take a predicate: `all(list, # > 0)`.
extension Evaluator {
    /// Calls `body` with each element in scope until it answers false.
    private mutating func each(
        _ elements: [Value], backwards: Bool = false, _ predicate: Node,
        _ body: (Value, Int) throws(Complaint) -> Bool
    ) throws(Fault) {
        scopes.append(Scope(element: .null, index: 0, accumulator: .null))
        defer { scopes.removeLast() }
        let top = scopes.count - 1
        for step in elements.indices {
            let index = backwards ? elements.count - 1 - step : step
            scopes[top].element = elements[index]
            scopes[top].index = index
            let value = try evaluate(predicate)
            let goOn = try at(predicate) { () throws(Complaint) in try body(value, index) }
            if !goOn { return }
        }
    }

    /// The answer of a function with a predicate.
    mutating func predicate(_ name: String, _ arguments: [Node], _ node: Node) throws(Fault) -> Value {
        let list = try evaluate(arguments[0])
        guard case .array(let elements) = list else {
            let shown = list.isNull ? "zero Value" : "\(list.typeName) Value"
            throw Fault(message: "reflect: call of reflect.Value.Len on \(shown)", offset: arguments[0].offset)
        }
        if arguments.count == 1 {
            return try whole(name, elements, node)
        }
        let test = arguments[1]
        switch name {
        case "all", "none", "any", "one", "count":
            var hits = 0
            let stop: (Bool) -> Bool =
                switch name {
                case "all": { !$0 }
                case "none", "any": { $0 }
                default: { _ in false }
                }
            var stopped = false
            try each(elements, test) { (value, _) throws(Complaint) in
                let truth = try Arithmetic.truth(value)
                if truth { hits += 1 }
                stopped = stop(truth)
                return !stopped
            }
            switch name {
            case "all", "none": return .bool(!stopped)
            case "any": return .bool(stopped)
            case "one": return .bool(hits == 1)
            default: return .int(Int64(hits))
            }
        case "filter":
            var kept: [Value] = []
            try each(elements, test) { (value, index) throws(Complaint) in
                if try Arithmetic.truth(value) { kept.append(elements[index]) }
                return true
            }
            try spend(kept.count, node)
            return .array(kept)
        case "map":
            try spend(elements.count, node)
            var mapped: [Value] = []
            try each(elements, test) { (value, _) throws(Complaint) in
                mapped.append(value)
                return true
            }
            return .array(mapped)
        case "sum":
            var total = Value.int(0)
            try each(elements, test) { (value, _) throws(Complaint) in
                total = try Arithmetic.calculate("+", total, value)
                return true
            }
            return total
        case "find", "findIndex", "findLast", "findLastIndex":
            var found: Int?
            try each(elements, backwards: name.hasPrefix("findLast"), test) { (value, index) throws(Complaint) in
                if try Arithmetic.truth(value) { found = index }
                return found == nil
            }
            guard let found else { return .null }
            return name.hasSuffix("Index") ? .int(Int64(found)) : elements[found]
        case "sortBy": return try sorted(elements, by: test, arguments, node)
        default: return try reduce(elements, test, arguments, node)
        }
    }

    /// `count(list)` counts what is true, `sum(list)` adds up.
    private func whole(_ name: String, _ elements: [Value], _ node: Node) throws(Fault) -> Value {
        try at(node) { () throws(Complaint) in
            var total = Value.int(0)
            for element in elements {
                if name == "sum" {
                    total = try Arithmetic.calculate("+", total, element)
                } else if try Arithmetic.truth(element) {
                    total = try Arithmetic.calculate("+", total, .int(1))
                }
            }
            return total
        }
    }

    private mutating func sorted(
        _ elements: [Value], by test: Node, _ arguments: [Node], _ node: Node
    ) throws(Fault) -> Value {
        var order = Value.string("asc")
        if arguments.count > 2 { order = try evaluate(arguments[2]) }
        var keys: [Value] = []
        try each(elements, test) { (value, _) throws(Complaint) in
            keys.append(value)
            return true
        }
        try spend(elements.count, node)
        return try at(node) { () throws(Complaint) in
            .array(try Sorting.order(keys, order).map { elements[$0] })
        }
    }

    private mutating func reduce(
        _ elements: [Value], _ body: Node, _ arguments: [Node], _ node: Node
    ) throws(Fault) -> Value {
        var rest = elements[...]
        var total: Value
        if arguments.count > 2 {
            total = try evaluate(arguments[2])
        } else if let first = rest.popFirst() {
            total = first
        } else {
            throw Fault(message: "reduce of empty array with no initial value", offset: node.offset)
        }
        scopes.append(Scope(element: .null, index: 0, accumulator: .null))
        defer { scopes.removeLast() }
        for index in rest.indices {
            scopes[scopes.count - 1] = Scope(element: elements[index], index: index, accumulator: total)
            total = try evaluate(body)
        }
        return total
    }
}
