/// What a metric source answered, or what an expression came to: a dynamic value, neutral to any wire format.
///
/// Numbers that come from a metric source are `double`, as in Argo Rollouts, whose providers only know `float64`;
/// `int` comes from integer literals, ranges and functions such as `len` or `asInt`.
/// Equality is exact: an `int` never equals a `double`, and NaN equals nothing. Conditions compare with their own rule.
public enum Value: Sendable, Equatable {
    /// No value: JSON `null`, a provider without data.
    case null
    /// A truth value.
    case bool(Bool)
    /// A whole number of 64 bits; arithmetic wraps.
    case int(Int64)
    /// A floating-point number; NaN and infinities included.
    case double(Double)
    /// Text.
    case string(String)
    /// A list; a Prometheus vector is a list of `double`, without its labels.
    case array([Value])
    /// Named members, such as a JSON object.
    case map([String: Value])
}

extension Value {
    /// A Prometheus vector or matrix: its sample values in the order of the response.
    public static func vector(_ samples: [Double]) -> Value {
        .array(samples.map(Value.double))
    }

    /// Whether a provider that answered this had no data: `null` or an empty list.
    ///
    /// - Source: Argo Rollouts, utils/evaluate `isNilOrEmpty`.
    public var isNilOrEmpty: Bool {
        switch self {
        case .null: true
        case .array(let elements): elements.isEmpty
        default: false
        }
    }

    /// The number as a double, if this is a number.
    public var number: Double? {
        switch self {
        case .int(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }

    var isNull: Bool {
        if case .null = self { true } else { false }
    }

    /// The name Go prints for the type (`%T`), which Argo's messages carry.
    var typeName: String {
        switch self {
        case .null: "<nil>"
        case .bool: "bool"
        case .int: "int"
        case .double: "float64"
        case .string: "string"
        case .array(let elements): Value.isVector(elements) ? "[]float64" : "[]interface {}"
        case .map: "map[string]interface {}"
        }
    }

    static func isVector(_ elements: [Value]) -> Bool {
        !elements.isEmpty
            && elements.allSatisfy { if case .double = $0 { true } else { false } }
    }
}
