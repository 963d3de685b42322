import EventSourcing

/// Writes a JSON value as YAML: block style, keys sorted.
enum YAMLText {
    /// The text, ending with a line break.
    static func of(_ value: JSONValue) -> String {
        var text = ""
        write(value, indent: 0, into: &text)
        return text
    }

    private static func write(_ value: JSONValue, indent: Int, into text: inout String) {
        let space = String(repeating: " ", count: indent)
        switch value {
        case .object(let members) where !members.isEmpty:
            for (key, member) in members.sorted(by: { $0.key < $1.key }) {
                text += "\(space)\(scalar(.string(key))):"
                below(member, indent: indent, into: &text)
            }
        case .array(let elements) where !elements.isEmpty:
            for element in elements {
                if case .object(let members) = element, !members.isEmpty {
                    var inner = ""
                    write(element, indent: indent + 2, into: &inner)
                    text += "\(space)- " + inner.dropFirst(indent + 2)
                } else {
                    text += "\(space)-"
                    below(element, indent: indent, into: &text)
                }
            }
        default: text += "\(space)\(scalar(value))\n"
        }
    }

    private static func below(_ value: JSONValue, indent: Int, into text: inout String) {
        switch value {
        case .object(let members) where !members.isEmpty: fallthrough
        case .array where value.arrayValue?.isEmpty == false:
            text += "\n"
            write(value, indent: indent + 2, into: &text)
        default: text += " \(scalar(value))\n"
        }
    }

    /// A scalar; text is quoted unless it can be nothing but text.
    private static func scalar(_ value: JSONValue) -> String {
        guard case .string(let text) = value else { return CanonicalJSON.text(value) }
        let isPlain =
            !text.isEmpty && text.first!.isLetter
            && text.unicodeScalars.allSatisfy { scalar in
                scalar.isASCII
                    && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
                        || "-_./".unicodeScalars.contains(scalar))
            } && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(text.lowercased())
        return isPlain ? text : CanonicalJSON.text(value)
    }
}
