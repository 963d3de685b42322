internal import EventSourcing

/// Fields of a Rollout that arguments take their values from.
///
/// - Source: Argo Rollouts, utils/analysis/factory.go; Kubernetes, pkg/fieldpath `ExtractFieldPathAsString`.
enum RolloutField {
    /// A `fieldPath` that leads to no value, in Argo's words.
    struct Unreadable: Error, Equatable {
        let message: String
    }

    static func value(at path: String, of rollout: JSONValue) throws(Unreadable) -> String {
        guard path.hasPrefix("metadata") else { return try extract(path, from: rollout) }
        guard let value = metadata(path, of: rollout) else {
            throw Unreadable(message: "unsupported fieldPath: \(path)")
        }
        return value
    }

    /// What the downward API gives for a path that begins with `metadata`; `nil` for a path that it does not know.
    static func metadata(_ path: String, of rollout: JSONValue) -> String? {
        let metadata = rollout["metadata"]
        for (prefix, key) in [("metadata.labels['", "labels"), ("metadata.annotations['", "annotations")] {
            if path.hasPrefix(prefix), path.hasSuffix("']"), path.count > prefix.count + 2 {
                let name = String(path.dropFirst(prefix.count).dropLast(2))
                return metadata?[key]?[name]?.stringValue ?? ""
            }
        }
        switch path {
        case "metadata.name": return metadata?["name"]?.stringValue ?? ""
        case "metadata.namespace": return metadata?["namespace"]?.stringValue ?? "default"
        case "metadata.uid": return metadata?["uid"]?.stringValue ?? ""
        case "metadata.labels": return lines(metadata?["labels"])
        case "metadata.annotations": return lines(metadata?["annotations"])
        default: return nil
        }
    }

    /// `key="value"` in lines, sorted by key.
    private static func lines(_ map: JSONValue?) -> String {
        (map?.objectValue ?? [:]).sorted { $0.key < $1.key }
            .map { "\($0.key)=\(CanonicalJSON.text($0.value.stringValue ?? ""))" }.joined(separator: "\n")
    }

    private static func extract(_ path: String, from rollout: JSONValue) throws(Unreadable) -> String {
        var value = rollout
        for part in path.split(whereSeparator: { ".[]".contains($0) }).map(String.init) {
            let next: JSONValue
            switch value {
            case .array(let elements):
                guard let index = Int(part) else { throw Unreadable(message: "invalid index '\(part)'") }
                guard elements.indices.contains(index) else {
                    throw Unreadable(message: "index \(index) out of range")
                }
                next = elements[index]
            case .object(let members):
                guard let member = members[part] else {
                    throw Unreadable(message: "invalid path \(path) in rollout")
                }
                next = member
            case .null, .bool, .int, .double, .string:
                throw Unreadable(message: "invalid path \(path) in rollout")
            }
            if next.isNull { throw Unreadable(message: "invalid path \(path) in rollout") }
            value = next
        }
        switch value {
        case .string(let text): return text
        case .bool(let flag): return String(flag)
        case .int(let number): return GoFloat.text(Double(number))
        case .double(let number): return GoFloat.text(number)
        case .null, .array, .object:
            throw Unreadable(message: "path \(path) in rollout must terminate in a primitive value")
        }
    }
}

/// Numbers as Go's `%v` prints them.
enum GoFloat {
    /// The shortest digits; with an exponent below 1e-4 and from one million on.
    ///
    /// - Source: Go, strconv `FormatFloat(x, 'g', -1, 64)`.
    static func text(_ number: Double) -> String {
        let isNegative = number < 0
        let (digits, exponent) = decimal(abs(number))
        if number == 0 { return "0" }
        let sign = isNegative ? "-" : ""
        if exponent < -4 || exponent >= 6 {
            let rest = digits.dropFirst()
            let power = abs(exponent)
            return sign + digits.prefix(1) + (rest.isEmpty ? "" : "." + rest) + "e" + (exponent < 0 ? "-" : "+")
                + (power < 10 ? "0" : "") + String(power)
        }
        if exponent < 0 { return sign + "0." + String(repeating: "0", count: -exponent - 1) + digits }
        if digits.count <= exponent + 1 {
            return sign + digits + String(repeating: "0", count: exponent + 1 - digits.count)
        }
        return sign + digits.prefix(exponent + 1) + "." + digits.dropFirst(exponent + 1)
    }

    /// The significant digits, and the power of ten of the first.
    private static func decimal(_ number: Double) -> (digits: String, exponent: Int) {
        let parts = number.description.lowercased().split(separator: "e")
        let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        let whole = String(mantissa[0])
        var digits = whole + (mantissa.count > 1 ? String(mantissa[1]) : "")
        var exponent = (parts.count > 1 ? Int(parts[1]) ?? 0 : 0) + whole.count - 1
        while digits.count > 1, digits.first == "0" {
            digits.removeFirst()
            exponent -= 1
        }
        while digits.count > 1, digits.last == "0" { digits.removeLast() }
        return (digits, exponent)
    }
}
