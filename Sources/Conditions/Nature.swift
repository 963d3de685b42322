/// How much is known about a value before the condition runs (expr-lang's `checker/nature`).
indirect enum Nature: Equatable, Sendable {
    /// Anything: a member of a JSON document. Checked when the condition runs.
    case unknown
    case null
    case bool
    case int
    case float
    case string
    /// A list; `typed` when Go knows the type of its elements (`[]float64`), not only we.
    case array(Nature, typed: Bool)
    case map
    /// A function's name used as a value.
    case function

    /// What is known of a provider's answer.
    init(of result: Value, typing: ResultTyping) {
        self =
            switch result {
            case .null: .null
            case .bool: .bool
            case .int: .int
            case .double: .float
            case .string: .string
            case .map: .map
            case .array(let elements):
                typing == .inferred && (elements.isEmpty || Value.isVector(elements))
                    ? .array(.float, typed: true) : .array(.unknown, typed: true)
            }
    }

    /// Go's name for the type, as in expr-lang's messages.
    var name: String {
        switch self {
        case .unknown, .null: "unknown"
        case .bool: "bool"
        case .int: "int"
        case .float: "float64"
        case .string: "string"
        case .array(.unknown, _), .array(_, typed: false): "[]interface {}"
        case .array(let element, typed: true): "[]" + element.name
        case .map: "map[string]interface {}"
        case .function: "func"
        }
    }

    var isNumber: Bool { self == .int || self == .float }

    var isArray: Bool { if case .array = self { true } else { false } }

    /// What an element is, of a list; unknown otherwise.
    var element: Nature { if case .array(let element, _) = self { element } else { .unknown } }

    static let list = Nature.array(.unknown, typed: true)

    func comparable(to other: Nature) -> Bool {
        self == .unknown || other == .unknown || self == .null || other == .null
            || (isNumber && other.isNumber) || (isArray && other.isArray) || (self == other && self != .function)
    }

    /// Whether one side is unknown and the other may meet `check`.
    func maybe(_ other: Nature, _ check: (Nature) -> Bool) -> Bool {
        (self == .unknown && other == .unknown) || (self == .unknown && check(other))
            || (other == .unknown && check(self))
    }
}

/// What the metric source guarantees about lists in its answers.
///
/// Argo compiles each condition for the Go type of the answer: a Prometheus vector is `[]float64`, whose elements can
/// only be compared with numbers, while the elements of a list in a JSON document are of any type until it runs.
public enum ResultTyping: String, Sendable, Codable {
    /// A list of numbers, or an empty list, is a vector of numbers (Prometheus, Datadog, Graphite).
    case inferred
    /// Members of lists are of any type (web, InfluxDB, SkyWalking).
    case json
}
