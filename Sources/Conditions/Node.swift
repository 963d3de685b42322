/// A part of a parsed condition, with its place in the text.
struct Node: Sendable {
    indirect enum Form: Sendable {
        case null
        case bool(Bool)
        case int(Int64)
        case float(Double)
        case string(String)
        case identifier(String)
        /// `not`, `!`, `-`, `+`.
        case unary(String, Node)
        case binary(String, Node, Node)
        /// The whole of an access chain with `?.` in it: a nil on the way makes all of it nil.
        case chain(Node)
        case member(Node, Node, optional: Bool)
        case slice(Node, from: Node?, to: Node?)
        /// A call of a name.
        case call(String, [Node])
        /// A call of something else, such as a member.
        case invoke(Node, String, [Node])
        /// `all(list, # > 0)` and its like: the list, the predicate, further arguments.
        case predicate(String, [Node])
        /// `#`, or `#name`.
        case pointer(String)
        case declare(String, Node, in: Node)
        case sequence([Node])
        case conditional(Node, Node, Node)
        case array([Node])
        case map([(key: Node, value: Node)])
    }

    let form: Form
    /// In Unicode scalars from 0.
    let offset: Int
    /// How deep the tree below is; bounded by the parser so that walking it cannot exhaust the stack.
    let depth: Int
}

/// The binary operators (`parser/operator`, v1.17): the higher, the tighter.
enum Operators {
    static let binary: [String: (precedence: Int, rightAssociative: Bool)] = [
        "|": (0, false),
        "or": (10, false), "||": (10, false),
        "and": (15, false), "&&": (15, false),
        "==": (20, false), "!=": (20, false), "<": (20, false), ">": (20, false), ">=": (20, false), "<=": (20, false),
        "in": (20, false), "matches": (20, false), "contains": (20, false), "startsWith": (20, false),
        "endsWith": (20, false),
        "..": (25, false),
        "+": (30, false), "-": (30, false),
        "*": (60, false), "/": (60, false), "%": (60, false),
        "**": (100, true), "^": (100, true),
        "??": (500, false),
    ]

    static let unary: [String: Int] = ["not": 50, "!": 50, "-": 90, "+": 90]

    static func isComparison(_ name: String) -> Bool {
        name == "<" || name == ">" || name == ">=" || name == "<="
    }

    /// Those that `not` may precede: `x not in y`.
    static func isNegatable(_ name: String) -> Bool {
        ["contains", "matches", "startsWith", "endsWith", "in"].contains(name)
    }
}
