#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// What operators do with values (expr-lang's `vm/runtime`), with its error texts.
enum Arithmetic {
    /// `==`: numbers by value, lists by element, maps by exact type.
    static func equal(_ a: Value, _ b: Value) -> Bool {
        switch (a, b) {
        case (.array(let left), .array(let right)):
            return left.count == right.count && zip(left, right).allSatisfy { equal($0, $1) }
        case (.int(let left), .int(let right)): return left == right
        default:
            if let left = a.number, let right = b.number { return left == right }
            return a == b
        }
    }

    /// `<` and its like: numbers with numbers, strings (by their UTF-8 bytes) with strings.
    static func compare(_ name: String, _ a: Value, _ b: Value) throws(Complaint) -> Bool {
        if case .int(let left) = a, case .int(let right) = b { return ordered(name, left, right) }
        if let left = a.number, let right = b.number { return ordered(name, left, right) }
        if case .string(let left) = a, case .string(let right) = b {
            if left.utf8.elementsEqual(right.utf8) { return name == "<=" || name == ">=" }
            let less = left.utf8.lexicographicallyPrecedes(right.utf8)
            return name.hasPrefix("<") ? less : !less
        }
        throw mismatch(name, a, b)
    }

    private static func ordered<Number: Comparable>(_ name: String, _ a: Number, _ b: Number) -> Bool {
        switch name {
        case "<": a < b
        case "<=": a <= b
        case ">": a > b
        default: a >= b
        }
    }

    static func calculate(_ name: String, _ a: Value, _ b: Value) throws(Complaint) -> Value {
        switch (name, a, b) {
        case ("+", .string(let left), .string(let right)): return .string(left + right)
        case ("+", .int(let left), .int(let right)): return .int(left &+ right)
        case ("-", .int(let left), .int(let right)): return .int(left &- right)
        case ("*", .int(let left), .int(let right)): return .int(left &* right)
        case ("%", .int(let left), .int(let right)):
            guard right != 0 else { throw Complaint("integer divide by zero") }
            return .int(right == -1 ? 0 : left % right)
        default: break
        }
        if name == "**" || name == "^" {
            return .double(pow(try float(a), try float(b)))
        }
        guard let left = a.number, let right = b.number, name != "%" else { throw mismatch(name, a, b) }
        switch name {
        case "+": return .double(left + right)
        case "-": return .double(left - right)
        case "*": return .double(left * right)
        default: return .double(left / right)
        }
    }

    static func negate(_ value: Value) throws(Complaint) -> Value {
        switch value {
        case .int(let number): return .int(0 &- number)
        case .double(let number): return .double(-number)
        default: throw Complaint("invalid operation: - \(value.typeName)")
        }
    }

    /// `x in y`: an element of a list, a key of a map; nothing is in nil.
    static func contains(_ list: Value, _ needle: Value) throws(Complaint) -> Bool {
        switch list {
        case .null: return false
        case .array(let elements): return elements.contains { equal($0, needle) }
        case .map(let members):
            switch needle {
            case .string(let key): return members[key] != nil
            case .null: return members[""] != nil
            default: throw notAKey(needle)
            }
        default: throw Complaint("operator \"in\" not defined on \(list.typeName)")
        }
    }

    /// `x.name`, `x[i]`: a list or string from either end, a map's member or nil.
    static func fetch(_ base: Value, _ key: Value) throws(Complaint) -> Value {
        switch base {
        case .array(let elements): return elements[try position(key, in: elements.count)]
        case .string(let text):
            let bytes = Array(text.utf8)
            return .int(Int64(bytes[try position(key, in: bytes.count)]))
        case .map(let members):
            switch key {
            case .string(let name): return members[name] ?? .null
            case .null: return members[""] ?? .null
            default: throw notAKey(key)
            }
        default: throw Complaint("cannot fetch \(key.goText) from \(base.typeName)")
        }
    }

    private static func position(_ key: Value, in count: Int) throws(Complaint) -> Int {
        var index = Int(try integer(key))
        if index < 0 { index &+= count }
        guard index >= 0, index < count else {
            throw Complaint("index out of range: \(index) (array length is \(count))")
        }
        return index
    }

    /// `x[from:to]`: bounds count from the end when negative, and are clamped.
    static func slice(_ base: Value, from: Value?, to: Value?) throws(Complaint) -> Value {
        func range(_ count: Int) throws(Complaint) -> Range<Int> {
            func bound(_ value: Value?, _ fallback: Int) throws(Complaint) -> Int {
                guard let value else { return fallback }
                let index = Int(try integer(value))
                return max(0, index < 0 ? index &+ count : index)
            }
            let end = min(try bound(to, count), count)
            return min(try bound(from, 0), end)..<end
        }
        switch base {
        case .array(let elements): return .array(Array(elements[try range(elements.count)]))
        case .string(let text):
            let bytes = Array(text.utf8)
            return .string(String(decoding: bytes[try range(bytes.count)], as: UTF8.self))
        default: throw Complaint("cannot slice \(base.typeName)")
        }
    }

    // MARK: Conversions

    static func integer(_ value: Value) throws(Complaint) -> Int64 {
        switch value {
        case .int(let number): return number
        case .double(let number): return truncated(number)
        default: throw Complaint("invalid operation: int(\(value.typeName))")
        }
    }

    static func float(_ value: Value) throws(Complaint) -> Double {
        guard let number = value.number else { throw Complaint("invalid operation: float(\(value.typeName))") }
        return number
    }

    /// Toward zero; what does not fit becomes the smallest integer, as Go does on amd64.
    static func truncated(_ number: Double) -> Int64 {
        Int64(exactly: number.rounded(.towardZero)) ?? .min
    }

    static func text(_ value: Value) throws(Complaint) -> String {
        guard case .string(let text) = value else { throw conversion(value, to: "string") }
        return text
    }

    static func truth(_ value: Value) throws(Complaint) -> Bool {
        guard case .bool(let truth) = value else { throw conversion(value, to: "bool") }
        return truth
    }

    private static func conversion(_ value: Value, to type: String) -> Complaint {
        let name = value.isNull ? "nil" : value.typeName
        return Complaint("interface conversion: interface {} is \(name), not \(type)")
    }

    private static func mismatch(_ name: String, _ a: Value, _ b: Value) -> Complaint {
        Complaint("invalid operation: \(a.typeName) \(name) \(b.typeName)")
    }

    private static func notAKey(_ key: Value) -> Complaint {
        Complaint("reflect.Value.MapIndex: value of type \(key.typeName) is not assignable to type string")
    }
}
