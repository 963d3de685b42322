internal import EventSourcing

/// What may stand in a field.
indirect enum FieldShape: Sendable {
    /// Anything: kept, not looked at.
    case any
    /// A text.
    case text
    /// A whole number of 32 bits.
    case integer
    /// `true` or `false`.
    case flag
    /// A whole number, or a text such as `25%`.
    case integerOrText
    /// An object with any names, each with such a value.
    case map(FieldShape)
    /// A list of such values.
    case list(FieldShape)
    /// An object with these members; others are unknown.
    case object([String: FieldShape])

    /// Notes wrong types as errors, unknown members as warnings (errors if `strict`).
    func check(_ value: JSONValue, at path: FieldPath, strict: Bool, into findings: inout ManifestFindings) {
        if value.isNull { return }
        switch (self, value) {
        case (.any, _), (.text, .string), (.flag, .bool), (.integerOrText, .string): break
        case (.integer, .int(let number)), (.integerOrText, .int(let number)):
            if Int32(exactly: number) == nil {
                findings.error(
                    path, "an integer between \(Int32.min) and \(Int32.max) is wanted", fix: "write a smaller number")
            }
        case (.map(let shape), .object(let members)):
            for (key, member) in members.sorted(by: { $0.key < $1.key }) {
                shape.check(member, at: path / key, strict: strict, into: &findings)
            }
        case (.list(let shape), .array(let elements)):
            for (index, element) in elements.enumerated() {
                shape.check(element, at: path / index, strict: strict, into: &findings)
            }
        case (.object(let shapes), .object(let members)):
            for (key, member) in members.sorted(by: { $0.key < $1.key }) {
                if let shape = shapes[key] {
                    shape.check(member, at: path / key, strict: strict, into: &findings)
                } else {
                    let nearest = ManifestFindings.nearest(to: key, among: shapes.keys.sorted())
                    findings.unknown(
                        path / key, isError: strict, "unknown field \"\(key)\"",
                        fix: nearest.map { "did you mean \($0)?" } ?? "remove it, unless something else reads it")
                }
            }
        default:
            findings.error(path, "\(wanted) is wanted, not \(Self.kind(of: value))", fix: fix(for: value))
        }
    }

    private var wanted: String {
        switch self {
        case .any: "a value"
        case .text: "a text"
        case .integer: "an integer"
        case .flag: "true or false"
        case .integerOrText: "an integer or a text such as 25%"
        case .map, .object: "an object"
        case .list: "a list"
        }
    }

    private func fix(for value: JSONValue) -> String {
        switch (self, value) {
        case (.text, .bool), (.text, .int), (.text, .double): "put it in quotes: \"\(ManifestFindings.short(value))\""
        case (.integer, .string(let text)) where Int(text) != nil: "write it without quotes: \(text)"
        case (.flag, .string(let text)) where text == "true" || text == "false": "write it without quotes: \(text)"
        case (.integer, _), (.integerOrText, _): "write a whole number such as 5"
        case (.flag, _): "write true or false"
        case (.list, _): "write a list: each element on a line that begins with \"- \""
        case (.map, _), (.object, _): "write members below it, each as \"name: value\""
        case (.text, _), (.any, _): "write a text"
        }
    }

    static func kind(of value: JSONValue) -> String {
        switch value {
        case .null: "null"
        case .bool: "true or false"
        case .int, .double: "a number"
        case .string: "a text"
        case .array: "a list"
        case .object: "an object"
        }
    }
}
